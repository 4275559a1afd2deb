// Assignment: a block has 64 rows and takes the centroids 32 at a time; slabs of 32 columns of both pass through shared
// memory, and a thread accumulates sum (x - m)^2 in f32 for 4 x 4 pairs. Differences rather than products (two
// instructions for one): nothing cancels, so the error bound is relative to the distance itself and no norms are needed.
// Least and second least distance stay in registers. Where they are too close for f32 the row is decided in f64: a warp
// compares all its centroids, two at a time.
// DRAM: x once (centroids and re-reads for further tiles of centroids come from L2), 4 B per row out.
#include "kernels/cuda/kmeans.cuh"

namespace kith::kernels::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kRows = 64, kCentroids = 32;  // of a block at a time
constexpr int kDepth = 32;                  // columns of a slab
// Rows of a slab start four banks apart: a warp's float4 loads (four rows of x, eight centroids) meet no bank twice.
constexpr int kPitch = kDepth + 4;
constexpr int kAcross = kCentroids / 4;  // threads side by side along the centroids
constexpr int kDown = kRows / 4;
static_assert(kAcross * kDown == kThreads);

// The two least distances of a row.
struct Nearest {
  float least = INFINITY, second = INFINITY;
  int label = -1;  // until a finite distance is seen

  __device__ __forceinline__ void add(float d, int centroid) {
    if (d < least) {
      second = least;
      least = d;
      label = centroid;
    } else {
      second = fminf(second, d);  // a NaN is passed over
    }
  }
  __device__ __forceinline__ void merge(const Nearest& other) {
    second = fminf(fmaxf(least, other.least), fminf(second, other.second));
    if (other.least < least) {
      least = other.least;
      label = other.label;
    }
  }
  // A sum of dim squared differences, none negative, has a relative error of (dim + 2) u, u = 2^-24, and loses at most
  // 2^-149 a term to underflow. Twice that, and as much again for the rounding of this very expression.
  __device__ __forceinline__ bool certain(int dim) const {
    const float terms = static_cast<float>(dim) + 4.f;
    const float limit = least + 4.f * terms * (0x1p-24f * least + 0x1p-149f);
    return second > limit;  // false where the distances overflowed, or where there are none
  }
};

// Columns k0 .. k0 + kDepth - 1 of rows first .. first + Count - 1; zeros beyond the matrix.
template <int Count>
__device__ __forceinline__ void load_slab(float (&slab)[Count][kPitch], const float* __restrict__ from, int64_t first,
                                          int64_t rows, int k0, int dim) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp, k = k0 + lane;
  for (int r = static_cast<int>(threadIdx.x) / kWarp; r < Count; r += kThreads / kWarp)
    slab[r][lane] = first + r < rows && k < dim ? from[(first + r) * dim + k] : 0.f;
}

__device__ __forceinline__ void accumulate(float& sum, float4 a, float4 b) {
  const float dx = a.x - b.x, dy = a.y - b.y, dz = a.z - b.z, dw = a.w - b.w;
  sum = fmaf(dx, dx, sum);
  sum = fmaf(dy, dy, sum);
  sum = fmaf(dz, dz, sum);
  sum = fmaf(dw, dw, sum);
}

// The centroid nearest to `row` in f64, the lowest on a tie; -1 when no distance is finite. For every lane of the warp.
__device__ __forceinline__ int nearest_f64(const float* row, const float* __restrict__ centroids, int clusters,
                                           int dim) {
  const int half = static_cast<int>(threadIdx.x) % kWarp / kHalfWarp;
  double least = INFINITY;
  int label = -1;
  for (int c0 = 0; c0 < clusters; c0 += 2) {
    const int c = min(c0 + half, clusters - 1);  // the last may be seen twice: a tie with itself changes nothing
    const double d = half_warp_distance(row, centroids + int64_t{c} * dim, dim);
    if (d < least) least = d, label = c;
  }
  const double other = __shfl_xor_sync(kAllLanes, least, kHalfWarp);
  const int other_label = __shfl_xor_sync(kAllLanes, label, kHalfWarp);
  if (other_label >= 0 && (other < least || label < 0 || (other == least && other_label < label))) label = other_label;
  return label;
}

struct Progress {
  unsigned long long changed;  // labels
  unsigned long long bad_row;  // the first without a finite distance; all ones: none
};

