#include "nn/onednn/conv.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/core/check.h"

namespace kith {
namespace {

using dnnl::algorithm;
using dnnl::memory;
using tag = dnnl::memory::format_tag;

struct Descs {
  memory::desc src, weights, dst;
};

Descs stored_descs(const ConvShape& s) {
  return {.src = dense_desc({s.images, s.in, s.height, s.width}, tag::nhwc),
          .weights = dense_desc({s.out, s.in, s.kernel, s.kernel}, tag::ohwi),
          .dst = dense_desc({s.images, s.out, s.out_height(), s.out_width()}, tag::nhwc)};
}

// What the primitive may choose: weights always, images in the blocked forms.
Descs offered_descs(const ConvShape& s, ConvForm form) {
  const tag images = form == ConvForm::nhwc ? tag::nhwc : tag::any;
  return {.src = dense_desc({s.images, s.in, s.height, s.width}, images),
          .weights = dense_desc({s.out, s.in, s.kernel, s.kernel}, tag::any),
          .dst = dense_desc({s.images, s.out, s.out_height(), s.out_width()}, images)};
}

dnnl::convolution_forward::primitive_desc forward_desc(const dnnl::engine& engine, const ConvShape& s, ConvForm form) {
  const Descs d = offered_descs(s, form);
  const algorithm method = form == ConvForm::winograd ? algorithm::convolution_winograd : algorithm::convolution_direct;
  return {{dnnl::prop_kind::forward_training, method, d.src, d.weights, d.dst, memory::dims{s.stride, s.stride},
           memory::dims{s.padding, s.padding}, memory::dims{s.padding, s.padding}},
          plan_attributes(),
          engine};
}

Plan make_plan(const dnnl::engine& engine, const ConvShape& s, Pass pass, ConvForm form) {
  const Descs stored = stored_descs(s), d = offered_descs(s, form);
  const auto hint = forward_desc(engine, s, form);
  const algorithm method = form == ConvForm::winograd ? algorithm::convolution_winograd : algorithm::convolution_direct;
  const memory::dims strides{s.stride, s.stride}, padding{s.padding, s.padding};
  const auto operand = [&](int argument, const memory::desc& at, const memory::desc& wanted, bool output = false) {
    return make_operand(engine, argument, at, wanted, output);
  };
  switch (pass) {
    case Pass::forward:
      return {.primitive = dnnl::convolution_forward(hint),
              .operands = {operand(DNNL_ARG_SRC, stored.src, hint.src_desc()),
                           operand(DNNL_ARG_WEIGHTS, stored.weights, hint.weights_desc()),
                           operand(DNNL_ARG_DST, stored.dst, hint.dst_desc(), true)},
              .scratchpad = hint.scratchpad_desc()};
    case Pass::backward_data: {
      const dnnl::convolution_backward_data::primitive_desc p(
          {method, d.src, d.weights, d.dst, strides, padding, padding}, plan_attributes(), engine, hint);
      return {.primitive = dnnl::convolution_backward_data(p),
              .operands = {operand(DNNL_ARG_DIFF_DST, stored.dst, p.diff_dst_desc()),
                           operand(DNNL_ARG_WEIGHTS, stored.weights, p.weights_desc()),
                           operand(DNNL_ARG_DIFF_SRC, stored.src, p.diff_src_desc(), true)},
              .scratchpad = p.scratchpad_desc()};
    }
    case Pass::backward_weights: {
      const dnnl::convolution_backward_weights::primitive_desc p(
          {method, d.src, d.weights, d.dst, strides, padding, padding}, plan_attributes(), engine, hint);
      return {.primitive = dnnl::convolution_backward_weights(p),
              .operands = {operand(DNNL_ARG_SRC, stored.src, p.src_desc()),
                           operand(DNNL_ARG_DIFF_DST, stored.dst, p.diff_dst_desc()),
                           operand(DNNL_ARG_DIFF_WEIGHTS, stored.weights, p.diff_weights_desc(), true)},
              .scratchpad = p.scratchpad_desc()};
    }
  }
  throw Error("convolution: unknown pass");
}

void run(Context& ctx, const ConvShape& shape, Pass pass, const PlanData& data) {
  const auto plan = [&]() -> const Plan& {
    try {
      return conv_plan(ctx, shape, pass, conv_form(shape, pass));
    } catch (const Error&) {  // not offered on this processor
      return conv_plan(ctx, shape, pass, ConvForm::nhwc);
    }
  };
  run_plan(ctx, plan(), data);
}

bool avx512() {
  constexpr auto wanted = static_cast<unsigned>(dnnl::cpu_isa::avx512_core);
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & wanted) == wanted;
}

}  // namespace

