// Sums of rows by cluster, and the moments of columns, in f64 without atomics. A block has a chunk of rows, 128 columns
// and up to 32 clusters, whose sums stand in shared memory; a thread owns a column of them, so nothing is shared and no
// barrier needed. Rows of other clusters are skipped by their label before they are read. A second launch adds the chunks
// in order. Reductions of our own rather than CUB's: these run, and are tested, under the SIMT runner, and their order is
// fixed by sizes alone.
// DRAM: x once, labels once per tile of columns and clusters (L2), partial sums below 64 MiB.
#include <algorithm>

#include "kernels/cuda/kmeans.cuh"

namespace kith::kernels::cuda {
namespace {

constexpr int kThreads = 128;  // columns of a block
constexpr int kClusters = 32;  // of a block: 32 KiB of sums
constexpr int kAhead = 4;      // rows whose loads are in flight together
constexpr int kMomentRows = 256;

struct Tiling {
  int64_t rows, chunk_rows;
  int dim, clusters, column_tiles, cluster_tiles;
};

__global__ void __launch_bounds__(kThreads)
    sums_kernel(const float* __restrict__ x, const int32_t* __restrict__ labels, Tiling t, double* __restrict__ partial,
                int64_t* __restrict__ counts) {
  double* sums = dynamic_shared<double>();  // [clusters of the tile][kThreads]
  const int thread = static_cast<int>(threadIdx.x);
  const int column_tile = static_cast<int>(blockIdx.x) % t.column_tiles;
  const int64_t rest = blockIdx.x / t.column_tiles, chunk = rest / t.cluster_tiles;
  const int c0 = static_cast<int>(rest % t.cluster_tiles) * kClusters, width = min(kClusters, t.clusters - c0);
  const int col = column_tile * kThreads + thread;
  const bool counts_rows = column_tile == 0 && thread < width;
  for (int c = 0; c < width; ++c) sums[c * kThreads + thread] = 0;
  int64_t count = 0;  // of cluster c0 + thread
  const int64_t end = min(t.rows, (chunk + 1) * t.chunk_rows);
  for (int64_t r0 = chunk * t.chunk_rows; r0 < end; r0 += kAhead) {
    int c[kAhead];
    float v[kAhead];
#pragma unroll
    for (int a = 0; a < kAhead; ++a) c[a] = r0 + a < end ? labels[r0 + a] - c0 : -1;
#pragma unroll
    for (int a = 0; a < kAhead; ++a) v[a] = c[a] >= 0 && c[a] < width && col < t.dim ? x[(r0 + a) * t.dim + col] : 0.f;
#pragma unroll
    for (int a = 0; a < kAhead; ++a) {
      if (c[a] < 0 || c[a] >= width) continue;
      sums[c[a] * kThreads + thread] += v[a];
      if (c[a] == thread) ++count;
    }
  }
  if (counts_rows) counts[chunk * t.clusters + c0 + thread] = count;
  if (col >= t.dim) return;
  for (int c = 0; c < width; ++c) partial[(chunk * t.clusters + c0 + c) * t.dim + col] = sums[c * kThreads + thread];
}

__global__ void __launch_bounds__(kThreads)
    add_chunks_kernel(const double* __restrict__ partial, const int64_t* __restrict__ counts, int64_t chunks, Tiling t,
                      ClusterSums out, int* __restrict__ empty) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x, size = int64_t{t.clusters} * t.dim;
  if (i < size) {
    double sum = 0;
    for (int64_t k = 0; k < chunks; ++k) sum += partial[k * size + i];
    out.sum[i] = sum;
  }
  if (i < t.clusters) {
    int64_t count = 0;
    for (int64_t k = 0; k < chunks; ++k) count += counts[k * t.clusters + i];
    out.count[i] = count;
    if (count == 0) atomicAdd(empty, 1);  // of whole numbers: any order gives the same
  }
}

struct Moments {
  double sum, squares;
};

// A block has kMomentRows rows and 128 columns.
__global__ void __launch_bounds__(kThreads) moments_kernel(const float* __restrict__ x, int64_t rows, int dim,
                                                           int column_tiles, Moments* __restrict__ partial) {
  const int64_t chunk = blockIdx.x / column_tiles, end = min(rows, (chunk + 1) * kMomentRows);
  const int col = static_cast<int>(blockIdx.x) % column_tiles * kThreads + static_cast<int>(threadIdx.x);
  if (col >= dim) return;
  Moments m{0, 0};
  for (int64_t r = chunk * kMomentRows; r < end; ++r) {
    const double v = x[r * dim + col];
    m.sum += v;
    m.squares += v * v;
  }
  partial[chunk * dim + col] = m;
}

struct Variance {
  double sum;      // of the columns' variances
  int bad_column;  // the first with a NaN or an infinity, or dim
};

__global__ void __launch_bounds__(kThreads) variance_kernel(const Moments* __restrict__ partial, int64_t chunks,
                                                            int64_t rows, int dim, Variance* __restrict__ variance) {
  __shared__ double scratch[kThreads / kWarp];
  double total = 0;
  int bad = dim;
  for (int col = static_cast<int>(threadIdx.x); col < dim; col += kThreads) {
    Moments m{0, 0};
    for (int64_t k = 0; k < chunks; ++k) {
      m.sum += partial[k * dim + col].sum;
      m.squares += partial[k * dim + col].squares;
    }
    if (!(m.squares < INFINITY)) bad = min(bad, col);
    const double n = static_cast<double>(rows), mean = m.sum / n;
    total += fmax(0.0, m.squares / n - mean * mean);
  }
  total = block_sum<kThreads / kWarp>(total, scratch);
  for (int bits = kWarp / 2; bits > 0; bits /= 2) bad = min(bad, __shfl_xor_sync(kAllLanes, bad, bits));
  if (threadIdx.x % kWarp == 0) atomicMin(&variance->bad_column, bad);
  if (threadIdx.x == 0) variance->sum = total;
}

// A chunk's own sums must be small beside its rows, and all chunks' sums below 64 MiB.
int64_t chunk_rows(int64_t rows, int64_t clusters, int64_t dim) {
  const int64_t by_memory = ceil_div(rows * clusters * dim, int64_t{1} << 23);
  return std::max({int64_t{256}, 16 * clusters, by_memory});
}

}  // namespace

