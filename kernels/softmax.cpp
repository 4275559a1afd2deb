#include "kernels/softmax.h"

#include <fmt/format.h>

#include "kernels/core/check.h"

namespace kith::kernels {
namespace {

void same_shape(const char* entry, Matrix<const float> a, Matrix<const float> b) {
  check(a.rows == b.rows && a.cols == b.cols && a.cols >= 1,
        fmt::format("{}: shapes [{}, {}] and [{}, {}]", entry, a.rows, a.cols, b.rows, b.cols));
}

}  // namespace

void softmax_backward(const SoftmaxBackward<float>& a, Queue q) {
  same_shape("softmax_backward", a.p, a.dy);
  same_shape("softmax_backward", a.p, a.dx);
  if (q.device == Device::cuda) return cuda::softmax_backward(a, q);
  cpu::softmax_backward(a);
}

void log_softmax_forward(const LogSoftmaxForward<float>& a, Queue q) {
  same_shape("log_softmax_forward", a.x, a.y);
  if (q.device == Device::cuda) return cuda::log_softmax_forward(a, q);
  cpu::log_softmax_forward(a);
}

void log_softmax_backward(const LogSoftmaxBackward<float>& a, Queue q) {
  same_shape("log_softmax_backward", a.y, a.dy);
  same_shape("log_softmax_backward", a.y, a.dx);
  if (q.device == Device::cuda) return cuda::log_softmax_backward(a, q);
  cpu::log_softmax_backward(a);
}

}  // namespace kith::kernels
