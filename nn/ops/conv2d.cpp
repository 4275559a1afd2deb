// conv2d  x [N, H, W, in], weight [out, k, k, in] -> [N, H', W', out],  H' = (H + 2 padding - k) / stride + 1
#include <fmt/format.h>

#include "kernels/core/check.h"
#include "nn/ops/ops.h"

namespace kith {
namespace {

ConvShape conv_shape(const Shape& x, const Shape& w, ConvSpec spec) {
  check(x.size() == 4, fmt::format("conv2d: images [N, H, W, C] expected, found {}", to_string(x)));
  check(w.size() == 4 && w[1] == spec.kernel && w[2] == spec.kernel && w[3] == x[3],
        fmt::format("conv2d: weight [out, {0}, {0}, {1}] expected, found {2}", spec.kernel, x[3], to_string(w)));
  check(spec.stride >= 1 && spec.padding >= 0 && spec.padding < spec.kernel && x[1] + 2 * spec.padding >= spec.kernel &&
            x[2] + 2 * spec.padding >= spec.kernel,
        fmt::format("conv2d: kernel {}, stride {}, padding {} on images {}", spec.kernel, spec.stride, spec.padding,
                    to_string(x)));
  check(count_of(x) > 0 && count_of(w) > 0,
        fmt::format("conv2d: empty images {} or weight {}", to_string(x), to_string(w)));
  return {.images = x[0],
          .height = x[1],
          .width = x[2],
          .in = x[3],
          .out = w[0],
          .kernel = spec.kernel,
          .stride = spec.stride,
          .padding = spec.padding};
}

}  // namespace

// bf16 images meet the bf16 copy of the weights; the gradient of the weights is f32 always.
Var conv2d(Tape& tape, Var x, Var weight, ConvSpec spec) {
  Context& ctx = tape.context();
  const ConvShape s = conv_shape(x.value().shape(), weight.value().shape(), spec);
  const DType dtype = x.value().dtype();
  const Tensor w = dtype == DType::f32 ? weight.value() : weight.bf16_copy();
  check(!w.empty(), "conv2d: bf16 images, but the weight has no bf16 copy");
  const auto element = static_cast<double>(size_of(dtype));
  const OpScope op(ctx, "conv2d", s.cost(Pass::forward, element), dtype);
  Tensor y = ctx.empty({s.images, s.out_height(), s.out_width(), s.out}, dtype);
  ctx.math().conv_forward(s, dtype, x.value().raw(), w.raw(), y.raw());

  return tape.record("conv2d", {x, weight}, y, [kept = Kept(x), w, s, dtype, element](const Tensor& dy, Grads& grads) {
    DenseMath& math = grads.context().math();
    if (grads.wanted(1)) {
      grads.op().part("weights", s.cost(Pass::backward_weights, element), dtype);
      const Tensor xv = kept.value();
      math.conv_backward_weights(s, dtype, xv.raw(), dy.raw(), grads.data(1), grads.write(1));
    }
    if (grads.wanted(0)) {
      grads.op().part("data", s.cost(Pass::backward_data, element), dtype);
      math.conv_backward_data(s, dtype, dy.raw(), w.raw(), grads.tensor(0).raw(), grads.write(0));
    }
  });
}

}  // namespace kith
