#include "kernels/elementwise.h"

#include <fmt/format.h>

#include "kernels/core/check.h"

namespace kith::kernels {
namespace {

void same_size(const char* entry, size_t a, size_t b) {
  check(a == b, fmt::format("{}: sizes differ, {} and {}", entry, a, b));
}

}  // namespace

void add(const Add<float>& a, Queue q) {
  same_size("add", a.a.size(), a.b.size());
  same_size("add", a.a.size(), a.y.size());
  require_cpu(q, "add");
  cpu::add(a);
}

void scale(const Scale<float>& a, Queue q) {
  same_size("scale", a.x.size(), a.y.size());
  require_cpu(q, "scale");
  cpu::scale(a);
}

void relu_forward(const ReluForward<float>& a, Queue q) {
  same_size("relu_forward", a.x.size(), a.y.size());
  require_cpu(q, "relu_forward");
  cpu::relu_forward(a);
}

void relu_backward(const ReluBackward<float>& a, Queue q) {
  same_size("relu_backward", a.y.size(), a.dy.size());
  same_size("relu_backward", a.y.size(), a.dx.size());
  require_cpu(q, "relu_backward");
  cpu::relu_backward(a);
}

void broadcast(const Broadcast<float>& a, Queue q) {
  same_size("broadcast", a.x.size(), 1);
  require_cpu(q, "broadcast");
  cpu::broadcast(a);
}

void sum(const Sum<float>& a, Queue q) {
  same_size("sum", a.y.size(), 1);
  require_cpu(q, "sum");
  cpu::sum(a);
}

void column_sum(const ColumnSum<float>& a, Queue q) {
  same_size("column_sum", static_cast<size_t>(a.x.cols), a.y.size());
  require_cpu(q, "column_sum");
  cpu::column_sum(a);
}

}  // namespace kith::kernels
