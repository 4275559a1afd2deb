// conv2d  x [N, H, W, in], weight [out, k, k, in] -> [N, H', W', out],  H' = (H + 2 padding - k) / stride + 1
#include <fmt/format.h>

#include "kernels/core/check.h"
#include "nn/onednn/conv.h"
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

Var conv2d(Tape& tape, Var x, Var weight, ConvSpec spec) {
  Context& ctx = tape.context();
  require_cpu(ctx.queue(), "conv2d");
  const ConvShape s = conv_shape(x.value().shape(), weight.value().shape(), spec);
  Tensor y = ctx.empty({s.images, s.out_height(), s.out_width(), s.out});
  conv_forward(ctx, s, x.value().data(), weight.value().data(), y.data());

  return tape.record("conv2d", {x, weight}, y,
                     [xv = x.value(), wv = weight.value(), s](const Tensor& dy, Grads& grads) {
                       if (grads.wanted(1))
                         conv_backward_weights(grads.context(), s, xv.data(), dy.data(), grads.data(1), grads.write(1));
                       if (grads.wanted(0))
                         conv_backward_data(grads.context(), s, dy.data(), wv.data(), grads.data(0), grads.write(0));
                     });
}

}  // namespace kith
