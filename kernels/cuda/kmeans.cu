// Lloyd's iterations, driven by the host: it reads back how many labels changed, how many clusters are empty and how far
// the centroids moved, three numbers an iteration, which decide what is enqueued next. The passes over the rows are in
// kmeans_assign.cu, kmeans_sums.cu and kmeans_seed.cu; here are the small ones: distances to the own centroid (half a
// warp a row, x once), the filling of empty clusters (rare; one block), the means.
#include <limits>

#include "kernels/cuda/kmeans.cuh"
#include "kernels/kmeans.h"

namespace kith::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarp;
constexpr int kRows = 2 * kWarps;  // of a block of the distance pass

// distance[i] = |x_i - m_label(i)|^2, partial[block] = their sum over the block's rows.
template <class T>
__global__ void __launch_bounds__(kThreads)
    distance_kernel(const float* __restrict__ x, int64_t rows, int dim, const float* __restrict__ centroids,
                    const int32_t* __restrict__ labels, T* __restrict__ distance, double* __restrict__ partial) {
  __shared__ double scratch[kWarps];
  const int64_t row = int64_t{blockIdx.x} * kRows + threadIdx.x / kHalfWarp, at = min(row, rows - 1);
  double d = half_warp_distance(x + at * dim, centroids + int64_t{labels[at]} * dim, dim);
  const bool writes = row < rows && threadIdx.x % kHalfWarp == 0;
  if (writes) distance[row] = static_cast<T>(d);
  d = block_sum<kWarps>(writes ? d : 0, scratch);
  if (threadIdx.x == 0) partial[blockIdx.x] = d;
}

// A row and its distance; the farther is greater, on a tie the lower index.
struct Farthest {
  double distance = 0;
  int64_t row = -1;
  __device__ __forceinline__ void take(double d, int64_t r) {
    if (d > distance || (d == distance && r >= 0 && r < row)) distance = d, row = r;
  }
};

__device__ __forceinline__ Farthest block_farthest(Farthest v, double* distances, int64_t* rows) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  for (int bits = kWarp / 2; bits > 0; bits /= 2) {
    const double d = __shfl_xor_sync(kAllLanes, v.distance, bits);
    const int64_t r = __shfl_xor_sync(kAllLanes, v.row, bits);
    v.take(d, r);
  }
  if (lane == 0) distances[warp] = v.distance, rows[warp] = v.row;
  __syncthreads();  // every warp's is written
  for (int w = 0; w < kWarps; ++w) v.take(distances[w], rows[w]);
  return v;
}

__global__ void __launch_bounds__(kThreads)
    fill_empty_kernel(const float* __restrict__ x, int64_t rows, int dim, int clusters, double* distance,
                      int32_t* labels, ClusterSums sums) {
  __shared__ double distances[kWarps];
  __shared__ int64_t farthest_rows[kWarps];
  const int thread = static_cast<int>(threadIdx.x);
  for (int c = 0; c < clusters; ++c) {
    if (sums.count[c] != 0) continue;
    Farthest farthest;
    for (int64_t i = thread; i < rows; i += kThreads)
      if (distance[i] > farthest.distance && sums.count[labels[i]] > 1) farthest = {distance[i], i};
    farthest = block_farthest(farthest, distances, farthest_rows);
    if (farthest.row < 0) return;  // every row lies on its centroid
    const int64_t from = labels[farthest.row];
    for (int j = thread; j < dim; j += kThreads) {
      const double v = x[farthest.row * dim + j];
      sums.sum[int64_t{c} * dim + j] = v;
      sums.sum[from * dim + j] -= v;
    }
    __syncthreads();  // all have read the label and the warps' results
    if (thread == 0) {
      --sums.count[from];
      sums.count[c] = 1;
      labels[farthest.row] = c;
      distance[farthest.row] = 0;
    }
    __syncthreads();  // the next cluster sees them
  }
}

// One block per cluster; shift[c] = squared distance its centroid moved.
__global__ void __launch_bounds__(kThreads)
    move_kernel(ClusterSums sums, float* __restrict__ centroids, int dim, double* __restrict__ shift) {
  __shared__ double scratch[kWarps];
  const int64_t c = blockIdx.x, count = sums.count[c];
  double moved2 = 0;
  if (count != 0) {
    for (int j = static_cast<int>(threadIdx.x); j < dim; j += kThreads) {
      const float moved = static_cast<float>(sums.sum[c * dim + j] / static_cast<double>(count));
      const double d = double{moved} - double{centroids[c * dim + j]};
      moved2 = fma(d, d, moved2);
      centroids[c * dim + j] = moved;
    }
  }
  moved2 = block_sum<kWarps>(moved2, scratch);
  if (threadIdx.x == 0) shift[c] = moved2;
}

