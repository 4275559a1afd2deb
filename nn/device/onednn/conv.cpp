#include "nn/device/onednn/conv.h"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>

#include "kernels/core/check.h"
#include "kernels/core/onednn_isa.h"
#include "kernels/core/onednn_room.h"
#include "kernels/winograd_bf16.h"
#include "nn/device/onednn/blocks.h"
#include "nn/device/onednn/versions.h"

namespace kith {
namespace {

using dnnl::algorithm;
using dnnl::memory;
using tag = dnnl::memory::format_tag;

struct Descs {
  memory::desc src, weights, dst;
};

// The types of the three, of which the pass makes one.
struct Types {
  DType src, weights, dst;
  Types(Pass pass, ConvTypes t) : src(t.operands), weights(t.operands), dst(t.operands) {
    (pass == Pass::forward ? dst : pass == Pass::backward_data ? src : weights) = t.result;
  }
};

Descs stored_descs(const ConvShape& s, const Types& t) {
  return {.src = dense_desc({s.images, s.in, s.height, s.width}, tag::nhwc, t.src),
          .weights = dense_desc({s.out, s.in, s.kernel, s.kernel}, tag::ohwi, t.weights),
          .dst = dense_desc({s.images, s.out, s.out_height(), s.out_width()}, tag::nhwc, t.dst)};
}

// Layouts that the primitive may choose: those of weights always, those of images in the blocked forms.
onednn::ConvOperands offered(const ConvShape& s, ConvForm form, const Types& t) {
  const tag images = form == ConvForm::nhwc ? tag::nhwc : tag::any;
  return {.algorithm = form == ConvForm::winograd ? algorithm::convolution_winograd : algorithm::convolution_direct,
          .src = dense_desc({s.images, s.in, s.height, s.width}, images, t.src),
          .weights = dense_desc({s.out, s.in, s.kernel, s.kernel}, tag::any, t.weights),
          .dst = dense_desc({s.images, s.out, s.out_height(), s.out_width()}, images, t.dst),
          .strides = {s.stride, s.stride},
          .padding = {s.padding, s.padding}};
}

Plan make_plan(const dnnl::engine& engine, const ConvKey& key) {
  const ConvShape& s = key.shape;
  const Pass pass = key.pass;
  const Types types(pass, key.types);
  const Descs stored = stored_descs(s, types);
  const onednn::ConvOperands spec = offered(s, key.form, types);
  // What a backward pass takes for a hint is the forward one of its operands' type, whatever it makes itself.
  const ConvTypes hinted = pass == Pass::forward ? key.types : ConvTypes{key.types.operands, key.types.operands};
  const auto hint = onednn::forward_desc(engine, offered(s, key.form, Types(Pass::forward, hinted)), plan_attributes());
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
      const auto p = onednn::backward_desc<dnnl::convolution_backward_data>(engine, spec, hint, plan_attributes());
      return {.primitive = dnnl::convolution_backward_data(p),
              .operands = {operand(DNNL_ARG_DIFF_DST, stored.dst, p.diff_dst_desc()),
                           operand(DNNL_ARG_WEIGHTS, stored.weights, p.weights_desc()),
                           operand(DNNL_ARG_DIFF_SRC, stored.src, p.diff_src_desc(), true)},
              .scratchpad = p.scratchpad_desc()};
    }
    case Pass::backward_weights: {
      const auto p = onednn::backward_desc<dnnl::convolution_backward_weights>(engine, spec, hint, plan_attributes());
      return {.primitive = dnnl::convolution_backward_weights(p),
              .operands = {operand(DNNL_ARG_SRC, stored.src, p.src_desc()),
                           operand(DNNL_ARG_DIFF_DST, stored.dst, p.diff_dst_desc()),
                           operand(DNNL_ARG_DIFF_WEIGHTS, stored.weights, p.diff_weights_desc(), true)},
              .scratchpad = p.scratchpad_desc()};
    }
  }
  throw Error("convolution: unknown pass");
}

