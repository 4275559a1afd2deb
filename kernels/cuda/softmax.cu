// A row to 4 to 32 lanes of a warp (core/rows.cuh); a row is read twice or three times, after the first time from L1.
// DRAM: 8 rows classes B forward, 12 rows classes B backward.
#include "kernels/cuda/core/rows.cuh"
#include "kernels/softmax.h"

namespace kith::kernels::cuda {
namespace {

__global__ void __launch_bounds__(kRowThreads)
    backward_kernel(const float* __restrict__ p, const float* __restrict__ dy, int64_t rows, int classes, int lanes,
                    float* dx, int add) {
  const int64_t row = own_row(lanes), at = row * classes;
  if (row >= rows) return;  // the lanes of a row leave together
  const Lanes l(lanes);
  float dot = 0.f;
  for (int c = l.lane; c < classes; c += l.count) dot += p[at + c] * dy[at + c];
  dot = row_sum(dot, l);
  for (int c = l.lane; c < classes; c += l.count) put(dx + at + c, p[at + c] * (dy[at + c] - dot), add);
}

__global__ void __launch_bounds__(kRowThreads)
    log_forward_kernel(const float* __restrict__ x, int64_t rows, int classes, int lanes, float* __restrict__ y) {
  const int64_t row = own_row(lanes), at = row * classes;
  if (row >= rows) return;
  const Lanes l(lanes);
  const LogSum s = log_sum(x + at, classes, l);
  const float log_total = logf(s.sum);
  // In this order: exact where x is near the maximum.
  for (int c = l.lane; c < classes; c += l.count) y[at + c] = (x[at + c] - s.max) - log_total;
}

__global__ void __launch_bounds__(kRowThreads)
    log_backward_kernel(const float* __restrict__ y, const float* __restrict__ dy, int64_t rows, int classes, int lanes,
                        float* dx, int add) {
  const int64_t row = own_row(lanes), at = row * classes;
  if (row >= rows) return;
  const Lanes l(lanes);
  float total = 0.f;
  for (int c = l.lane; c < classes; c += l.count) total += dy[at + c];
  total = row_sum(total, l);
  for (int c = l.lane; c < classes; c += l.count) put(dx + at + c, dy[at + c] - expf(y[at + c]) * total, add);
}

}  // namespace

void softmax_backward(const SoftmaxBackward<float>& a, Queue q) {
  if (a.p.rows == 0) return;
  const int lanes = lanes_for(a.p.cols);
  launch("softmax_backward", backward_kernel, shape_of_rows(a.p.rows, lanes), q, a.p.data, a.dy.data, a.p.rows,
         static_cast<int>(a.p.cols), lanes, a.dx.data, a.write == Write::add ? 1 : 0);
}

void log_softmax_forward(const LogSoftmaxForward<float>& a, Queue q) {
  if (a.x.rows == 0) return;
  const int lanes = lanes_for(a.x.cols);
  launch("log_softmax_forward", log_forward_kernel, shape_of_rows(a.x.rows, lanes), q, a.x.data, a.x.rows,
         static_cast<int>(a.x.cols), lanes, a.y.data);
}

void log_softmax_backward(const LogSoftmaxBackward<float>& a, Queue q) {
  if (a.y.rows == 0) return;
  const int lanes = lanes_for(a.y.cols);
  launch("log_softmax_backward", log_backward_kernel, shape_of_rows(a.y.rows, lanes), q, a.y.data, a.dy.data, a.y.rows,
         static_cast<int>(a.y.cols), lanes, a.dx.data, a.write == Write::add ? 1 : 0);
}

}  // namespace kith::kernels::cuda
