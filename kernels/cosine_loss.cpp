#include "kernels/cosine_loss.h"

#include <fmt/format.h>

#include "kernels/core/check.h"

namespace kith::kernels {
namespace {

template <class A>
void check_pair(const A& a, size_t losses, const char* what) {
  check(a.x.rows == a.y.rows && a.x.cols == a.y.cols && a.x.cols >= 1,
        fmt::format("{}: predictions [{}, {}], targets [{}, {}]; one shape expected", what, a.x.rows, a.x.cols,
                    a.y.rows, a.y.cols));
  check(static_cast<int64_t>(losses) == a.x.rows, fmt::format("{}: {} losses for {} rows", what, losses, a.x.rows));
}

}  // namespace

void cosine_loss_forward(const CosineLossForward<float>& a, Queue q) {
  check_pair(a, a.loss.size(), "cosine_loss_forward");
  if (q.device == Device::cuda) return cuda::cosine_loss_forward(a, q);
  cpu::cosine_loss_forward(a);
}

void cosine_loss_backward(const CosineLossBackward<float>& a, Queue q) {
  check_pair(a, a.dloss.size(), "cosine_loss_backward");
  check(
      a.dx.rows == a.x.rows && a.dx.cols == a.x.cols,
      fmt::format("cosine_loss_backward: dx is [{}, {}], expected [{}, {}]", a.dx.rows, a.dx.cols, a.x.rows, a.x.cols));
  if (q.device == Device::cuda) return cuda::cosine_loss_backward(a, q);
  cpu::cosine_loss_backward(a);
}

}  // namespace kith::kernels
