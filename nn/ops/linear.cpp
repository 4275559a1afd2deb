// linear        x [rows, in], weight [out, in], bias [out] -> [rows, out]
// linear_heads  the same with several weights under each other, as one product -> [heads, rows, out]
#include <fmt/format.h>

#include <algorithm>

#include "kernels/core/check.h"
#include "kernels/elementwise.h"
#include "nn/ops/ops.h"

namespace kith {
namespace {

// The products of one layer.
struct Layer {
  Tensor x, w;  // [rows, in], [out, in]

  LinearShape shape() const { return {.rows = x.dim(0), .in = x.dim(1), .out = w.dim(0)}; }

  // y = x w^T + bias; bias may be empty
  void forward(Context& ctx, const Tensor& bias, const Tensor& y) const {
    ctx.math().linear_forward(shape(), x.data(), w.data(), bias.data(), y.data());
  }
  // dx = dy w
  void backward_data(Grads& grads, const Tensor& dy, float* dx, Write write) const {
    grads.op().charge(shape().cost());
    grads.context().math().linear_backward_data(shape(), dy.data(), w.data(), dx, write);
  }
  // dw = dy^T x
  void backward_weights(Grads& grads, const Tensor& dy, float* dw, Write write) const {
    grads.op().charge(shape().cost());
    grads.context().math().linear_backward_weights(shape(), x.data(), dy.data(), dw, write);
  }
};

// db = sum of the rows of dy
void backward_bias(Grads& grads, const Tensor& dy, std::span<float> db, Write write) {
  grads.op().charge(kernels::sum_cost(static_cast<double>(dy.size())));
  kernels::column_sum({.x = dy.matrix(), .y = db, .write = write}, grads.queue());
}

void check_shapes(const Shape& x, const Shape& w, const Tensor& bias) {
  check(x.size() == 2 && w.size() == 2 && x[1] == w[1],
        fmt::format("linear: x [rows, in] and weight [out, in] expected, found {} and {}", to_string(x), to_string(w)));
  check(bias.empty() || bias.shape() == Shape{w[0]},
        fmt::format("linear: bias [{}] expected, found {}", w[0], to_string(bias.shape())));
}

// The tensors under each other: as they are where they stand so in memory (ClusterHeads' do), else a copy.
Tensor stacked(Context& ctx, std::span<const Var> parts, const Shape& shape) {
  std::vector<Tensor> tensors;
  for (const Var& part : parts) tensors.push_back(part.value());
  Tensor all = Tensor::joined(tensors, shape);
  if (!all.empty()) return all;
  all = ctx.empty(shape);
  const int64_t extent = shape[0] / static_cast<int64_t>(parts.size());
  for (size_t i = 0; i < tensors.size(); ++i) all.part(static_cast<int64_t>(i) * extent, extent).copy_from(tensors[i]);
  return all;
}

// Gradients of the inputs [first, first + heads), under each other: fill(memory, write) makes all of them at once, in
// place where they stand so in memory and are written alike. The CPU adds sums that are rounded before, as it does where
// they do not: memory changes no bit of a run.
template <class F>
void stacked_gradients(Grads& grads, int first, int heads, const Shape& shape, F fill) {
  std::vector<int> wanted;
  std::vector<Tensor> to;
  std::vector<Write> writes;
  for (int i = first; i < first + heads; ++i) {
    if (!grads.wanted(i)) continue;
    wanted.push_back(i - first);
    to.push_back(grads.tensor(i));
    writes.push_back(grads.write(i));
  }
  if (wanted.empty()) return;
  const bool alike = std::ranges::count(writes, grads.context().on_cpu() ? Write::overwrite : writes[0]) == heads;
  const Tensor whole = alike ? Tensor::joined(to, shape) : Tensor();
  if (!whole.empty()) return fill(whole, writes[0]);
  const Tensor all = grads.context().empty(shape);
  fill(all, Write::overwrite);
  const int64_t extent = shape[0] / heads;
  for (size_t i = 0; i < to.size(); ++i)
    kernels::scale({.x = all.part(wanted[i] * extent, extent).span(), .y = to[i].span(), .write = writes[i]},
                   grads.queue());
}

}  // namespace

Var linear(Tape& tape, Var x, Var weight, std::optional<Var> bias) {
  Context& ctx = tape.context();
  const Tensor b = bias ? bias->value() : Tensor();
  check_shapes(x.value().shape(), weight.value().shape(), b);
  const Layer layer{.x = x.value(), .w = weight.value()};
  const OpScope op(ctx, "linear", layer.shape().cost());
  Tensor y = ctx.empty({x.value().dim(0), weight.value().dim(0)});
  layer.forward(ctx, b, y);

  return tape.record("linear", {x, weight, bias.value_or(Var())}, y, [layer](const Tensor& dy, Grads& grads) {
    if (grads.wanted(0)) layer.backward_data(grads, dy, grads.data(0), grads.write(0));
    if (grads.wanted(1)) layer.backward_weights(grads, dy, grads.data(1), grads.write(1));
    if (grads.wanted(2)) backward_bias(grads, dy, grads.tensor(2).span(), grads.write(2));
  });
}

Var linear_heads(Tape& tape, Var x, std::span<const Var> weights, std::span<const Var> biases) {
  Context& ctx = tape.context();
  check(!weights.empty() && weights.size() == biases.size(),
        fmt::format("linear_heads: {} weights and {} biases", weights.size(), biases.size()));
  const auto heads = static_cast<int64_t>(weights.size());
  const int64_t rows = x.value().dim(0), in = x.value().dim(-1), out = weights[0].value().dim(0);
  for (int64_t h = 0; h < heads; ++h) {
    check_shapes(x.value().shape(), weights[h].value().shape(), biases[h].value());
    const int64_t found = weights[h].value().dim(0);
    check(found == out, fmt::format("linear_heads: head {} has {} outputs, head 0 has {}", h, found, out));
  }
  std::vector<Var> inputs{x};
  inputs.insert(inputs.end(), weights.begin(), weights.end());
  inputs.insert(inputs.end(), biases.begin(), biases.end());
  OpScope op(ctx, "linear_heads");
  const Layer layer{.x = x.value(), .w = stacked(ctx, weights, {heads * out, in})};
  op.charge(layer.shape().cost());
  const Tensor joint = ctx.empty({rows, heads * out});
  layer.forward(ctx, stacked(ctx, biases, {heads * out}), joint);
  Tensor y = ctx.empty({heads, rows, out});
  kernels::swap_axes({.x = joint.span(), .a = rows, .b = heads, .c = out, .y = y.span()}, ctx.queue());

  return tape.record("linear_heads", inputs, y, [layer, heads, rows, out](const Tensor& dy, Grads& grads) {
    Context& c = grads.context();
    const Tensor d = c.empty({rows, heads * out});
    kernels::swap_axes({.x = dy.span(), .a = heads, .b = rows, .c = out, .y = d.span()}, c.queue());
    if (grads.wanted(0)) layer.backward_data(grads, d, grads.data(0), grads.write(0));
    const auto count = static_cast<int>(heads);
    stacked_gradients(grads, 1, count, layer.w.shape(),
                      [&](const Tensor& dw, Write write) { layer.backward_weights(grads, d, dw.data(), write); });
    stacked_gradients(grads, 1 + count, count, {heads * out},
                      [&](const Tensor& db, Write write) { backward_bias(grads, d, db.span(), write); });
  });
}

}  // namespace kith
