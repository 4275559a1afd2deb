// Lanes own channels (32 neighbours: one 128-byte request per row), the warps of a block own rows; grid.x covers the
// channels, grid.y the rows in chunks. Train forward: a pass of shifted sums per chunk (the shift is the tensor's first row,
// so a large mean cancels nothing), a small launch that joins the chunks in f64 in their order, a pass that applies.
// Backward: a pass of sums, the same small launch, a pass that applies; it reads y only for the sign under ReLU.
// Everything is a fixed order of additions: the same bits in every run.
// DRAM per element: forward 12 B (x twice, y), 4 more with a residual; backward 20 B (x and dy twice, dx), y twice more
// with ReLU, dresidual once.
#include <algorithm>

#include "kernels/batch_norm.h"
#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/core/reduce.cuh"
#include "kernels/cuda/core/scratch.cuh"

namespace kith::kernels::cuda {
namespace {

constexpr int kWarps = 8;
constexpr int kThreads = kWarps * kWarp;
constexpr int kBlocks = 1056;  // of a pass: 8 blocks on each of 132 multiprocessors

struct Geometry {
  int64_t rows, chunk_rows;
  int channels, column_blocks, chunks;

  explicit Geometry(Matrix<const float> x)
      : rows(x.rows), channels(static_cast<int>(x.cols)), column_blocks(static_cast<int>(ceil_div(x.cols, kWarp))) {
    const int64_t wanted = std::max<int64_t>(1, kBlocks / column_blocks);
    chunk_rows = std::max<int64_t>(kWarps, ceil_div(ceil_div(rows, wanted), kWarps) * kWarps);
    chunks = static_cast<int>(ceil_div(rows, chunk_rows));
  }
  LaunchShape pass() const {
    return {.grid = dim3(static_cast<unsigned>(column_blocks), static_cast<unsigned>(chunks)), .block = dim3(kThreads)};
  }
  LaunchShape per_channel() const {
    return {.grid = dim3(static_cast<unsigned>(ceil_div(channels, kThreads))), .block = dim3(kThreads)};
  }
};

// Calls f(element, channel) for this thread's elements: its channel, rows warp, warp + kWarps, ... of its chunk.
template <class F>
__device__ __forceinline__ void for_rows(int64_t rows, int channels, int64_t chunk_rows, F f) {
  const int c = static_cast<int>(blockIdx.x) * kWarp + static_cast<int>(threadIdx.x) % kWarp;
  if (c >= channels) return;
  const int64_t first = int64_t{blockIdx.y} * chunk_rows, last = min(rows, first + chunk_rows);
#pragma unroll 4  // independent loads in flight
  for (int64_t r = first + static_cast<int>(threadIdx.x) / kWarp; r < last; r += kWarps) f(r * channels + c, c);
}

// Adds a and b over the warps of the block; partial [chunk][2][channels].
__device__ __forceinline__ void store_pair(float a, float b, int channels, float* partial) {
  __shared__ float sums[2][kWarps][kWarp];
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  sums[0][warp][lane] = a;
  sums[1][warp][lane] = b;
  __syncthreads();
  const int c = static_cast<int>(blockIdx.x) * kWarp + lane;
  if (warp > 1 || c >= channels) return;  // warp 0 adds the first sum, warp 1 the second
  float total = 0.f;
  for (int w = 0; w < kWarps; ++w) total += sums[warp][w][lane];
  partial[(int64_t{blockIdx.y} * 2 + warp) * channels + c] = total;
}

__global__ void __launch_bounds__(kThreads) statistics_kernel(const float* __restrict__ x, int64_t rows, int channels,
                                                              int64_t chunk_rows, float* __restrict__ partial) {
  float sum = 0.f, squares = 0.f;
  for_rows(rows, channels, chunk_rows, [&](int64_t i, int c) {
    const float d = x[i] - x[c];
    sum += d;
    squares += d * d;
  });
  store_pair(sum, squares, channels, partial);
}

__global__ void __launch_bounds__(kThreads)
    finish_statistics_kernel(const float* __restrict__ x, const float* __restrict__ partial, int64_t rows, int channels,
                             int chunks, float eps, float momentum, float* mean, float* invstd, float* running_mean,
                             float* running_var) {
  const int c = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (c >= channels) return;
  double sum = 0, squares = 0;
  for (int p = 0; p < chunks; ++p) {
    sum += partial[int64_t{2} * p * channels + c];
    squares += partial[(int64_t{2} * p + 1) * channels + c];
  }
  const double n = static_cast<double>(rows), shift = sum / n;
  const double var = fmax(squares / n - shift * shift, 0.0), m = shift + x[c];
  mean[c] = static_cast<float>(m);
  invstd[c] = static_cast<float>(1 / sqrt(var + eps));
  if (running_mean == nullptr) return;
  running_mean[c] = static_cast<float>((1.0 - momentum) * running_mean[c] + momentum * m);
  running_var[c] = static_cast<float>((1.0 - momentum) * running_var[c] + momentum * var * n / (n - 1));
}

// y = relu(gamma (x - mean) s + beta + residual); s is invstd, or 1 / sqrt(variance + eps) when `variance`.
__global__ void __launch_bounds__(kThreads)
    apply_kernel(const float* x, int64_t rows, int channels, int64_t chunk_rows, const float* __restrict__ gamma,
                 const float* __restrict__ beta, const float* __restrict__ mean, const float* __restrict__ spread,
                 int variance, float eps, const float* residual, int relu, float* y) {
  for_rows(rows, channels, chunk_rows, [&](int64_t i, int c) {
    const float s = variance ? 1.f / sqrtf(spread[c] + eps) : spread[c];
    float u = gamma[c] * ((x[i] - mean[c]) * s) + beta[c];
    if (residual != nullptr) u += residual[i];
    y[i] = relu && u < 0.f ? 0.f : u;
  });
}

// What backward needs of the forward pass to mask dy.
struct Mask {
  const float *y, *beta;  // y null: the sign comes from x and beta
  int relu;
};

__device__ __forceinline__ float masked(float dy, float xhat, int64_t i, int c, const Mask& m, const float* gamma) {
  if (!m.relu) return dy;
  const bool positive = m.y != nullptr ? m.y[i] > 0.f : gamma[c] * xhat + m.beta[c] > 0.f;
  return positive ? dy : 0.f;
}

__global__ void __launch_bounds__(kThreads)
    backward_sums_kernel(const float* __restrict__ x, const float* __restrict__ dy, int64_t rows, int channels,
                         int64_t chunk_rows, const float* __restrict__ gamma, const float* __restrict__ mean,
                         const float* __restrict__ invstd, Mask mask, float* __restrict__ partial) {
  float sum = 0.f, dot = 0.f;
  for_rows(rows, channels, chunk_rows, [&](int64_t i, int c) {
    const float xhat = (x[i] - mean[c]) * invstd[c], d = masked(dy[i], xhat, i, c, mask, gamma);
    sum += d;
    dot += d * xhat;
  });
  store_pair(sum, dot, channels, partial);
}

// sums [2][channels]: sum of d, sum of d xhat; adds or writes dbeta, dgamma where wanted.
__global__ void __launch_bounds__(kThreads)
    finish_sums_kernel(const float* __restrict__ partial, int channels, int chunks, float* __restrict__ sums,
                       float* dbeta, float* dgamma, int add) {
  const int c = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (c >= channels) return;
  double sum = 0, dot = 0;
  for (int p = 0; p < chunks; ++p) {
    sum += partial[int64_t{2} * p * channels + c];
    dot += partial[(int64_t{2} * p + 1) * channels + c];
  }
  sums[c] = static_cast<float>(sum);
  sums[channels + c] = static_cast<float>(dot);
  if (dbeta != nullptr) put(dbeta + c, static_cast<float>(sum), add);
  if (dgamma != nullptr) put(dgamma + c, static_cast<float>(dot), add);
}

// dx and dresidual; either may be the buffer of dy: each element is read before it is written, by one thread.
__global__ void __launch_bounds__(kThreads)
    backward_apply_kernel(const float* x, const float* dy, int64_t rows, int channels, int64_t chunk_rows,
                          const float* __restrict__ gamma, const float* __restrict__ mean,
                          const float* __restrict__ invstd, Mask mask, const float* __restrict__ sums, float* dx,
                          int add_x, float* dresidual, int add_residual) {
  const float inverse = 1.f / static_cast<float>(rows);
  for_rows(rows, channels, chunk_rows, [&](int64_t i, int c) {
    const float xhat = (x[i] - mean[c]) * invstd[c], d = masked(dy[i], xhat, i, c, mask, gamma);
    if (dresidual != nullptr) put(dresidual + i, d, add_residual);
    if (dx != nullptr)
      put(dx + i, gamma[c] * invstd[c] * (d - sums[c] * inverse - xhat * (sums[channels + c] * inverse)), add_x);
  });
}

template <class T>
T* pointer(std::span<T> s) {
  return s.empty() ? nullptr : s.data();
}

}  // namespace

void batch_norm_forward(const BatchNormForward<float>& a, Queue q) {
  if (a.x.rows == 0) return;
  const Geometry g(a.x);
  if (a.train) {
    Scratch<float> partial(int64_t{2} * g.chunks * g.channels, q);
    launch("batch_norm_statistics", statistics_kernel, g.pass(), q, a.x.data, g.rows, g.channels, g.chunk_rows,
           partial.data());
    launch("batch_norm_finish", finish_statistics_kernel, g.per_channel(), q, a.x.data, partial.data(), g.rows,
           g.channels, g.chunks, a.eps, a.momentum, a.mean.data(), a.invstd.data(), pointer(a.running_mean),
           pointer(a.running_var));
  }
  launch("batch_norm_apply", apply_kernel, g.pass(), q, a.x.data, g.rows, g.channels, g.chunk_rows, a.gamma.data(),
         a.beta.data(), a.train ? a.mean.data() : a.running_mean.data(),
         a.train ? a.invstd.data() : a.running_var.data(), a.train ? 0 : 1, a.eps, a.residual, a.relu ? 1 : 0,
         a.y.data);
}

void batch_norm_backward(const BatchNormBackward<float>& a, Queue q) {
  const Geometry g(a.x);
  const Mask mask{a.y.data, pointer(a.beta), a.relu ? 1 : 0};
  Scratch<float> partial(int64_t{2} * g.chunks * g.channels, q), sums(int64_t{2} * g.channels, q);
  launch("batch_norm_backward_sums", backward_sums_kernel, g.pass(), q, a.x.data, a.dy.data, g.rows, g.channels,
         g.chunk_rows, a.gamma.data(), a.mean.data(), a.invstd.data(), mask, partial.data());
  launch("batch_norm_backward_finish", finish_sums_kernel, g.per_channel(), q, partial.data(), g.channels, g.chunks,
         sums.data(), pointer(a.dbeta), pointer(a.dgamma), a.write_params == Write::add ? 1 : 0);
  if (a.dx.data == nullptr && a.dresidual == nullptr) return;
  launch("batch_norm_backward_apply", backward_apply_kernel, g.pass(), q, a.x.data, a.dy.data, g.rows, g.channels,
         g.chunk_rows, a.gamma.data(), a.mean.data(), a.invstd.data(), mask, sums.data(), a.dx.data,
         a.write_x == Write::add ? 1 : 0, a.dresidual, a.write_residual == Write::add ? 1 : 0);
}

}  // namespace kith::kernels::cuda
