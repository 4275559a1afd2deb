// linear        x [rows, in], weight [out, in], bias [out] -> [rows, out]
// linear_heads  the same with several weights at once, as one product -> [heads, rows, out]
#include <fmt/format.h>

#include <algorithm>

#include "kernels/core/check.h"
#include "kernels/cpu/gemm.h"
#include "kernels/elementwise.h"
#include "nn/ops/ops.h"

namespace kith {
namespace {

using kernels::cpu::gemm;
using kernels::cpu::Op;

float beta_of(Write write) { return write == Write::add ? 1.f : 0.f; }

// y = x w^T + bias
void product(Matrix<const float> x, Matrix<const float> w, std::span<const float> bias, Matrix<float> y) {
  for (int64_t r = 0; r < y.rows && !bias.empty(); ++r) std::ranges::copy(bias, y.data + r * y.cols);
  gemm(Op::none, Op::transpose, y.rows, y.cols, x.cols, 1.f, x.data, x.cols, w.data, w.cols, bias.empty() ? 0.f : 1.f,
       y.data, y.cols);
}

// dx = dy w
void product_dx(Matrix<const float> dy, Matrix<const float> w, float* dx, Write write) {
  gemm(Op::none, Op::none, dy.rows, w.cols, dy.cols, 1.f, dy.data, dy.cols, w.data, w.cols, beta_of(write), dx, w.cols);
}

// dw = dy^T x
void product_dw(Matrix<const float> dy, Matrix<const float> x, float* dw, Write write) {
  gemm(Op::transpose, Op::none, dy.cols, x.cols, dy.rows, 1.f, dy.data, dy.cols, x.data, x.cols, beta_of(write), dw,
       x.cols);
}

void check_shapes(const Shape& x, const Shape& w, const Tensor& bias) {
  check(x.size() == 2 && w.size() == 2 && x[1] == w[1],
        fmt::format("linear: x [rows, in] and weight [out, in] expected, found {} and {}", to_string(x), to_string(w)));
  check(bias.empty() || bias.shape() == Shape{w[0]},
        fmt::format("linear: bias [{}] expected, found {}", w[0], to_string(bias.shape())));
}

// [heads, rows, out] <-> [rows, heads * out]
void heads_first(const float* rows_first, int64_t heads, int64_t rows, int64_t out, float* y) {
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t r = 0; r < rows; ++r) std::copy_n(rows_first + (r * heads + h) * out, out, y + (h * rows + r) * out);
}
void rows_first(const float* heads_first, int64_t heads, int64_t rows, int64_t out, float* y) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t h = 0; h < heads; ++h) std::copy_n(heads_first + (h * rows + r) * out, out, y + (r * heads + h) * out);
}

// Gradient of one head's parameter from its share of the joint gradient.
void hand_over(Grads& grads, int input, std::span<const float> share) {
  if (!grads.wanted(input)) return;
  const std::span<float> to = grads.tensor(input).span();
  kernels::scale({.x = share, .y = to, .write = grads.write(input)}, grads.queue());
}

// On a device each head is a product of its own: its weight, its bias and its share of y are where they should be.
struct DeviceLinear {
  Tensor x;
  std::vector<Tensor> weights;
  LinearShape shape;

  void forward(Context& ctx, int64_t head, const float* bias, float* y) const {
    ctx.math().linear_forward(shape, x.data(), weights[head].data(), bias, y, Activation::none);
  }
  // Inputs of the node: x, the weights, the biases.
  void backward(const float* dy, int64_t head, Grads& grads) const {
    const auto heads = static_cast<int>(weights.size()), h = static_cast<int>(head);
    DeviceMath& math = grads.context().math();
    if (grads.wanted(0)) math.linear_backward_data(shape, dy, weights[head].data(), grads.data(0), grads.write(0));
    if (grads.wanted(1 + h)) math.linear_backward_weights(shape, x.data(), dy, grads.data(1 + h), grads.write(1 + h));
    if (!grads.wanted(1 + heads + h)) return;
    kernels::column_sum({.x = {dy, shape.rows, shape.out},
                         .y = grads.tensor(1 + heads + h).span(),
                         .write = grads.write(1 + heads + h)},
                        grads.queue());
  }
};

}  // namespace