// Read from bench/nn/conv.cpp (one thread, processor time, reorders included), ResNet-18 of width 16 and 64 at 14 to 32
// pixels; times of the nhwc form over the chosen one:
//   3x3, stride 1, 64 channels and more, at least 4x4: winograd       1.1-2.3 (1.05 for the weights of 64 at 32x32)
//   few input channels, 16 outputs, forward: blocked                   1.6-3.0
//   16 -> 16, forward and data: blocked, its images are NHWC as well   1.1-1.4 and 1.0-1.15
//   3x3, stride 2, forward, up to 64 channels at up to 16x16           0.96-1.7
//   3x3, stride 2, weights                                             1.02-1.3 (0.95 for 16 -> 32 at 14x14)
//   32 -> 32, weights, up to 8x8                                       1.1-1.2
// and 1x1 or larger images with fewer channels stay as they are: the reorders cost more than they bring. Winograd is
// offered with AVX-512 only.
//
// Not for its speed: oneDNN's kernels for the weights of a strided 1x1 from fewer channels of NHWC than a vector holds (8 with
// AVX2, 16 with AVX-512) work outside of their memory: wrong results, crashes, endless loops. In 2.6 and, by its issue 6035, in
// 3.12: each thread's part is asked for by the channels and written by whole vectors.
ConvForm conv_form(const ConvShape& s, Pass pass) {
  const bool aligned = s.in % 16 == 0 && s.out % 16 == 0;
  if (s.in <= 4 && s.out == 16 && pass == Pass::forward) return ConvForm::blocked;
  if (pass == Pass::backward_weights && s.kernel == 1 && s.stride > 1 && s.in < 16) return ConvForm::blocked;
  if (!aligned || s.kernel != 3) return ConvForm::nhwc;
  if (s.stride == 1) {
    if (avx512() && s.padding == 1 && std::min(s.in, s.out) >= 64 && std::min(s.height, s.width) >= 4)
      return ConvForm::winograd;
    if (s.in == 16 && s.out == 16 && pass != Pass::backward_weights) return ConvForm::blocked;
    if (s.in == 32 && s.out == 32 && pass == Pass::backward_weights && s.height <= 8) return ConvForm::blocked;
    return ConvForm::nhwc;
  }
  if (pass == Pass::backward_weights) return ConvForm::blocked;
  if (pass == Pass::forward && (s.in == 16 || (s.in <= 64 && s.height <= 16))) return ConvForm::blocked;
  return ConvForm::nhwc;
}

const Plan& conv_plan(Context& ctx, const ConvShape& shape, Pass pass, ConvForm form) {
  CpuCache& cache = ctx.cpu_cache();
  const ConvKey key{.shape = shape, .pass = pass, .form = form};
  if (const auto it = cache.convs.find(key); it != cache.convs.end()) return it->second;
  try {
    return cache.convs.emplace(key, make_plan(cache.engine, shape, pass, form)).first->second;
  } catch (const dnnl::error& e) {
    throw Error(fmt::format("convolution {}: {}", to_string(shape), e.what()));
  }
}

void conv_forward(Context& ctx, const ConvShape& shape, const float* x, const float* weight, float* y) {
  run(ctx, shape, Pass::forward, {.first = x, .second = weight, .out = y});
}

void conv_backward_data(Context& ctx, const ConvShape& shape, const float* dy, const float* weight, float* dx,
                        Write write) {
  run(ctx, shape, Pass::backward_data, {.first = dy, .second = weight, .out = dx, .write = write});
}

void conv_backward_weights(Context& ctx, const ConvShape& shape, const float* x, const float* dy, float* dweight,
                           Write write) {
  run(ctx, shape, Pass::backward_weights, {.first = x, .second = dy, .out = dweight, .write = write});
}

}  // namespace kith