__global__ void __launch_bounds__(kThreads)
    assign_kernel(const float* __restrict__ x, int64_t rows, int dim, const float* __restrict__ centroids, int clusters,
                  int32_t* __restrict__ labels, Progress* __restrict__ progress) {
  __shared__ __align__(16) float xs[kRows][kPitch];
  __shared__ __align__(16) float ms[kCentroids][kPitch];
  __shared__ int found[kRows];
  const int64_t first = int64_t{blockIdx.x} * kRows;
  const int thread = static_cast<int>(threadIdx.x), across = thread % kAcross, down = thread / kAcross;
  Nearest nearest[4];
  for (int c0 = 0; c0 < clusters; c0 += kCentroids) {
    float d[4][4] = {};
    for (int k0 = 0; k0 < dim; k0 += kDepth) {
      __syncthreads();  // the previous slab has been read
      load_slab(xs, x, first, rows, k0, dim);
      load_slab(ms, centroids, c0, clusters, k0, dim);
      __syncthreads();  // this slab is written
#pragma unroll 2  // whole, it spills on sm_80
      for (int k = 0; k < kDepth; k += 4) {
        float4 a[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) a[i] = *reinterpret_cast<const float4*>(&xs[down + i * kDown][k]);
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          const float4 b = *reinterpret_cast<const float4*>(&ms[across + j * kAcross][k]);
#pragma unroll
          for (int i = 0; i < 4; ++i) accumulate(d[i][j], a[i], b);
        }
      }
    }
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int c = c0 + across + j * kAcross;
      if (c >= clusters) continue;
#pragma unroll
      for (int i = 0; i < 4; ++i) nearest[i].add(d[i][j], c);
    }
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
#pragma unroll
    for (int bits = kAcross / 2; bits > 0; bits /= 2) {
      Nearest other;
      other.least = __shfl_xor_sync(kAllLanes, nearest[i].least, bits);
      other.second = __shfl_xor_sync(kAllLanes, nearest[i].second, bits);
      other.label = __shfl_xor_sync(kAllLanes, nearest[i].label, bits);
      nearest[i].merge(other);
    }
    if (across == 0) found[down + i * kDown] = nearest[i].certain(dim) ? nearest[i].label : -1;
  }
  __syncthreads();  // found is written
  for (int r = thread / kWarp; r < kRows && first + r < rows; r += kThreads / kWarp) {
    if (found[r] >= 0) continue;
    const int label = nearest_f64(x + (first + r) * dim, centroids, clusters, dim);
    __syncwarp();  // all lanes have read found
    if (thread % kWarp == 0) found[r] = label;
  }
  __syncthreads();  // and complete
  const int64_t row = first + thread;
  int changed = 0;
  if (thread < kRows && row < rows) {
    changed = labels[row] != found[thread] ? 1 : 0;
    labels[row] = found[thread];
    if (found[thread] < 0) atomicMin(&progress->bad_row, static_cast<unsigned long long>(row));
  }
  changed = __syncthreads_count(changed);
  if (thread == 0 && changed != 0) atomicAdd(&progress->changed, static_cast<unsigned long long>(changed));
}

}  // namespace

int64_t assign_rows(Matrix<const float> x, Matrix<const float> centroids, int32_t* labels, Queue q) {
  if (x.rows == 0) return 0;
  Scratch<Progress> progress(1, q);
  cuda_check(cudaMemsetAsync(&progress.data()->changed, 0, sizeof(Progress::changed), q.stream));
  cuda_check(cudaMemsetAsync(&progress.data()->bad_row, 0xFF, sizeof(Progress::bad_row), q.stream));
  launch("kmeans_assign", assign_kernel,
         {.grid = dim3(static_cast<unsigned>(ceil_div(x.rows, kRows))), .block = dim3(kThreads)}, q, x.data, x.rows,
         static_cast<int>(x.cols), centroids.data, static_cast<int>(centroids.rows), labels, progress.data());
  const Progress p = read_back(progress.data(), 1, q)[0];
  if (p.bad_row != ~0ull) throw Error("kmeans: row " + std::to_string(p.bad_row) + " of x holds a NaN or an infinity");
  return static_cast<int64_t>(p.changed);
}

}  // namespace kith::kernels::cuda
