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
  if (q.device == Device::cuda) return cuda::add(a, q);
  cpu::add(a);
}

void scale(const Scale<float>& a, Queue q) {
  same_size("scale", a.x.size(), a.y.size());
  if (q.device == Device::cuda) return cuda::scale(a, q);
  cpu::scale(a);
}

void relu_forward(const ReluForward<float>& a, Queue q) {
  same_size("relu_forward", a.x.size(), a.y.size());
  if (q.device == Device::cuda) return cuda::relu_forward(a, q);
  cpu::relu_forward(a);
}

void relu_backward(const ReluBackward<float>& a, Queue q) {
  same_size("relu_backward", a.y.size(), a.dy.size());
  same_size("relu_backward", a.y.size(), a.dx.size());
  if (q.device == Device::cuda) return cuda::relu_backward(a, q);
  cpu::relu_backward(a);
}

void gelu_forward(const GeluForward<float>& a, Queue q) {
  same_size("gelu_forward", a.x.size(), a.y.size());
  if (q.device == Device::cuda) return cuda::gelu_forward(a, q);
  cpu::gelu_forward(a);
}

void gelu_backward(const GeluBackward<float>& a, Queue q) {
  same_size("gelu_backward", a.x.size(), a.dy.size());
  same_size("gelu_backward", a.x.size(), a.dx.size());
  if (q.device == Device::cuda) return cuda::gelu_backward(a, q);
  cpu::gelu_backward(a);
}

void broadcast(const Broadcast<float>& a, Queue q) {
  same_size("broadcast", a.x.size(), 1);
  if (q.device == Device::cuda) return cuda::broadcast(a, q);
  cpu::broadcast(a);
}

void sum(const Sum<float>& a, Queue q) {
  same_size("sum", a.y.size(), 1);
  if (q.device == Device::cuda) return cuda::sum(a, q);
  cpu::sum(a);
}

void column_sum(const ColumnSum<float>& a, Queue q) {
  same_size("column_sum", static_cast<size_t>(a.x.cols), a.y.size());
  if (q.device == Device::cuda) return cuda::column_sum(a, q);
  cpu::column_sum(a);
}

void gather_rows(const GatherRows<float>& a, Queue q) {
  check(a.y.rows == static_cast<int64_t>(a.index.size()) && a.y.cols == a.x.cols,
        fmt::format("gather_rows: y is [{}, {}], expected [{}, {}]", a.y.rows, a.y.cols, a.index.size(), a.x.cols));
  if (q.device == Device::cuda) return cuda::gather_rows(a, q);
  for (const int64_t i : a.index) check(i >= 0 && i < a.x.rows, fmt::format("gather_rows: row {} of {}", i, a.x.rows));
  cpu::gather_rows(a);
}

void swap_axes(const SwapAxes<float>& a, Queue q) {
  check(a.a >= 0 && a.b >= 0 && a.c >= 0, fmt::format("swap_axes: [{}, {}, {}]", a.a, a.b, a.c));
  same_size("swap_axes", a.x.size(), static_cast<size_t>(a.a * a.b * a.c));
  same_size("swap_axes", a.x.size(), a.y.size());
  if (q.device == Device::cuda) return cuda::swap_axes(a, q);
  cpu::swap_axes(a);
}

void to_bf16(const ToBf16& a, Queue q) {
  same_size("to_bf16", a.x.size(), a.y.size());
  if (q.device == Device::cuda) return cuda::to_bf16(a, q);
  cpu::to_bf16(a);
}

void to_f32(const ToF32& a, Queue q) {
  same_size("to_f32", a.x.size(), a.y.size());
  if (q.device == Device::cuda) return cuda::to_f32(a, q);
  cpu::to_f32(a);
}

}  // namespace kith::kernels
