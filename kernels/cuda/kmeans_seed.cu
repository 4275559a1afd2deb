// Greedy k-means++ without host synchronisation: draws come with the launch, rows are picked from them on the device.
// For each centroid: pick (a block per draw walks the sums of chunks of 256 rows, then the chunk's rows), consider (a
// block per chunk: f64 distances of its rows to every candidate, and the chunk's sums), choose (the candidate with the
// least total becomes the centroid), adopt (its distances become those of the next round). Sums are taken in the order
// of cpu/kmeans_seed.cpp, row by row and chunk by chunk, so that the same draws pick the same rows.
// DRAM per centroid: x once, 8 B per row and candidate out, 24 B per row in and out.
#include "kernels/cuda/kmeans.cuh"
#include "kernels/kmeans.h"

namespace kith::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kChunk = 256;      // rows; one for each thread of a block that walks them
constexpr int kMaxTrials = 24;   // 2 + log of 2^31 clusters
constexpr int kTogether = 4;     // candidates that share one reading of a row
constexpr int kLd = kChunk + 1;  // distances to a candidate: threads that walk their own meet no bank twice
constexpr int kTile = 64;        // sums of chunks that are walked together
static_assert(kChunk == kThreads);

struct Draws {
  double u[kMaxTrials];
};

struct Seeding {
  const float* x;
  int64_t rows, chunks;
  int dim, trials;
  bool first;              // no centroid yet: nothing is closest
  double* closest;         // [rows] squared distance to the centroids so far
  double* chunk_sum;       // [chunks] of closest
  double* total;           // [1] of chunk_sum
  double* next;            // [trials, rows] what closest would become
  double* next_chunk_sum;  // [trials, chunks]
  int64_t* candidates;     // [trials] rows
  int* best;               // [1] of the candidates
};

// The first i < count at which a running sum of v passes target, which is left reduced by what stands before; count when
// it never does. Walked by one thread from shared memory, as the order of subtractions matters.
__device__ __forceinline__ int walk(const double* v, int count, double& target) {
  for (int i = 0; i < count; ++i) {
    if (target < v[i]) return i;
    target -= v[i];
  }
  return count;
}

__global__ void __launch_bounds__(kThreads) pick_kernel(Seeding s, Draws draws) {
  __shared__ double tile[kChunk];
  __shared__ int found;
  const int thread = static_cast<int>(threadIdx.x), trial = static_cast<int>(blockIdx.x);
  const double u = draws.u[trial];
  // Nothing is left at a distance when every distinct row is a centroid: then any row will do.
  if (s.first || !(*s.total > 0)) {
    if (thread == 0) s.candidates[trial] = static_cast<int64_t>(u * static_cast<double>(s.rows));
    return;
  }
  double target = u * *s.total;  // of thread 0
  int64_t chunk = 0;
  for (int64_t base = 0; base < s.chunks - 1; base += kTile) {  // the last chunk is taken where no other is
    const int count = static_cast<int>(min(int64_t{kTile}, s.chunks - 1 - base));
    if (thread < count) tile[thread] = s.chunk_sum[base + thread];
    __syncthreads();  // the tile is written
    if (thread == 0) found = walk(tile, count, target);
    __syncthreads();  // found is; the tile has been read, and found will be before the next tile is written
    chunk = base + found;
    if (found < count) break;
  }
  const int count = static_cast<int>(min(int64_t{kChunk}, s.rows - chunk * kChunk));
  if (thread < count) tile[thread] = s.closest[chunk * kChunk + thread];
  __syncthreads();  // the chunk's rows are written
  if (thread != 0) return;
  int row = walk(tile, count, target);
  // Rounding may carry the target past the end: then the last row with a weight.
  if (row == count)
    for (row = count - 1; row > 0 && !(tile[row] > 0);) --row;
  s.candidates[trial] = chunk * kChunk + row;
}

