#include "scan/metrics/probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernels/core/check.h"
#include "kernels/core/parallel.h"
#include "kernels/gemm.h"
#include "kernels/softmax_xent.h"
#include "scan/metrics/lbfgs.h"

namespace kith {
namespace {

using kernels::gemm;
using kernels::Op;

// Gradients are summed per chunk of rows, in chunk order, so that the number of threads changes no bit. A chunk's
// features stay in the second-level cache between the two products; on large sets the number of partial gradients is
// bounded.
constexpr int64_t kChunk = 512;
constexpr int64_t kMostChunks = 128;

void standardise(const Probe& probe, Matrix<const float> x, float* out) {
  for (int64_t i = 0; i < x.rows; ++i)
    for (int64_t j = 0; j < x.cols; ++j) out[i * x.cols + j] = (x.row(i)[j] - probe.mean[j]) * probe.inverse_std[j];
}

// Mean and inverse deviation of each column, in two passes (no cancellation).
void fit_scale(Probe& probe, Matrix<const float> x) {
  const double n = static_cast<double>(x.rows);
  std::vector<double> mean(x.cols), square(x.cols);
  for (int64_t i = 0; i < x.rows; ++i)
    for (int64_t j = 0; j < x.cols; ++j) mean[j] += x.row(i)[j];
  for (double& m : mean) m /= n;
  for (int64_t i = 0; i < x.rows; ++i)
    for (int64_t j = 0; j < x.cols; ++j) square[j] += (x.row(i)[j] - mean[j]) * (x.row(i)[j] - mean[j]);
  for (int64_t j = 0; j < x.cols; ++j) {
    if (!std::isfinite(square[j])) throw Error(fmt::format("probe: column {} of the features is not finite", j));
    const double deviation = std::sqrt(square[j] / n);
    // Below the roundoff of the column's values a deviation is noise: the column is constant.
    const bool constant = deviation <= 10 * 0x1p-24 * std::abs(mean[j]);
    probe.mean.push_back(static_cast<float>(mean[j]));
    probe.inverse_std.push_back(constant ? 1.f : static_cast<float>(1 / deviation));
  }
}

// logits [rows, classes] = x weight^T + bias
void logits_of(Matrix<const float> x, const float* weight, const float* bias, int64_t classes, float* logits) {
  for (int64_t i = 0; i < x.rows; ++i) std::copy(bias, bias + classes, logits + i * classes);
  gemm(Op::none, Op::transpose, x.rows, classes, x.cols, 1, x.data, x.cols, weight, x.cols, 1, logits, classes);
}

// The objective over standardised rows; parameters are the weights, then the biases.
class Loss {
 public:
  Loss(Matrix<const float> x, std::span<const int32_t> labels, int64_t classes, double c)
      : x_(x),
        labels_(labels),
        classes_(classes),
        penalty_(1 / (c * static_cast<double>(x.rows))),
        grain_(std::max(kChunk, ceil_div(x.rows, kMostChunks))),
        chunks_(ceil_div(x.rows, grain_)),
        theta_(parameters()),
        chunk_gradient_(static_cast<size_t>(chunks_) * parameters()),
        chunk_loss_(chunks_) {}

  size_t parameters() const { return static_cast<size_t>(classes_ * (x_.cols + 1)); }

  double operator()(std::span<const double> theta, std::span<double> gradient) {
    std::transform(theta.begin(), theta.end(), theta_.begin(), [](double v) { return static_cast<float>(v); });
    parallel_for(x_.rows, grain_, [&](int64_t begin, int64_t end) { chunk(begin, end); });

    std::fill(gradient.begin(), gradient.end(), 0.0);
    double loss = 0, norm = 0;
    for (int64_t k = 0; k < chunks_; ++k) {
      loss += chunk_loss_[k];
      const float* g = chunk_gradient_.data() + static_cast<size_t>(k) * parameters();
      for (size_t p = 0; p < parameters(); ++p) gradient[p] += g[p];
    }
    const double n = static_cast<double>(x_.rows);
    for (double& g : gradient) g /= n;
    for (size_t p = 0; p < static_cast<size_t>(classes_ * x_.cols); ++p) {
      norm += theta[p] * theta[p];
      gradient[p] += penalty_ * theta[p];
    }
    return loss / n + penalty_ / 2 * norm;
  }