bool avx512() { return kernels::onednn_offers(dnnl::cpu_isa::avx512_core); }

// The rules are read from what bench/nn/conv.cpp times (one thread, processor time, reorders included), ResNet-18 of width 16
// and 64: the time of the nhwc form over that of the chosen one. 1x1 stays as it is: the reorders cost more than they bring.
// They are rules and no search at first use, which would go by the time of a machine that may be busy: the same run would end
// in other bits on another day.
//
// oneDNN 2.6, at 14 to 32 pixels, on Intel's processors, which multiply 512 bits twice a cycle:
//   3x3, stride 1, 64 channels and more, at least 4x4: winograd       1.1-2.3 (1.05 for the weights of 64 at 32x32)
//   16 -> 16, forward and data: blocked, its images are NHWC as well   1.1-1.4 and 1.0-1.15
//   3x3, stride 2, forward, up to 64 channels at up to 16x16           0.96-1.7
//   3x3, stride 2, weights                                             1.02-1.3 (0.95 for 16 -> 32 at 14x14)
//   32 -> 32, weights, up to 8x8                                       1.1-1.2
// and larger images with fewer channels stay as they are. Winograd is offered with AVX-512 only.
ConvForm form_of_2(const ConvShape& s, Pass pass) {
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

// The same on an AMD EPYC (Zen 4), which multiplies 512 bits once a cycle: products weigh more there and Winograd pays sooner.
//   3x3, stride 1, 32 channels and more, at least 4x4: winograd       1.7-2.5 (512 at 4x4, few images: 1.0-1.25)
//   16 -> 16: nhwc forward (blocked 0.78), as before for data, winograd for the weights, 1.19
// In all, the convolutions of a step take 0.84 of what Intel's rule takes at width 16, and the same at width 64.
ConvForm form_of_2_amd(const ConvShape& s, Pass pass) {
  const int64_t channels = std::min(s.in, s.out);
  const bool weights = pass == Pass::backward_weights;
  if (avx512() && s.stride == 1 && s.padding == 1 && channels >= (weights ? 16 : 32) &&
      std::min(s.height, s.width) >= 4)
    return ConvForm::winograd;
  if (s.in == 16 && s.out == 16 && pass == Pass::forward) return ConvForm::nhwc;
  return form_of_2(s, pass);
}

// oneDNN 3.7.2, at 14 to 32 pixels, on an Intel Xeon (family 6, model 207) with other work: the least of many runs in turns:
//   3x3, 16 -> 16, forward and data, up to 16x16                       1.2-1.5 (0.85-1.1 at 32x32)
//   3x3, 256 -> 512 at 8x8, stride 2, forward                          1.5-1.8
//   3x3, 512 -> 512 at 4x4, forward and data                           1.9-2.7 and 1.7-2.5
// and the rest stays as it is: 0.3-1.15. For data with stride 2 the images that oneDNN itself chooses are NHWC.
ConvForm form_of_3(const ConvShape& s, Pass pass) {
  if (pass == Pass::backward_weights) return ConvForm::nhwc;
  if (s.stride == 1 && s.in == 16 && s.out == 16 && s.height <= 16) return ConvForm::blocked;
  const bool forward = pass == Pass::forward;
  return s.in * s.out >= 256 * 512 && (forward || s.stride == 1) ? ConvForm::blocked : ConvForm::nhwc;
}

}  // namespace

