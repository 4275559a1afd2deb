#include "kernels/batch_norm.h"

#include <fmt/format.h>

#include "kernels/core/check.h"

namespace kith::kernels {
namespace {

void expect_channels(std::span<const float> v, int64_t channels, std::string_view what) {
  check(static_cast<int64_t>(v.size()) == channels,
        fmt::format("batch_norm: {} has {} elements, expected {} channels", what, v.size(), channels));
}

void expect_like(Matrix<const float> m, Matrix<const float> x, std::string_view what) {
  check(m.rows == x.rows && m.cols == x.cols,
        fmt::format("batch_norm: {} is [{}, {}], expected [{}, {}]", what, m.rows, m.cols, x.rows, x.cols));
}

}  // namespace

void batch_norm_forward(const BatchNormForward<float>& a, Queue q) {
  expect_channels(a.gamma, a.x.cols, "gamma");
  expect_channels(a.beta, a.x.cols, "beta");
  expect_like(a.y, a.x, "y");
  if (a.train) {
    check(a.x.rows >= 2, fmt::format("batch_norm: train mode needs at least 2 rows, found {}", a.x.rows));
    expect_channels(a.mean, a.x.cols, "mean");
    expect_channels(a.invstd, a.x.cols, "invstd");
  }
  if (!a.train || !a.running_mean.empty()) expect_channels(a.running_mean, a.x.cols, "running_mean");
  if (!a.train || !a.running_var.empty()) expect_channels(a.running_var, a.x.cols, "running_var");
  if (q.device == Device::cuda) return cuda::batch_norm_forward(a, q);
  cpu::batch_norm_forward(a);
}

void batch_norm_backward(const BatchNormBackward<float>& a, Queue q) {
  check(a.x.rows >= 1, "batch_norm: backward without rows");
  expect_like(a.dy, a.x, "dy");
  expect_channels(a.gamma, a.x.cols, "gamma");
  expect_channels(a.mean, a.x.cols, "mean");
  expect_channels(a.invstd, a.x.cols, "invstd");
  if (!a.dgamma.empty()) expect_channels(a.dgamma, a.x.cols, "dgamma");
  if (!a.dbeta.empty()) expect_channels(a.dbeta, a.x.cols, "dbeta");
  if (a.dx.data) expect_like(a.dx, a.x, "dx");
  if (a.relu && a.y.data) expect_like(a.y, a.x, "y");
  if (a.relu && !a.y.data) {
    check(!a.dresidual, "batch_norm: backward of ReLU with a residual needs y");
    expect_channels(a.beta, a.x.cols, "beta (without y)");
  }
  if (q.device == Device::cuda) return cuda::batch_norm_backward(a, q);
  cpu::batch_norm_backward(a);
}

}  // namespace kith::kernels
