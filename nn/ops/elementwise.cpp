// relu, gelu, add, scale, reshape: one value in, one value out, element by element
#include "kernels/elementwise.h"

#include <fmt/format.h>

#include "kernels/core/check.h"
#include "nn/ops/ops.h"

namespace kith {
namespace {

double elements_of(const Tensor& t) { return static_cast<double>(t.size()); }

// grad of `input` (+)= factor dout; in place of dout where it can be.
void pass_on(Grads& grads, int input, const Tensor& dout, float factor) {
  if (!grads.wanted(input)) return;
  const bool in_place = grads.adopt(input, dout);
  const std::span<float> dx = grads.tensor(input).span();
  const Write write = grads.write(input);
  if (in_place && factor == 1.f) return;
  grads.op().charge(kernels::scale_cost(elements_of(dout)));
  kernels::scale({.x = dout.span(), .factor = factor, .y = dx, .write = write}, grads.queue());
}

}  // namespace

Var relu(Tape& tape, Var x) {
  Context& ctx = tape.context();
  const OpScope op(ctx, "relu", kernels::scale_cost(elements_of(x.value())));
  Tensor y = ctx.empty(x.value().shape());
  kernels::relu_forward({.x = x.value().span(), .y = y.span()}, ctx.queue());
  return tape.record("relu", {x}, y, [y](const Tensor& dy, Grads& grads) {
    if (!grads.wanted(0)) return;
    grads.op().charge(kernels::relu_backward_cost(elements_of(dy)));
    grads.adopt(0, dy);
    kernels::relu_backward({.y = y.span(), .dy = dy.span(), .dx = grads.tensor(0).span(), .write = grads.write(0)},
                           grads.queue());
  });
}

Var gelu(Tape& tape, Var x) {
  Context& ctx = tape.context();
  const OpScope op(ctx, "gelu", kernels::gelu_cost(elements_of(x.value())));
  Tensor y = ctx.empty(x.value().shape());
  kernels::gelu_forward({.x = x.value().span(), .y = y.span()}, ctx.queue());
  return tape.record("gelu", {x}, y, [in = x.value()](const Tensor& dy, Grads& grads) {
    if (!grads.wanted(0)) return;
    grads.op().charge(kernels::gelu_backward_cost(elements_of(dy)));
    grads.adopt(0, dy);
    kernels::gelu_backward({.x = in.span(), .dy = dy.span(), .dx = grads.tensor(0).span(), .write = grads.write(0)},
                           grads.queue());
  });
}

Var add(Tape& tape, Var a, Var b) {
  Context& ctx = tape.context();
  check(a.value().shape() == b.value().shape(),
        fmt::format("add: shapes {} and {}", to_string(a.value().shape()), to_string(b.value().shape())));
  const OpScope op(ctx, "add", kernels::add_cost(elements_of(a.value())));
  Tensor y = ctx.empty(a.value().shape());
  kernels::add({.a = a.value().span(), .b = b.value().span(), .y = y.span()}, ctx.queue());
  return tape.record("add", {a, b}, y, [](const Tensor& dy, Grads& grads) {
    // b first and by copy, so that a may take dy's memory; a == b adds dy twice, which must not be in place.
    if (grads.wanted(1)) {
      grads.op().charge(kernels::scale_cost(elements_of(dy)));
      kernels::scale({.x = dy.span(), .y = grads.tensor(1).span(), .write = grads.write(1)}, grads.queue());
    }
    pass_on(grads, 0, dy, 1.f);
  });
}

Var scale(Tape& tape, Var x, float factor) {
  Context& ctx = tape.context();
  const OpScope op(ctx, "scale", kernels::scale_cost(elements_of(x.value())));
  Tensor y = ctx.empty(x.value().shape());
  kernels::scale({.x = x.value().span(), .factor = factor, .y = y.span()}, ctx.queue());
  return tape.record("scale", {x}, y, [factor](const Tensor& dy, Grads& grads) { pass_on(grads, 0, dy, factor); });
}

Var reshape(Tape& tape, Var x, Shape shape) {
  return tape.record("reshape", {x}, x.value().reshape(std::move(shape)),
                     [](const Tensor& dy, Grads& grads) { pass_on(grads, 0, dy, 1.f); });
}

}  // namespace kith