Var linear(Tape& tape, Var x, Var weight, std::optional<Var> bias) {
  Context& ctx = tape.context();
  const Tensor b = bias ? bias->value() : Tensor();
  check_shapes(x.value().shape(), weight.value().shape(), b);
  Tensor y = ctx.empty({x.value().dim(0), weight.value().dim(0)});
  if (!ctx.on_cpu()) {
    const DeviceLinear layer{.x = x.value(),
                             .weights = {weight.value()},
                             .shape = {.rows = y.dim(0), .in = x.value().dim(1), .out = y.dim(1)}};
    layer.forward(ctx, 0, b.data(), y.data());
    return tape.record("linear", {x, weight, bias.value_or(Var())}, y,
                       [layer](const Tensor& dy, Grads& grads) { layer.backward(dy.data(), 0, grads); });
  }
  product(x.value().matrix(), weight.value().matrix(), b.span(), y.matrix());

  return tape.record("linear", {x, weight, bias.value_or(Var())}, y,
                     [xv = x.value(), wv = weight.value()](const Tensor& dy, Grads& grads) {
                       if (grads.wanted(0)) product_dx(dy.matrix(), wv.matrix(), grads.data(0), grads.write(0));
                       if (grads.wanted(1)) product_dw(dy.matrix(), xv.matrix(), grads.data(1), grads.write(1));
                       if (grads.wanted(2))
                         kernels::column_sum({.x = dy.matrix(), .y = grads.tensor(2).span(), .write = grads.write(2)},
                                             grads.queue());
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
  Tensor y = ctx.empty({heads, rows, out});
  if (!ctx.on_cpu()) {
    DeviceLinear layer{.x = x.value(), .weights = {}, .shape = {.rows = rows, .in = in, .out = out}};
    for (const Var& weight : weights) layer.weights.push_back(weight.value());
    for (int64_t h = 0; h < heads; ++h) layer.forward(ctx, h, biases[h].value().data(), y.data() + h * rows * out);
    return tape.record("linear_heads", inputs, y, [layer, heads, rows, out](const Tensor& dy, Grads& grads) {
      for (int64_t h = 0; h < heads; ++h) layer.backward(dy.data() + h * rows * out, h, grads);
    });
  }

  Tensor w = ctx.empty({heads * out, in}), b = ctx.empty({heads * out});
  for (int64_t h = 0; h < heads; ++h) {
    std::ranges::copy(weights[h].value().span(), w.data() + h * out * in);
    std::ranges::copy(biases[h].value().span(), b.data() + h * out);
  }
  Tensor joint = ctx.empty({rows, heads * out});
  product(x.value().matrix(), w.matrix(), b.span(), joint.matrix());
  heads_first(joint.data(), heads, rows, out, y.data());

  return tape.record(
      "linear_heads", inputs, y, [xv = x.value(), w, heads, rows, in, out](const Tensor& dy, Grads& grads) {
        Context& c = grads.context();
        Tensor d = c.empty({rows, heads * out}), dw = c.empty({heads * out, in}), db = c.empty({heads * out});
        rows_first(dy.data(), heads, rows, out, d.data());
        if (grads.wanted(0)) product_dx(d.matrix(), w.matrix(), grads.data(0), grads.write(0));
        product_dw(d.matrix(), xv.matrix(), dw.data(), Write::overwrite);
        kernels::column_sum({.x = d.matrix(), .y = db.span()}, grads.queue());
        for (int64_t h = 0; h < heads; ++h) {
          hand_over(grads, static_cast<int>(1 + h), dw.span().subspan(h * out * in, out * in));
          hand_over(grads, static_cast<int>(1 + heads + h), db.span().subspan(h * out, out));
        }
      });
}

}  // namespace kith
