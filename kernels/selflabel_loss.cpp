#include "kernels/selflabel_loss.h"

#include <fmt/format.h>

#include "kernels/core/check.h"

namespace kith::kernels {
namespace {

void check_count(size_t found, int64_t expected, const char* what) {
  check(static_cast<int64_t>(found) == expected,
        fmt::format("selflabel_loss: {} has {} entries, expected {}", what, found, expected));
}

void check_shape(Matrix<const float> found, Matrix<const float> expected, const char* what) {
  check(found.rows == expected.rows && found.cols == expected.cols,
        fmt::format("selflabel_loss: {} is [{}, {}], expected [{}, {}]", what, found.rows, found.cols, expected.rows,
                    expected.cols));
}

void check_extents(Matrix<const float> strong) {
  check(strong.rows >= 1 && strong.cols >= 2,
        fmt::format("selflabel_loss: logits are [{}, {}], expected at least [1, 2]", strong.rows, strong.cols));
}

}  // namespace

void selflabel_loss_forward(const SelflabelLossForward<float>& a, Queue q) {
  check_extents(a.strong);
  const bool given = a.weak.data == nullptr;
  check(given != a.labels.empty(), "selflabel_loss: expected either weak or labels");
  if (!given) check_shape(a.weak, a.strong, "weak");
  check_count(a.index.size(), given ? a.strong.rows : 0, "index");
  check_count(a.target.size(), a.strong.rows, "target");
  check_count(a.weight.size(), a.strong.rows, "weight");
  check_count(a.loss.size(), 1, "loss");
  check_count(a.kept.size(), 1, "kept");
  check_count(a.seen.size(), a.seen.empty() ? 0 : a.strong.cols, "seen");
  if (q.device == Device::cuda) return cuda::selflabel_loss_forward(a, q);
  cpu::selflabel_loss_forward(a);
}

void selflabel_loss_backward(const SelflabelLossBackward<float>& a, Queue q) {
  check_extents(a.strong);
  check_shape(a.dstrong, a.strong, "dstrong");
  check_count(a.target.size(), a.strong.rows, "target");
  check_count(a.weight.size(), a.strong.rows, "weight");
  check_count(a.dloss.size(), 1, "dloss");
  if (q.device == Device::cuda) return cuda::selflabel_loss_backward(a, q);
  cpu::selflabel_loss_backward(a);
}

}  // namespace kith::kernels
