// max_pool, average_pool, global_average_pool  x [N, H, W, C] -> [N, H', W', C] or [N, C]; the global average is f32
#include "kernels/pool.h"

#include <fmt/format.h>

#include "kernels/core/check.h"
#include "nn/ops/ops.h"

namespace kith {
namespace {

kernels::PoolShape pool_shape(const Shape& x, PoolSpec spec) {
  check(x.size() == 4, fmt::format("pooling: images [N, H, W, C] expected, found {}", to_string(x)));
  check(spec.kernel >= 1 && spec.stride >= 1 && spec.padding >= 0 && spec.padding < spec.kernel && count_of(x) > 0 &&
            x[1] + 2 * spec.padding >= spec.kernel && x[2] + 2 * spec.padding >= spec.kernel,
        fmt::format("pooling: kernel {}, stride {}, padding {} on images {}", spec.kernel, spec.stride, spec.padding,
                    to_string(x)));
  return {.images = x[0],
          .height = static_cast<int>(x[1]),
          .width = static_cast<int>(x[2]),
          .channels = static_cast<int>(x[3]),
          .kernel_height = spec.kernel,
          .kernel_width = spec.kernel,
          .stride = spec.stride,
          .padding = spec.padding};
}

template <class A>
std::span<A> elements(const Tensor& t) {
  return {static_cast<A*>(t.raw()), static_cast<size_t>(t.size())};
}

// apply(A()) for the type of the activations.
template <class F>
Var visit(const Var& x, F apply) {
  return x.value().dtype() == DType::f32 ? apply(float()) : apply(bf16());
}

double element_of(const Tensor& t) { return static_cast<double>(size_of(t.dtype())); }

Cost max_cost(const kernels::PoolShape& s, double element) {
  return kernels::max_pool_cost(static_cast<double>(s.in_size()), static_cast<double>(s.out_size()), element);
}
Cost average_cost(const kernels::PoolShape& s, double element) {
  return kernels::average_pool_cost(static_cast<double>(s.in_size()), static_cast<double>(s.out_size()), element);
}
Cost global_cost(const kernels::PoolShape& s, double element) {
  return kernels::global_average_pool_cost(static_cast<double>(s.images), double{1} * s.height * s.width, s.channels,
                                           element);
}

Tensor empty_output(Context& ctx, const kernels::PoolShape& s, DType dtype) {
  return ctx.empty({s.images, s.out_height(), s.out_width(), s.channels}, dtype);
}

}  // namespace

Var max_pool(Tape& tape, Var x, PoolSpec spec) {
  Context& ctx = tape.context();
  const kernels::PoolShape s = pool_shape(x.value().shape(), spec);
  const OpScope op(ctx, "max_pool", max_cost(s, element_of(x.value())));
  const Tensor y = empty_output(ctx, s, x.value().dtype());
  const Array<uint8_t> position(ctx, tape.recording() ? s.out_size() : 0);
  return visit(x, [&]<class A>(A) {
    kernels::max_pool_forward(
        kernels::MaxPoolForward<A>{
            .shape = s, .x = elements<A>(x.value()), .y = elements<A>(y), .position = position.span()},
        ctx.queue());
    return tape.record("max_pool", {x}, y, [s, position](const Tensor& dy, Grads& grads) {
      grads.op().charge(max_cost(s, sizeof(A)));
      kernels::max_pool_backward(kernels::MaxPoolBackward<A>{.shape = s,
                                                             .dy = elements<A>(dy),
                                                             .position = position.span(),
                                                             .dx = elements<A>(grads.tensor(0)),
                                                             .write = grads.write(0)},
                                 grads.queue());
    });
  });
}

Var average_pool(Tape& tape, Var x, PoolSpec spec) {
  Context& ctx = tape.context();
  const kernels::PoolShape s = pool_shape(x.value().shape(), spec);
  const OpScope op(ctx, "average_pool", average_cost(s, element_of(x.value())));
  const Tensor y = empty_output(ctx, s, x.value().dtype());
  return visit(x, [&]<class A>(A) {
    kernels::average_pool_forward(
        kernels::AveragePoolForward<A>{.shape = s, .x = elements<A>(x.value()), .y = elements<A>(y)}, ctx.queue());
    return tape.record("average_pool", {x}, y, [s](const Tensor& dy, Grads& grads) {
      grads.op().charge(average_cost(s, sizeof(A)));
      kernels::average_pool_backward(
          kernels::AveragePoolBackward<A>{
              .shape = s, .dy = elements<A>(dy), .dx = elements<A>(grads.tensor(0)), .write = grads.write(0)},
          grads.queue());
    });
  });
}

Var global_average_pool(Tape& tape, Var x) {
  Context& ctx = tape.context();
  const kernels::PoolShape s = pool_shape(x.value().shape(), {.kernel = 1, .stride = 1});
  const int64_t pixels = int64_t{s.height} * s.width;
  const OpScope op(ctx, "global_average_pool", global_cost(s, element_of(x.value())));
  const Tensor y = ctx.empty({s.images, s.channels});
  return visit(x, [&]<class A>(A) {
    kernels::global_average_pool_forward(
        kernels::GlobalAveragePoolForward<float, A>{
            .images = s.images, .pixels = pixels, .channels = s.channels, .x = elements<A>(x.value()), .y = y.span()},
        ctx.queue());
    return tape.record("global_average_pool", {x}, y, [s, pixels](const Tensor& dy, Grads& grads) {
      grads.op().charge(global_cost(s, sizeof(A)));
      kernels::global_average_pool_backward(
          kernels::GlobalAveragePoolBackward<float, A>{.images = s.images,
                                                       .pixels = pixels,
                                                       .channels = s.channels,
                                                       .dy = dy.span(),
                                                       .dx = elements<A>(grads.tensor(0)),
                                                       .write = grads.write(0)},
          grads.queue());
    });
  });
}

}  // namespace kith