// Few input channels, forward to 16: 1.6-3.0 with 2.6, 1.15-1.25 (colour) and 4.3-4.6 (gray) with 3.7.2.
//
// Not for its speed: oneDNN's kernels for the weights of a strided 1x1 from fewer channels of NHWC than a vector holds (8 with
// AVX2, 16 with AVX-512) work outside of their memory: wrong results, crashes, endless loops. In 2.6 and, by its issue 6035, in
// 3.12: each thread's part is asked for by the channels and written by whole vectors.
//
// bf16: NHWC is the fastest or within 3 % of it everywhere once images would have to be reordered.
ConvForm conv_form(const ConvShape& s, Pass pass, DType operands) {
  if (pass == Pass::backward_weights && s.kernel == 1 && s.stride > 1 && s.in < 16) return ConvForm::blocked;
  if (operands == DType::bf16) return ConvForm::nhwc;
  if (s.in <= 4 && s.out == 16 && pass == Pass::forward) return ConvForm::blocked;
  if (s.in % 16 != 0 || s.out % 16 != 0 || s.kernel != 3) return ConvForm::nhwc;
  if (!onednn::kWinograd) return form_of_3(s, pass);
  return __builtin_cpu_is("amd") ? form_of_2_amd(s, pass) : form_of_2(s, pass);
}

// Weights' gradients from images of few pixels are sums too short for the matrix units, where oneDNN 2.6 has Winograd for f32
// instead; time of bf16's form over that of f32's, ResNet-18 of width 16 and 64 at 32 pixels, 4 x 4 pixels of the result:
// Xeon with AMX 1.1 to 3.6 (1x1 3.6 to 6.6), EPYC (Zen 4) 1.1 to 1.3. At 8 x 8 it is 0.9 to 1.05.
bool conv_in_bf16(const ConvShape& s, Pass pass) {
  return !(onednn::kWinograd && avx512() && pass == Pass::backward_weights && s.out_height() * s.out_width() <= 16);
}

// Time of oneDNN's bf16 over that of tiles: 2.6 on an AMD EPYC (Zen 4), one thread, processor time, weights' transforms and the
// sum of their blocks included; forward, data, weights:
//   64 channels at 32x32, 64 images  1.5, 1.5, 1.7     32 at 16x16, 256 images   1.1, 1.1, 1.4
//   128 at 16x16                     1.5, 1.3, 1.4     64 at 8x8                 1.3, 1.4, 1.8
//   256 at 8x8                       1.7, 1.9, 1.3     128 at 4x4                1.2, 1.1, 1.4
//   512 at 4x4                       1.5, 1.3, 1.2
// and 0.7 forward for 16 at 32x32, where transforms outweigh products. Matrix units (AMX) multiply sixteen times as fast as the
// vectors that tiles are made of, and Intel's processors were not measured.
bool conv_in_tiles(const ConvShape& s) {
  static const bool fast = __builtin_cpu_is("amd") && kernels::winograd_bf16_offered();
  return fast && s.kernel == 3 && s.stride == 1 && s.padding == 1 && s.in % 32 == 0 && s.out % 32 == 0;
}

const Plan& conv_plan(OneDnn& dnn, const ConvShape& shape, Pass pass, ConvForm form, ConvTypes types) {
  const ConvKey key{.shape = shape, .pass = pass, .form = form, .types = types, .threads = omp_get_max_threads()};
  if (const auto it = dnn.convs.find(key); it != dnn.convs.end()) return it->second;
  kernels::expect_room_for_code();
  try {
    return dnn.convs.emplace(key, make_plan(dnn.engine, key)).first->second;
  } catch (const dnnl::error& e) {
    if (e.status == dnnl_out_of_memory)
      throw OutOfMemory(fmt::format("out of memory: convolution {}", to_string(shape)));
    throw Error(fmt::format("convolution {}: {}", to_string(shape), e.what()));
  }
}

void run_conv(OneDnn& dnn, const ConvShape& shape, Pass pass, ConvTypes types, const PlanData& data) {
  ConvForm form = conv_form(shape, pass, types.operands);
  try {
    plan_pass(dnn, shape, pass, form, types);
  } catch (const OutOfMemory&) {
    throw;
  } catch (const Error&) {  // not offered on this processor
    form = ConvForm::nhwc;
  }
  run_pass(dnn, shape, pass, form, types, data);
}

}  // namespace kith