double sum_of(const std::vector<double>& v) {
  double sum = 0;
  for (const double x : v) sum += x;
  return sum;
}

template <class T>
double distances(Matrix<const float> x, Matrix<const float> centroids, const int32_t* labels, T* distance, Queue q) {
  if (x.rows == 0) return 0;
  const int64_t blocks = ceil_div(x.rows, kRows);
  const Scratch<double> partial(blocks, q);
  launch("kmeans_distance", distance_kernel<T>, {.grid = dim3(static_cast<unsigned>(blocks)), .block = dim3(kThreads)},
         q, x.data, x.rows, static_cast<int>(x.cols), centroids.data, labels, distance, partial.data());
  return sum_of(read_back(partial.data(), blocks, q));
}

// Device memory of all restarts.
struct Work {
  Scratch<float> centroids;
  Scratch<int32_t> labels;
  Scratch<double> distance, sum;
  Scratch<int64_t> count;
  Work(int64_t rows, int64_t clusters, int64_t dim, Queue q)
      : centroids(clusters * dim, q), labels(rows, q), distance(rows, q), sum(clusters * dim, q), count(clusters, q) {}
};

// One seeding, iterated until it stands.
KMeansResult lloyd(const KMeans<float>& a, int restart, double tolerance, const Work& work, Queue q) {
  const Matrix<float> centroids{work.centroids.data(), a.centroids.rows, a.centroids.cols};
  const ClusterSums sums{work.sum.data(), work.count.data()};
  int32_t* labels = work.labels.data();
  seed_centroids(a.x, centroids, Random(a.seed, static_cast<uint32_t>(restart), 0, 0), q);
  cuda_check(cudaMemsetAsync(labels, 0xFF, a.labels.size_bytes(), q.stream));  // -1: every label changes at first
  KMeansResult result;
  while (result.iterations < a.max_iterations) {
    ++result.iterations;
    if (assign_rows(a.x, centroids, labels, q) == 0) break;  // the centroids are the means of these very rows
    if (sum_clusters(a.x, labels, centroids.rows, sums, q) > 0) {
      label_distances(a.x, centroids, labels, work.distance.data(), q);
      fill_empty(a.x, centroids.rows, work.distance.data(), labels, sums, q);
    }
    if (move_centroids(sums, centroids, q) <= tolerance) break;
  }
  assign_rows(a.x, centroids, labels, q);
  result.inertia = label_distances(a.x, centroids, labels, work.distance.data(), q);
  return result;
}

}  // namespace

double label_distances(Matrix<const float> x, Matrix<const float> centroids, const int32_t* labels, double* distance,
                       Queue q) {
  return distances(x, centroids, labels, distance, q);
}

void fill_empty(Matrix<const float> x, int64_t clusters, double* distance, int32_t* labels, ClusterSums sums, Queue q) {
  launch("kmeans_fill_empty", fill_empty_kernel, {.grid = dim3(1), .block = dim3(kThreads)}, q, x.data, x.rows,
         static_cast<int>(x.cols), static_cast<int>(clusters), distance, labels, sums);
}

double move_centroids(ClusterSums sums, Matrix<float> centroids, Queue q) {
  const Scratch<double> shift(centroids.rows, q);
  launch("kmeans_move", move_kernel, {.grid = dim3(static_cast<unsigned>(centroids.rows)), .block = dim3(kThreads)}, q,
         sums, centroids.data, static_cast<int>(centroids.cols), shift.data());
  return sum_of(read_back(shift.data(), centroids.rows, q));
}

KMeansResult kmeans(const KMeans<float>& a, Queue q) {
  const double tolerance = a.tol * mean_column_variance(a.x, q);
  const Work work(a.x.rows, a.centroids.rows, a.x.cols, q);
  KMeansResult best{.inertia = std::numeric_limits<double>::infinity()};
  for (int restart = 0; restart < a.restarts; ++restart) {
    if (restart > 0 && a.between) a.between();
    const KMeansResult result = lloyd(a, restart, tolerance, work, q);
    if (!(result.inertia < best.inertia)) continue;
    best = result;
    cuda_check(cudaMemcpyAsync(a.centroids.data, work.centroids.data(), a.centroids.span().size_bytes(),
                               cudaMemcpyDeviceToDevice, q.stream));
    cuda_check(cudaMemcpyAsync(a.labels.data(), work.labels.data(), a.labels.size_bytes(), cudaMemcpyDeviceToDevice,
                               q.stream));
  }
  return best;
}

void kmeans_assign(const KMeansAssign<float>& a, Queue q) {
  assign_rows(a.x, a.centroids, a.labels.data(), q);
  if (!a.distance.empty()) distances(a.x, a.centroids, a.labels.data(), a.distance.data(), q);
}

}  // namespace kith::kernels::cuda
