#include "scan/features/turtle.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "kernels/core/check.h"
#include "kernels/elementwise.h"
#include "nn/model/initialise.h"
#include "nn/ops/ops.h"

namespace kith {
namespace {

constexpr float kLeast = std::numeric_limits<float>::min();

OptimizerConfig plain_adam() { return {.kind = OptimizerKind::adam, .weight_decay = 0}; }

// sum += factor x
void add_to(Context& ctx, const Tensor& sum, const Tensor& x, float factor, Write write = Write::add) {
  kernels::scale({.x = x.span(), .factor = factor, .y = sum.span(), .write = write}, ctx.queue());
}

// Means of the columns, on the host.
std::vector<double> column_means(Context& ctx, const Tensor& x) {
  const Tensor sums = ctx.empty({x.dim(1)});
  kernels::column_sum({.x = x.matrix(), .y = sums.span()}, ctx.queue());
  const std::vector<float> host = sums.to_host();
  std::vector<double> means;
  for (const float s : host) means.push_back(s / static_cast<double>(x.dim(0)));
  return means;
}

// [rows, columns], each row the same.
Tensor repeated(Context& ctx, std::span<const float> row, int64_t rows) {
  Tape tape(ctx, Tape::Mode::inference);
  const Var ones = tape.constant(ctx.full({rows, 1}, 1.f));
  return linear(tape, ones, tape.constant(ctx.from({static_cast<int64_t>(row.size()), 1}, row)), {}).value();
}

double dot(const Tensor& a, const Tensor& b) {
  const std::vector<float> x = a.to_host(), y = b.to_host();
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += double{x[i]} * y[i];
  return sum;
}

}  // namespace

Turtle::Turtle(Context& ctx, std::vector<int64_t> dims, int clusters, const TurtleOptions& options, uint64_t seed)
    : ctx_(ctx), dims_(std::move(dims)), clusters_(clusters), options_(options) {
  for (size_t s = 0; s < dims_.size(); ++s) {
    const Linear drawn = make_linear(ctx, dims_[s], clusters, seed, fmt::format("task_encoder.{}", s));
    const std::vector<float> weight = drawn.weight.value.to_host();
    std::vector<float> lengths;
    for (int c = 0; c < clusters; ++c) {
      double square = 0;
      for (int64_t d = 0; d < dims_[s]; ++d) square += double{weight[c * dims_[s] + d]} * weight[c * dims_[s] + d];
      lengths.push_back(static_cast<float>(std::sqrt(square)));
    }
    encoders_.push_back(
        {.weight = drawn.weight, .gain = {.value = ctx.from({clusters}, lengths), .grad = {}}, .bias = drawn.bias});
  }
  optimizer_.emplace(ctx, state().parameters, plain_adam());
}

StateView Turtle::state() {
  StateView view;
  for (size_t s = 0; s < encoders_.size(); ++s) {
    const std::string name = fmt::format("task_encoder.{}.", s);
    view.parameters.push_back({name + "weight_v", &encoders_[s].weight, true});
    view.parameters.push_back({name + "weight_g", &encoders_[s].gain, false});
    view.parameters.push_back({name + "bias", &encoders_[s].bias, false});
  }
  return view;
}

Tensor Turtle::weight(size_t space) {
  Tape tape(ctx_, Tape::Mode::inference);
  Encoder& e = encoders_[space];
  return weight_norm(tape, tape.parameter(e.weight), tape.parameter(e.gain)).value();
}

std::vector<Linear> Turtle::draw_inner(uint64_t seed, int64_t step) const {
  std::vector<Linear> inner;
  for (size_t s = 0; s < dims_.size(); ++s)
    inner.push_back(make_linear(ctx_, dims_[s], clusters_, seed, fmt::format("inner.{}.{}", step, s)));
  return inner;
}

void Turtle::train_inner(std::span<const Tensor> rows, const Tensor& labels, std::vector<Linear>& inner) const {
  StateView view;
  for (size_t s = 0; s < inner.size(); ++s) inner[s].list(view, fmt::format("inner.{}.", s));
  Optimizer optimizer(ctx_, view.parameters, plain_adam());
  const float share = 1.f / static_cast<float>(labels.dim(0));
  for (int64_t m = 0; m < options_.inner_steps; ++m) {
    Tape tape(ctx_);
    std::vector<std::pair<Var, Tensor>> gradients;
    for (size_t s = 0; s < inner.size(); ++s) {
      const Var logits = inner[s](tape, tape.constant(rows[s]));
      // Of the mean cross entropy: (softmax - labels) / rows.
      const Tensor d = softmax(tape, tape.constant(logits.value())).value();
      add_to(ctx_, d, d, share, Write::overwrite);
      add_to(ctx_, d, labels, -share);
      gradients.emplace_back(logits, d);
    }
    optimizer.zero_grad();
    tape.backward(gradients);
    optimizer.step(options_.inner_lr);
  }
}

std::optional<Turtle::Loss> Turtle::step(std::span<const Tensor> rows, std::vector<Linear>& inner, Look look) {
  check(rows.size() == encoders_.size() && inner.size() == rows.size(), "turtle: rows of every space expected");
  const int64_t n = rows[0].dim(0);
  const auto spaces = static_cast<float>(rows.size());
  Tape tape(ctx_);
  std::vector<Var> p;
  const Tensor labels = ctx_.empty({n, clusters_});
  for (size_t s = 0; s < rows.size(); ++s) {
    Encoder& e = encoders_[s];
    const Var weight = weight_norm(tape, tape.parameter(e.weight), tape.parameter(e.gain));
    p.push_back(softmax(tape, linear(tape, tape.constant(rows[s]), weight, tape.parameter(e.bias))));
    add_to(ctx_, labels, p[s].value(), 1 / spaces, s == 0 ? Write::overwrite : Write::add);
  }
  train_inner(rows, labels, inner);

  Tensor log_q;  // summed over the spaces
  for (size_t s = 0; s < rows.size(); ++s) {
    Tape still(ctx_, Tape::Mode::inference);
    const Tensor of = log_softmax(still, inner[s](still, still.constant(rows[s]))).value();
    if (s == 0)
      log_q = of;
    else
      add_to(ctx_, log_q, of, 1);
  }
  const float share = 1.f / static_cast<float>(n);
  Loss loss;
  std::vector<std::pair<Var, Tensor>> gradients;
  for (const Var& of : p) {
    const std::vector<double> mean = column_means(ctx_, of.value());
    std::vector<float> row;  // of -gamma H: gamma (log mean + 1) / rows; the 1 vanishes in the softmax
    for (const double m : mean) {
      const double log_mean = std::log(std::max(m, double{kLeast}));
      loss.entropy -= m * log_mean;
      row.push_back(static_cast<float>(options_.gamma * share * log_mean));
    }
    const Tensor d = repeated(ctx_, row, n);
    add_to(ctx_, d, log_q, -share / spaces);
    gradients.emplace_back(of, d);
  }
  optimizer_->zero_grad();
  tape.backward(gradients);
  optimizer_->step(options_.lr);
  if (look == Look::no) return std::nullopt;
  loss.prediction = -dot(labels, log_q) / static_cast<double>(n);
  return loss;
}

}  // namespace kith
