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

void check_gain(int64_t rows, size_t gains, const char* what) {
  check(static_cast<int64_t>(gains) == rows, fmt::format("{}: {} gains for {} rows", what, gains, rows));
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

void weight_norm_forward(const WeightNormForward<float>& a, Queue q) {
  check_same(a.v.rows, a.v.cols, a.w, a.norm.size(), "weight_norm_forward");
  check_gain(a.v.rows, a.gain.size(), "weight_norm_forward");
  if (q.device == Device::cuda) return cuda::weight_norm_forward(a, q);
  cpu::weight_norm_forward(a);
}

void weight_norm_backward(const WeightNormBackward<float>& a, Queue q) {
  check_same(a.v.rows, a.v.cols, a.dw, a.norm.size(), "weight_norm_backward");
  if (a.dv.data != nullptr) check_same(a.v.rows, a.v.cols, a.dv, a.norm.size(), "weight_norm_backward");
  check_gain(a.v.rows, a.gain.size(), "weight_norm_backward");
  if (!a.dgain.empty()) check_gain(a.v.rows, a.dgain.size(), "weight_norm_backward: gradient");
  if (a.dv.data == nullptr && a.dgain.empty()) return;
  if (q.device == Device::cuda) return cuda::weight_norm_backward(a, q);
  cpu::weight_norm_backward(a);
}

}  // namespace kith::kernels