__global__ void __launch_bounds__(kThreads) consider_kernel(Seeding s) {
  double* distance = dynamic_shared<double>();  // [trials][kLd]
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kHalfWarp, in_warp = thread % kWarp;
  const int64_t begin = int64_t{blockIdx.x} * kChunk;
  const int count = static_cast<int>(min(int64_t{kChunk}, s.rows - begin));
  // A half warp has a row at a time; the other half's may lie beyond the last: it then takes that one's part in the
  // shuffles and leaves its result.
  for (int pair = thread / kWarp * 2; pair < count; pair += kThreads / kHalfWarp) {
    const int r = pair + in_warp / kHalfWarp;
    const float* row = s.x + (begin + min(r, count - 1)) * s.dim;
    for (int k0 = 0; k0 < s.trials; k0 += kTogether) {
      const float* to[kTogether];
      double part[kTogether] = {};
      for (int k = 0; k < kTogether; ++k) to[k] = s.x + s.candidates[min(k0 + k, s.trials - 1)] * s.dim;
      for (int i = lane; i < s.dim; i += kHalfWarp) {
        const double v = row[i];
#pragma unroll
        for (int k = 0; k < kTogether; ++k) {
          const double difference = v - double{to[k][i]};
          part[k] = fma(difference, difference, part[k]);
        }
      }
#pragma unroll
      for (int k = 0; k < kTogether; ++k) part[k] = half_warp_sum(part[k]);
      if (lane == 0 && r < count) {
        const double closest = s.first ? INFINITY : s.closest[begin + r];
#pragma unroll
        for (int k = 0; k < kTogether; ++k)
          if (k0 + k < s.trials) distance[(k0 + k) * kLd + r] = fmin(part[k], closest);
      }
    }
  }
  __syncthreads();  // all distances are written
  for (int k = 0; k < s.trials; ++k)
    if (thread < count) s.next[k * s.rows + begin + thread] = distance[k * kLd + thread];
  if (thread >= s.trials) return;
  double sum = 0;
  for (int r = 0; r < count; ++r) sum += distance[thread * kLd + r];
  s.next_chunk_sum[thread * s.chunks + blockIdx.x] = sum;
}

__global__ void __launch_bounds__(kThreads) choose_kernel(Seeding s, float* __restrict__ centroid) {
  __shared__ double totals[kMaxTrials];
  const int thread = static_cast<int>(threadIdx.x);
  if (thread < s.trials) {
    double total = 0;
#pragma unroll 8  // loads run ahead of the additions
    for (int64_t c = 0; c < s.chunks; ++c) total += s.next_chunk_sum[thread * s.chunks + c];
    totals[thread] = total;
  }
  __syncthreads();  // totals are written
  int best = 0;
  for (int k = 1; k < s.trials; ++k)
    if (totals[k] < totals[best]) best = k;
  if (thread == 0) {
    *s.best = best;
    *s.total = totals[best];
  }
  for (int i = thread; i < s.dim; i += kThreads) centroid[i] = s.x[s.candidates[best] * s.dim + i];
}

__global__ void __launch_bounds__(kThreads) adopt_kernel(Seeding s) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i < s.rows) s.closest[i] = s.next[*s.best * s.rows + i];
  if (i < s.chunks) s.chunk_sum[i] = s.next_chunk_sum[*s.best * s.chunks + i];
}

}  // namespace

void seed_centroids(Matrix<const float> x, Matrix<float> centroids, Random random, Queue q) {
  const int trials = kmeans_trials(centroids.rows);
  const int64_t chunks = ceil_div(x.rows, kChunk);
  const Scratch<double> closest(x.rows, q), chunk_sum(chunks, q), total(1, q), next(trials * x.rows, q),
      next_chunk_sum(trials * chunks, q);
  const Scratch<int64_t> candidates(trials, q);
  const Scratch<int> best(1, q);
  const LaunchShape per_chunk{.grid = dim3(static_cast<unsigned>(chunks)), .block = dim3(kThreads)};
  for (int64_t c = 0; c < centroids.rows; ++c) {
    Seeding s{x.data,
              x.rows,
              chunks,
              static_cast<int>(x.cols),
              c == 0 ? 1 : trials,
              c == 0,
              closest.data(),
              chunk_sum.data(),
              total.data(),
              next.data(),
              next_chunk_sum.data(),
              candidates.data(),
              best.data()};
    Draws draws{};
    for (int k = 0; k < s.trials; ++k) draws.u[k] = random.uniform53();
    launch("kmeans_pick", pick_kernel, {.grid = dim3(static_cast<unsigned>(s.trials)), .block = dim3(kThreads)}, q, s,
           draws);
    LaunchShape shape = per_chunk;
    shape.smem_bytes = static_cast<size_t>(s.trials) * kLd * sizeof(double);
    launch("kmeans_consider", consider_kernel, shape, q, s);
    launch("kmeans_choose", choose_kernel, {.grid = dim3(1), .block = dim3(kThreads)}, q, s,
           centroids.data + c * centroids.cols);
    launch("kmeans_adopt", adopt_kernel, per_chunk, q, s);
  }
}

}  // namespace kith::kernels::cuda
