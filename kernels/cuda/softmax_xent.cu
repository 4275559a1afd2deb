// A row to 4 to 32 lanes of a warp (core/rows.cuh). Logits are read for the maximum and again, from L1, for what follows it.
// DRAM: 4 rows classes B forward, 8 rows classes B backward.
#include "kernels/cuda/core/rows.cuh"
#include "kernels/softmax_xent.h"

namespace kith::kernels::cuda {
namespace {

// Where `label` is no class nothing beyond the row is read.
__device__ __forceinline__ bool is_class(int label, int classes) { return label >= 0 && label < classes; }

__global__ void __launch_bounds__(kRowThreads)
    forward_kernel(const float* __restrict__ logits, const int32_t* __restrict__ labels, int64_t rows, int classes,
                   int lanes, float* __restrict__ loss) {
  const int64_t row = own_row(lanes);
  if (row >= rows) return;  // the lanes of a row leave together
  const Lanes l(lanes);
  const float* own = logits + row * classes;
  const LogSum s = log_sum(own, classes, l);
  if (l.lane != 0) return;
  const int label = labels[row];
  // (max - x_label) first: exact when they are equal, and the logarithm of a sum >= 1 then loses nothing.
  loss[row] = is_class(label, classes) ? (s.max - own[label]) + logf(s.sum) : NAN;
}

__global__ void __launch_bounds__(kRowThreads)
    backward_kernel(const float* __restrict__ logits, const int32_t* __restrict__ labels,
                    const float* __restrict__ dloss, int64_t rows, int classes, int lanes, float* __restrict__ dlogits,
                    int add) {
  const int64_t row = own_row(lanes), at = row * classes;
  if (row >= rows) return;
  const Lanes l(lanes);
  const LogSum s = log_sum(logits + at, classes, l);
  const int label = labels[row];
  const float g = is_class(label, classes) ? dloss[row] : NAN, share = 1.f / s.sum;
  for (int c = l.lane; c < classes; c += l.count) {
    const float p = expf(logits[at + c] - s.max) * share;
    put(dlogits + at + c, g * (p - (c == label ? 1.f : 0.f)), add);
  }
}

__global__ void __launch_bounds__(kRowThreads) rows_kernel(const float* __restrict__ logits, int64_t rows, int classes,
                                                           int lanes, float* __restrict__ probabilities) {
  const int64_t row = own_row(lanes), at = row * classes;
  if (row >= rows) return;
  const Lanes l(lanes);
  const LogSum s = log_sum(logits + at, classes, l);
  const float share = 1.f / s.sum;
  for (int c = l.lane; c < classes; c += l.count) probabilities[at + c] = expf(logits[at + c] - s.max) * share;
}

}  // namespace

void softmax_xent_forward(const SoftmaxXentForward<float>& a, Queue q) {
  if (a.logits.rows == 0) return;
  const int lanes = lanes_for(a.logits.cols);
  launch("softmax_xent_forward", forward_kernel, shape_of_rows(a.logits.rows, lanes), q, a.logits.data, a.labels.data(),
         a.logits.rows, static_cast<int>(a.logits.cols), lanes, a.loss.data());
}

void softmax_xent_backward(const SoftmaxXentBackward<float>& a, Queue q) {
  if (a.logits.rows == 0) return;
  const int lanes = lanes_for(a.logits.cols);
  launch("softmax_xent_backward", backward_kernel, shape_of_rows(a.logits.rows, lanes), q, a.logits.data,
         a.labels.data(), a.dloss.data(), a.logits.rows, static_cast<int>(a.logits.cols), lanes, a.dlogits.data,
         a.write == Write::add ? 1 : 0);
}

void softmax_rows(const SoftmaxRows<float>& a, Queue q) {
  if (a.logits.rows == 0) return;
  const int lanes = lanes_for(a.logits.cols);
  launch("softmax_rows", rows_kernel, shape_of_rows(a.logits.rows, lanes), q, a.logits.data, a.logits.rows,
         static_cast<int>(a.logits.cols), lanes, a.probabilities.data);
}

}  // namespace kith::kernels::cuda
