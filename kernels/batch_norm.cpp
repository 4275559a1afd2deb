#include "kernels/batch_norm.h"

#include <fmt/format.h>

#include "kernels/core/check.h"

namespace kith::kernels {
namespace {

void expect_channels(std::span<const float> v, int64_t channels, std::string_view what) {
  check(static_cast<int64_t>(v.size()) == channels,
        fmt::format("batch_norm: {} has {} elements, expected {} channels", what, v.size(), channels));
}

template <class A>
void expect_like(Matrix<const A> m, Matrix<const A> x, std::string_view what) {
  check(m.rows == x.rows && m.cols == x.cols,
        fmt::format("batch_norm: {} is [{}, {}], expected [{}, {}]", what, m.rows, m.cols, x.rows, x.cols));
}

template <class A>
void expect_mask(std::span<const uint32_t> mask, Matrix<const A> x) {
  const int64_t words = batch_norm_mask_words(x.rows, x.cols);
  check(mask.empty() || static_cast<int64_t>(mask.size()) == words,
        fmt::format("batch_norm: mask has {} words, expected {} for [{}, {}]", mask.size(), words, x.rows, x.cols));
}

template <class A>
void validate(const BatchNormForward<float, A>& a) {
  expect_channels(a.gamma, a.x.cols, "gamma");
  expect_channels(a.beta, a.x.cols, "beta");
  expect_like<A>(a.y, a.x, "y");
  if (a.train) {
    check(a.again || a.whole != nullptr || a.x.rows >= 2,
          fmt::format("batch_norm: train mode needs at least 2 rows, found {}", a.x.rows));
    expect_channels(a.mean, a.x.cols, "mean");
    expect_channels(a.invstd, a.x.cols, "invstd");
  }
  check(a.train || !a.again, "batch_norm: again is of train mode");
  if (!a.train || !a.running_mean.empty()) expect_channels(a.running_mean, a.x.cols, "running_mean");
  if (!a.train || !a.running_var.empty()) expect_channels(a.running_var, a.x.cols, "running_var");
  check(a.mask.empty() || a.relu, "batch_norm: a mask without relu");
  expect_mask(a.mask, a.x);
}

template <class A>
void validate(const BatchNormBackward<float, A>& a) {
  check(a.whole != nullptr || a.x.rows >= 1, "batch_norm: backward without rows");
  expect_like(a.dy, a.x, "dy");
  expect_channels(a.gamma, a.x.cols, "gamma");
  expect_channels(a.mean, a.x.cols, "mean");
  expect_channels(a.invstd, a.x.cols, "invstd");
  if (!a.dgamma.empty()) expect_channels(a.dgamma, a.x.cols, "dgamma");
  if (!a.dbeta.empty()) expect_channels(a.dbeta, a.x.cols, "dbeta");
  if (a.dx.data) expect_like<A>(a.dx, a.x, "dx");
  expect_mask(a.mask, a.x);
  if (a.relu && a.y.data) expect_like(a.y, a.x, "y");
  if (a.relu && !a.y.data && a.mask.empty()) {
    check(!a.dresidual, "batch_norm: backward of ReLU with a residual needs y or its mask");
    expect_channels(a.beta, a.x.cols, "beta (without y)");
  }
}

void expect_cpu(const BatchNormWhole* whole, Queue q) {
  if (whole != nullptr) require_cpu(q, "batch_norm of a share of a batch");
}

template <class A>
void forward(const BatchNormForward<float, A>& a, Queue q) {
  validate(a);
  expect_cpu(a.whole, q);
  if (q.device == Device::cuda) return cuda::batch_norm_forward(a, q);
  cpu::batch_norm_forward(a);
}

template <class A>
void backward(const BatchNormBackward<float, A>& a, Queue q) {
  validate(a);
  expect_cpu(a.whole, q);
  if (q.device == Device::cuda) return cuda::batch_norm_backward(a, q);
  cpu::batch_norm_backward(a);
}

}  // namespace

void batch_norm_merge(int64_t before, std::span<double> mean, std::span<double> squares, int64_t here,
                      std::span<const double> mean_here, std::span<const double> squares_here) {
  if (here == 0) return;
  const double all = static_cast<double>(before + here), step = static_cast<double>(here) / all;
  const double spread = static_cast<double>(before) * static_cast<double>(here) / all;
  for (size_t c = 0; c < mean.size(); ++c) {
    const double delta = mean_here[c] - mean[c];
    mean[c] += delta * step;
    squares[c] += squares_here[c] + delta * delta * spread;
  }
}

void batch_norm_forward(const BatchNormForward<float>& a, Queue q) { forward(a, q); }
void batch_norm_forward(const BatchNormForward<float, bf16>& a, Queue q) { forward(a, q); }
void batch_norm_backward(const BatchNormBackward<float>& a, Queue q) { backward(a, q); }
void batch_norm_backward(const BatchNormBackward<float, bf16>& a, Queue q) { backward(a, q); }

}  // namespace kith::kernels
