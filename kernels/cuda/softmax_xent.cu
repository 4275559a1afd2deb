// One warp per row, the classes over its lanes. Forward reads the logits once (a running maximum and sum), backward twice,
// the second time from L1. DRAM: 4 rows classes B forward, 8 rows classes B backward.
#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/core/reduce.cuh"
#include "kernels/softmax_xent.h"

namespace kith::kernels::cuda {
namespace {

constexpr int kWarps = 4;

__device__ __forceinline__ float row_log_sum_exp(const float* logits, int classes, int lane) {
  LogSum acc;
  for (int c = lane; c < classes; c += kWarp) acc.add(logits[c]);
  return warp_merge(acc).log_sum_exp();
}

__global__ void __launch_bounds__(kWarps* kWarp)
    forward_kernel(const float* __restrict__ logits, const int32_t* __restrict__ labels, int64_t rows, int classes,
                   float* __restrict__ loss) {
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  if (row >= rows) return;
  const float lse = row_log_sum_exp(logits + row * classes, classes, lane);
  if (lane == 0) loss[row] = lse - logits[row * classes + labels[row]];
}

__global__ void __launch_bounds__(kWarps* kWarp)
    backward_kernel(const float* __restrict__ logits, const int32_t* __restrict__ labels,
                    const float* __restrict__ dloss, int64_t rows, int classes, float* __restrict__ dlogits, int add) {
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  if (row >= rows) return;
  const float lse = row_log_sum_exp(logits + row * classes, classes, lane);
  const float g = dloss[row];
  const int label = labels[row];
  for (int c = lane; c < classes; c += kWarp) {
    const float p = expf(logits[row * classes + c] - lse);
    put(dlogits + row * classes + c, g * (p - (c == label ? 1.f : 0.f)), add);
  }
}

__global__ void __launch_bounds__(kWarps* kWarp)
    rows_kernel(const float* __restrict__ logits, int64_t rows, int classes, float* __restrict__ probabilities) {
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  if (row >= rows) return;
  const float lse = row_log_sum_exp(logits + row * classes, classes, lane);
  for (int c = lane; c < classes; c += kWarp) probabilities[row * classes + c] = expf(logits[row * classes + c] - lse);
}

LaunchShape one_warp_per_row(int64_t rows) {
  return {.grid = dim3(static_cast<unsigned>(ceil_div(rows, kWarps))), .block = dim3(kWarps * kWarp)};
}

}  // namespace

void softmax_xent_forward(const SoftmaxXentForward<float>& a, Queue q) {
  if (a.logits.rows == 0) return;
  launch("softmax_xent_forward", forward_kernel, one_warp_per_row(a.logits.rows), q, a.logits.data, a.labels.data(),
         a.logits.rows, static_cast<int>(a.logits.cols), a.loss.data());
}

void softmax_xent_backward(const SoftmaxXentBackward<float>& a, Queue q) {
  if (a.logits.rows == 0) return;
  launch("softmax_xent_backward", backward_kernel, one_warp_per_row(a.logits.rows), q, a.logits.data, a.labels.data(),
         a.dloss.data(), a.logits.rows, static_cast<int>(a.logits.cols), a.dlogits.data, a.write == Write::add ? 1 : 0);
}

void softmax_rows(const SoftmaxRows<float>& a, Queue q) {
  if (a.logits.rows == 0) return;
  launch("softmax_rows", rows_kernel, one_warp_per_row(a.logits.rows), q, a.logits.data, a.logits.rows,
         static_cast<int>(a.logits.cols), a.probabilities.data);
}

}  // namespace kith::kernels::cuda