int64_t sum_clusters(Matrix<const float> x, const int32_t* labels, int64_t clusters, ClusterSums sums, Queue q) {
  const Tiling t{x.rows,
                 chunk_rows(x.rows, clusters, x.cols),
                 static_cast<int>(x.cols),
                 static_cast<int>(clusters),
                 static_cast<int>(std::max<int64_t>(1, ceil_div(x.cols, kThreads))),
                 static_cast<int>(ceil_div(clusters, kClusters))};
  const int64_t chunks = ceil_div(x.rows, t.chunk_rows), size = clusters * x.cols;
  const Scratch<double> partial(chunks * size, q);
  const Scratch<int64_t> counts(chunks * clusters, q);
  const Scratch<int> empty(1, q);
  cuda_check(cudaMemsetAsync(empty.data(), 0, sizeof(int), q.stream));
  launch("kmeans_sums", sums_kernel,
         {.grid = dim3(static_cast<unsigned>(chunks * t.column_tiles * t.cluster_tiles)),
          .block = dim3(kThreads),
          .smem_bytes = sizeof(double) * kThreads * std::min<size_t>(kClusters, static_cast<size_t>(clusters))},
         q, x.data, labels, t, partial.data(), counts.data());
  launch("kmeans_add_chunks", add_chunks_kernel,
         {.grid = dim3(static_cast<unsigned>(ceil_div(std::max(size, clusters), kThreads))), .block = dim3(kThreads)},
         q, partial.data(), counts.data(), chunks, t, sums, empty.data());
  return read_back(empty.data(), 1, q)[0];
}

double mean_column_variance(Matrix<const float> x, Queue q) {
  const int dim = static_cast<int>(x.cols), column_tiles = static_cast<int>(ceil_div(x.cols, kThreads));
  if (dim == 0) return 0;
  const int64_t chunks = ceil_div(x.rows, kMomentRows);
  const Scratch<Moments> partial(chunks * dim, q);
  const Scratch<Variance> variance(1, q);
  const Variance start{0, dim};
  cuda_check(cudaMemcpyAsync(variance.data(), &start, sizeof(start), cudaMemcpyHostToDevice, q.stream));
  launch("kmeans_moments", moments_kernel,
         {.grid = dim3(static_cast<unsigned>(chunks * column_tiles)), .block = dim3(kThreads)}, q, x.data, x.rows, dim,
         column_tiles, partial.data());
  launch("kmeans_variance", variance_kernel, {.grid = dim3(1), .block = dim3(kThreads)}, q, partial.data(), chunks,
         x.rows, dim, variance.data());
  const Variance v = read_back(variance.data(), 1, q)[0];
  if (v.bad_column < dim)
    throw Error("kmeans: column " + std::to_string(v.bad_column) + " of x holds a NaN or an infinity");
  return v.sum / dim;
}

}  // namespace kith::kernels::cuda
