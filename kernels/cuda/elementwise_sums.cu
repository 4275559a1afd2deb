// Sums in f64: partial sums over chunks of a fixed size, then one more launch adds the chunks in order. No atomics, the
// same bits in every run. Bytes: the input once; partial sums are a thousandth of it (columns: at most a thirty-second).
#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/core/reduce.cuh"
#include "kernels/cuda/core/scratch.cuh"
#include "kernels/elementwise.h"

namespace kith::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarp;
constexpr int kPerThread = 16;
constexpr int kChunk = kThreads * kPerThread;
constexpr int kChunkRows = 256;  // of a column sum: 32 for each of a block's eight warps

__global__ void __launch_bounds__(kThreads)
    partial_kernel(const float* __restrict__ x, int64_t count, double* __restrict__ partial) {
  __shared__ double scratch[kWarps];
  const int64_t begin = int64_t{blockIdx.x} * kChunk;
  double sum = 0;
#pragma unroll
  for (int k = 0; k < kPerThread; ++k) {
    const int64_t i = begin + k * kThreads + static_cast<int>(threadIdx.x);
    if (i < count) sum += x[i];
  }
  sum = block_sum<kWarps>(sum, scratch);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

__global__ void __launch_bounds__(kThreads)
    total_kernel(const double* __restrict__ partial, int64_t chunks, float factor, float* __restrict__ y) {
  __shared__ double scratch[kWarps];
  double sum = 0;
  for (int64_t i = static_cast<int>(threadIdx.x); i < chunks; i += kThreads) sum += partial[i];
  sum = block_sum<kWarps>(sum, scratch);
  if (threadIdx.x == 0) *y = static_cast<float>(factor * sum);
}

// A block sums 32 columns of kChunkRows rows: a lane has a column, a warp every eighth row.
__global__ void __launch_bounds__(kThreads)
    column_partial_kernel(const float* __restrict__ x, int64_t rows, int64_t cols, int64_t tiles,
                          double* __restrict__ partial) {
  __shared__ double sums[kWarps][kWarp];
  const int64_t chunk = blockIdx.x / tiles, tile = blockIdx.x % tiles;
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t col = tile * kWarp + lane, end = min(rows, (chunk + 1) * kChunkRows);
  double sum = 0;
  if (col < cols)
    for (int64_t r = chunk * kChunkRows + warp; r < end; r += kWarps) sum += x[r * cols + col];
  sums[warp][lane] = sum;
  __syncthreads();  // every warp's sums are written
  if (warp != 0 || col >= cols) return;
  for (int w = 1; w < kWarps; ++w) sum += sums[w][lane];
  partial[chunk * cols + col] = sum;
}

__global__ void __launch_bounds__(kThreads) column_total_kernel(const double* __restrict__ partial, int64_t chunks,
                                                                int64_t cols, float* __restrict__ y, int add) {
  const int64_t col = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (col >= cols) return;
  double sum = add ? y[col] : 0.f;
  for (int64_t k = 0; k < chunks; ++k) sum += partial[k * cols + col];
  y[col] = static_cast<float>(sum);
}

}  // namespace

void sum(const Sum<float>& a, Queue q) {
  const auto count = static_cast<int64_t>(a.x.size());
  const int64_t chunks = ceil_div(count, kChunk);
  Scratch<double> partial(chunks, q);
  if (chunks > 0)
    launch("sum_partial", partial_kernel, {.grid = dim3(static_cast<unsigned>(chunks)), .block = dim3(kThreads)}, q,
           a.x.data(), count, partial.data());
  launch("sum", total_kernel, {.grid = dim3(1), .block = dim3(kThreads)}, q, partial.data(), chunks, a.factor,
         a.y.data());
}

void column_sum(const ColumnSum<float>& a, Queue q) {
  const int64_t rows = a.x.rows, cols = a.x.cols;
  if (cols == 0) return;
  const int64_t chunks = ceil_div(rows, kChunkRows), tiles = ceil_div(cols, kWarp);
  Scratch<double> partial(chunks * cols, q);
  if (chunks > 0)
    launch("column_sum_partial", column_partial_kernel,
           {.grid = dim3(static_cast<unsigned>(chunks * tiles)), .block = dim3(kThreads)}, q, a.x.data, rows, cols,
           tiles, partial.data());
  launch("column_sum", column_total_kernel,
         {.grid = dim3(static_cast<unsigned>(ceil_div(cols, kThreads))), .block = dim3(kThreads)}, q, partial.data(),
         chunks, cols, a.y.data(), a.write == Write::add ? 1 : 0);
}

}  // namespace kith::kernels::cuda
