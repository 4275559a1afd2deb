// The differences between the interfaces of oneDNN 2 (2.6: Debian 12) and oneDNN 3 (3.7: Debian 13): nothing else in kith, one
// line of kernels/cpu/gemm_bf16.cpp aside, knows which of them it is compiled against. A program made with one does not load
// the other.
#pragma once
#include <oneapi/dnnl/dnnl.hpp>

namespace kith::onednn {

// Winograd products of f32 convolutions, with AVX-512. oneDNN 3 has none for x86-64: asking for them is an error.
inline constexpr bool kWinograd = DNNL_VERSION_MAJOR < 3;

// Parameters of a convolution; the two strides are one number, and so are the four paddings.
struct ConvOperands {
  dnnl::algorithm algorithm = dnnl::algorithm::convolution_direct;
  dnnl::memory::desc src, weights, dst;
  dnnl::memory::dims strides, padding;
};

using ForwardDesc = dnnl::convolution_forward::primitive_desc;

// Throws dnnl::error where oneDNN has nothing for the operands.
inline ForwardDesc forward_desc(const dnnl::engine& engine, const ConvOperands& c,
                                const dnnl::primitive_attr& attributes) {
  constexpr auto kind = dnnl::prop_kind::forward_training;
#if DNNL_VERSION_MAJOR < 3
  return {{kind, c.algorithm, c.src, c.weights, c.dst, c.strides, c.padding, c.padding}, attributes, engine};
#else
  return {engine, kind, c.algorithm, c.src, c.weights, c.dst, c.strides, c.padding, c.padding, attributes};
#endif
}

// Pass: dnnl::convolution_backward_data or dnnl::convolution_backward_weights.
template <class Pass>
typename Pass::primitive_desc backward_desc(const dnnl::engine& engine, const ConvOperands& c,
                                            const ForwardDesc& forward, const dnnl::primitive_attr& attributes) {
#if DNNL_VERSION_MAJOR < 3
  return {{c.algorithm, c.src, c.weights, c.dst, c.strides, c.padding, c.padding}, attributes, engine, forward};
#else
  return {engine, c.algorithm, c.src, c.weights, c.dst, c.strides, c.padding, c.padding, forward, attributes};
#endif
}

inline dnnl::memory::dims dims_of(const dnnl::memory::desc& desc) {
#if DNNL_VERSION_MAJOR < 3
  return desc.dims();
#else
  return desc.get_dims();
#endif
}

}  // namespace kith::onednn