 private:
  void chunk(int64_t begin, int64_t end) {
    const int64_t rows = end - begin, dim = x_.cols;
    const Matrix<const float> x{x_.row(begin).data(), rows, dim};
    const auto labels = labels_.subspan(begin, rows);
    std::vector<float> logits(static_cast<size_t>(rows * classes_)), dlogits(logits.size()), loss(rows),
        ones(rows, 1.f);
    logits_of(x, theta_.data(), theta_.data() + classes_ * dim, classes_, logits.data());
    const Matrix<const float> scores{logits.data(), rows, classes_};
    kernels::softmax_xent_forward({.logits = scores, .labels = labels, .loss = loss}, Queue{});
    kernels::softmax_xent_backward(
        {.logits = scores, .labels = labels, .dloss = ones, .dlogits = {dlogits.data(), rows, classes_}}, Queue{});

    const int64_t k = begin / grain_;
    chunk_loss_[k] = 0;
    for (const float l : loss) chunk_loss_[k] += l;
    float* gradient = chunk_gradient_.data() + static_cast<size_t>(k) * parameters();
    gemm(Op::transpose, Op::none, classes_, dim, rows, 1, dlogits.data(), classes_, x.data, dim, 0, gradient, dim);
    gemm(Op::transpose, Op::none, classes_, 1, rows, 1, dlogits.data(), classes_, ones.data(), 1, 0,
         gradient + classes_ * dim, 1);
  }

  Matrix<const float> x_;
  std::span<const int32_t> labels_;
  int64_t classes_;
  double penalty_;
  int64_t grain_, chunks_;
  std::vector<float> theta_, chunk_gradient_;
  std::vector<double> chunk_loss_;
};

}  // namespace

Probe fit_probe(Matrix<const float> features, std::span<const int32_t> labels, const ProbeOptions& options,
                int classes) {
  check(features.rows > 0 && features.cols > 0, "probe: no features");
  check(features.rows == static_cast<int64_t>(labels.size()), "probe: one label per row of features");
  check(options.c > 0, "probe: c must be positive");
  const auto [low, high] = std::minmax_element(labels.begin(), labels.end());
  check(*low >= 0, "probe: negative label");
  Probe probe;
  probe.classes = classes > 0 ? classes : *high + 1;
  check(*high < probe.classes, "probe: label beyond the number of classes");

  fit_scale(probe, features);
  std::vector<float> x(static_cast<size_t>(features.size()));
  standardise(probe, features, x.data());
  Loss loss({x.data(), features.rows, features.cols}, labels, probe.classes, options.c);
  std::vector<double> theta(loss.parameters(), 0.0);
  const LbfgsResult result = minimise([&](auto at, auto gradient) { return loss(at, gradient); }, theta,
                                      {.max_iterations = options.max_iterations, .tolerance = options.tolerance});
  const auto split = theta.begin() + probe.classes * features.cols;
  probe.weight.assign(theta.begin(), split);
  probe.bias.assign(split, theta.end());
  probe.loss = result.value;
  probe.iterations = result.iterations;
  probe.converged = result.converged;
  return probe;
}

std::vector<int32_t> predict(const Probe& probe, Matrix<const float> features) {
  check(features.cols == static_cast<int64_t>(probe.mean.size()), "probe: features of another width");
  std::vector<int32_t> classes(features.rows);
  parallel_for(features.rows, kChunk, [&](int64_t begin, int64_t end) {
    const Matrix<const float> rows{features.row(begin).data(), end - begin, features.cols};
    std::vector<float> x(static_cast<size_t>(rows.size())), logits(static_cast<size_t>(rows.rows * probe.classes));
    standardise(probe, rows, x.data());
    logits_of({x.data(), rows.rows, rows.cols}, probe.weight.data(), probe.bias.data(), probe.classes, logits.data());
    for (int64_t i = 0; i < rows.rows; ++i) {
      const auto first = logits.begin() + i * probe.classes;
      classes[begin + i] = static_cast<int32_t>(std::max_element(first, first + probe.classes) - first);
    }
  });
  return classes;
}

double probe_accuracy(Matrix<const float> train, std::span<const int32_t> train_labels, Matrix<const float> test,
                      std::span<const int32_t> test_labels, const ProbeOptions& options) {
  check(test.rows == static_cast<int64_t>(test_labels.size()), "probe: one label per row of test features");
  const std::vector<int32_t> predicted = predict(fit_probe(train, train_labels, options), test);
  int64_t hits = 0;
  for (size_t i = 0; i < predicted.size(); ++i) hits += predicted[i] == test_labels[i];
  return predicted.empty() ? 0 : static_cast<double>(hits) / static_cast<double>(predicted.size());
}

}  // namespace kith
