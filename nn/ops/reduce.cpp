// mean, sum  over all elements -> []
#include "kernels/core/check.h"
#include "kernels/elementwise.h"
#include "nn/ops/ops.h"

namespace kith {
namespace {

Var scaled_sum(Tape& tape, const char* op, const Var& x, float factor) {
  Context& ctx = tape.context();
  const auto count = static_cast<double>(x.value().size());
  const OpScope scope(ctx, op, kernels::sum_cost(count));
  Tensor y = ctx.empty({});
  kernels::sum({.x = x.value().span(), .factor = factor, .y = y.span()}, ctx.queue());
  return tape.record(op, {x}, y, [factor, count](const Tensor& dy, Grads& grads) {
    grads.op().charge(kernels::broadcast_cost(count));
    kernels::broadcast({.x = dy.span(), .factor = factor, .y = grads.tensor(0).span(), .write = grads.write(0)},
                       grads.queue());
  });
}

}  // namespace

Var mean(Tape& tape, Var x) {
  check(x.value().size() > 0, "mean of no elements");
  return scaled_sum(tape, "mean", x, 1.f / static_cast<float>(x.value().size()));
}

Var sum(Tape& tape, Var x) { return scaled_sum(tape, "sum", x, 1.f); }

}  // namespace kith
