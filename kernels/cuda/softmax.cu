// One warp per row, the classes over its lanes; a row is read twice or three times, after the first time from L1.
// DRAM: 8 rows classes B forward, 12 rows classes B backward.
#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/core/reduce.cuh"
#include "kernels/softmax.h"

namespace kith::kernels::cuda {
namespace {

constexpr int kWarps = 4;

__global__ void __launch_bounds__(kWarps* kWarp)
    backward_kernel(const float* __restrict__ p, const float* __restrict__ dy, int64_t rows, int classes, float* dx,
                    int add) {
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp, at = row * classes;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  if (row >= rows) return;
  float dot = 0.f;
  for (int c = lane; c < classes; c += kWarp) dot += p[at + c] * dy[at + c];
  dot = warp_sum(dot);
  for (int c = lane; c < classes; c += kWarp) put(dx + at + c, p[at + c] * (dy[at + c] - dot), add);
}

__global__ void __launch_bounds__(kWarps* kWarp)
    log_forward_kernel(const float* __restrict__ x, int64_t rows, int classes, float* __restrict__ y) {
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp, at = row * classes;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  if (row >= rows) return;
  LogSum acc;
  for (int c = lane; c < classes; c += kWarp) acc.add(x[at + c]);
  acc = warp_merge(acc);
  const float log_total = logf(acc.sum);
  // In this order: exact where x is near the maximum.
  for (int c = lane; c < classes; c += kWarp) y[at + c] = (x[at + c] - acc.max) - log_total;
}

__global__ void __launch_bounds__(kWarps* kWarp)
    log_backward_kernel(const float* __restrict__ y, const float* __restrict__ dy, int64_t rows, int classes, float* dx,
                        int add) {
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp, at = row * classes;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  if (row >= rows) return;
  float total = 0.f;
  for (int c = lane; c < classes; c += kWarp) total += dy[at + c];
  total = warp_sum(total);
  for (int c = lane; c < classes; c += kWarp) put(dx + at + c, dy[at + c] - expf(y[at + c]) * total, add);
}

LaunchShape one_warp_per_row(int64_t rows) {
  return {.grid = dim3(static_cast<unsigned>(ceil_div(rows, kWarps))), .block = dim3(kWarps * kWarp)};
}

}  // namespace

void softmax_backward(const SoftmaxBackward<float>& a, Queue q) {
  if (a.p.rows == 0) return;
  launch("softmax_backward", backward_kernel, one_warp_per_row(a.p.rows), q, a.p.data, a.dy.data, a.p.rows,
         static_cast<int>(a.p.cols), a.dx.data, a.write == Write::add ? 1 : 0);
}

void log_softmax_forward(const LogSoftmaxForward<float>& a, Queue q) {
  if (a.x.rows == 0) return;
  launch("log_softmax_forward", log_forward_kernel, one_warp_per_row(a.x.rows), q, a.x.data, a.x.rows,
         static_cast<int>(a.x.cols), a.y.data);
}

void log_softmax_backward(const LogSoftmaxBackward<float>& a, Queue q) {
  if (a.y.rows == 0) return;
  launch("log_softmax_backward", log_backward_kernel, one_warp_per_row(a.y.rows), q, a.y.data, a.dy.data, a.y.rows,
         static_cast<int>(a.y.cols), a.dx.data, a.write == Write::add ? 1 : 0);
}

}  // namespace kith::kernels::cuda
