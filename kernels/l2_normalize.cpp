#include "kernels/l2_normalize.h"

#include <fmt/format.h>

#include "kernels/core/check.h"

namespace kith::kernels {
namespace {

void check_same(int64_t rows, int64_t cols, Matrix<const float> m, size_t norms, const char* what) {
  check(m.rows == rows && m.cols == cols,
        fmt::format("{}: output is [{}, {}], expected [{}, {}]", what, m.rows, m.cols, rows, cols));
  check(static_cast<int64_t>(norms) == rows, fmt::format("{}: norm has {} entries, expected {}", what, norms, rows));
}

}  // namespace

void l2_normalize_forward(const L2NormalizeForward<float>& a, Queue q) {
  check_same(a.x.rows, a.x.cols, a.y, a.norm.size(), "l2_normalize_forward");
  if (q.device == Device::cuda) return cuda::l2_normalize_forward(a, q);
  cpu::l2_normalize_forward(a);
}

void l2_normalize_backward(const L2NormalizeBackward<float>& a, Queue q) {
  check_same(a.y.rows, a.y.cols, a.dy, a.norm.size(), "l2_normalize_backward");
  check_same(a.y.rows, a.y.cols, a.dx, a.norm.size(), "l2_normalize_backward");
  if (q.device == Device::cuda) return cuda::l2_normalize_backward(a, q);
  cpu::l2_normalize_backward(a);
}

}  // namespace kith::kernels
