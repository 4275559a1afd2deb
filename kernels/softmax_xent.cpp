#include "kernels/softmax_xent.h"

#include <fmt/format.h>

#include "kernels/core/check.h"

namespace kith::kernels {
namespace {

void check_entries(size_t found, int64_t expected, const char* what) {
  check(static_cast<int64_t>(found) == expected, fmt::format("{}: {} entries, expected {}", what, found, expected));
}

void check_matrix(Matrix<const float> found, Matrix<const float> expected, const char* what) {
  check(found.rows == expected.rows && found.cols == expected.cols,
        fmt::format("{} is [{}, {}], expected [{}, {}]", what, found.rows, found.cols, expected.rows, expected.cols));
}

// The values of the labels are looked at on the CPU only; on a device a wrong one gives NaN.
void check_labels(Matrix<const float> logits, std::span<const int32_t> labels, Queue q) {
  check(logits.cols >= 1, "softmax_xent: at least one class expected");
  check_entries(labels.size(), logits.rows, "softmax_xent: labels");
  if (q.device != Device::cpu) return;
  for (int64_t i = 0; i < logits.rows; ++i) {
    if (labels[i] < 0 || labels[i] >= logits.cols) {
      throw Error(fmt::format("softmax_xent: row {} has label {}, expected 0..{}", i, labels[i], logits.cols - 1));
    }
  }
}

}  // namespace

void softmax_xent_forward(const SoftmaxXentForward<float>& a, Queue q) {
  check_labels(a.logits, a.labels, q);
  check_entries(a.loss.size(), a.logits.rows, "softmax_xent_forward: loss");
  if (q.device == Device::cuda) return cuda::softmax_xent_forward(a, q);
  cpu::softmax_xent_forward(a);
}

void softmax_xent_backward(const SoftmaxXentBackward<float>& a, Queue q) {
  check_labels(a.logits, a.labels, q);
  check_entries(a.dloss.size(), a.logits.rows, "softmax_xent_backward: dloss");
  check_matrix(a.dlogits, a.logits, "softmax_xent_backward: dlogits");
  if (q.device == Device::cuda) return cuda::softmax_xent_backward(a, q);
  cpu::softmax_xent_backward(a);
}

void softmax_rows(const SoftmaxRows<float>& a, Queue q) {
  check(a.logits.cols >= 1, "softmax_rows: at least one class expected");
  check_matrix(a.probabilities, a.logits, "softmax_rows: probabilities");
  if (q.device == Device::cuda) return cuda::softmax_rows(a, q);
  cpu::softmax_rows(a);
}

}  // namespace kith::kernels
