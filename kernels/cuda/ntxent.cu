// The f32 path. One warp per row; a block of rows streams the columns through shared memory, each lane takes a column of the
// tile, so s_ik lives in one register. Backward turns the lanes' weights into gradients with shuffles: lane d accumulates
// dimensions d, d + 32, ... The odd row stride puts 32 consecutive rows into 32 banks.
// L2 -> SM traffic: 4 rows columns dim / kRows B per pass. The rows x columns matrix exists only in registers.
#include <algorithm>
#include <string>

#include "kernels/core/check.h"
#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/core/reduce.cuh"
#include "kernels/cuda/ntxent_pass.cuh"

namespace kith::kernels::cuda {
namespace {

constexpr int kRows = 16;  // warps per block
constexpr int kCols = 32;  // columns per tile: one per lane
constexpr int kMaxDim = 256;
constexpr int kThreads = kRows * kWarp;

// rows first .. first + count of z [rows, dim] into tile [count][ld]; rows past the end are zero.
__device__ __forceinline__ void load_rows(float* tile, int ld, const float* z, int first, int count, int rows,
                                          int dim) {
  for (int i = static_cast<int>(threadIdx.x); i < count * dim; i += kThreads) {
    const int r = i / dim, d = i - r * dim;
    tile[r * ld + d] = first + r < rows ? z[int64_t{first + r} * dim + d] : 0.f;
  }
}

__device__ __forceinline__ float dot(const float* a, const float* b, int dim) {
  float sum = 0.f;
  for (int d = 0; d < dim; ++d) sum += a[d] * b[d];
  return sum;
}

__global__ void __launch_bounds__(kThreads)
    forward_kernel(const Pass p, float* __restrict__ lse, float* __restrict__ loss) {
  const int ld = p.dim | 1;
  float* rows = dynamic_shared<float>();  // [kRows][ld]
  float* tile = rows + kRows * ld;        // [kCols][ld]
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int first = static_cast<int>(blockIdx.x) * kRows, i = first + warp;
  load_rows(rows, ld, p.rows, first, kRows, p.row_count, p.dim);
  const bool live = i < p.row_count;
  const int self = i + p.self, positive = live ? p.positive_column(i) : -1;

  LogSum acc;
  float s_pos = 0.f;
  for (int k0 = 0; k0 < p.column_count; k0 += kCols) {
    __syncthreads();  // every warp has finished reading the previous tile
    load_rows(tile, ld, p.columns, k0, kCols, p.column_count, p.dim);
    __syncthreads();  // tile, and rows the first time, visible to all warps
    const int k = k0 + lane;
    if (k >= p.column_count || k == self) continue;  // Eq. 1 sums over k != i
    const float s = p.inv_tau * dot(rows + warp * ld, tile + lane * ld, p.dim);
    acc.add(s);
    if (k == positive) s_pos = s;  // exactly one lane meets the positive
  }
  acc = warp_merge(acc);
  s_pos = warp_sum(s_pos);
  if (lane == 0 && live) {
    lse[i] = acc.log_sum_exp();
    loss[i] = positive < 0 ? NAN : lse[i] - s_pos;
  }
}

__global__ void __launch_bounds__(kThreads) backward_kernel(const Pass p, const Gradient g) {
  const int ld = p.dim | 1;
  float* rows = dynamic_shared<float>();
  float* tile = rows + kRows * ld;
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int first = static_cast<int>(blockIdx.x) * kRows, i = first + warp;
  load_rows(rows, ld, p.rows, first, kRows, p.row_count, p.dim);
  const bool live = i < p.row_count;
  const float2 own = live ? upstream_of(g.row, i) : make_float2(0.f, 0.f);
  const int self = i + p.self, positive = live && g.row.lse != nullptr ? p.positive_column(i) : -1,
            partner = g.partners ? p.partner_column(i) : -1;

  float sum[kMaxDim / kWarp] = {};
  for (int k0 = 0; k0 < p.column_count; k0 += kCols) {
    __syncthreads();
    load_rows(tile, ld, p.columns, k0, kCols, p.column_count, p.dim);
    __syncthreads();
    const int k = k0 + lane;
    float weight = 0.f;
    if (live && k < p.column_count && k != self) {
      const float s = p.inv_tau * dot(rows + warp * ld, tile + lane * ld, p.dim);
      const float2 column = upstream_of(g.column, k);
      weight = own.x * expf(s - own.y) + column.x * expf(s - column.y);
      if (k == positive || k == partner) weight -= (k == positive ? own.x : 0.f) + (k == partner ? column.x : 0.f);
    }
    for (int c = 0; c < kCols; ++c) {
      const float w = __shfl_sync(kAllLanes, weight, c);
#pragma unroll
      for (int part = 0; part < kMaxDim / kWarp; ++part) {
        const int d = part * kWarp + lane;
        if (d < p.dim) sum[part] += w * tile[c * ld + d];
      }
    }
  }
  if (!live) return;
  const bool wrong = g.row.lse != nullptr && positive < 0;
#pragma unroll
  for (int part = 0; part < kMaxDim / kWarp; ++part) {
    const int d = part * kWarp + lane;
    if (d < p.dim) put(g.out + int64_t{i} * p.dim + d, wrong ? NAN : p.inv_tau * sum[part], g.add);
  }
}

// Whether one of positive[first .. end) is `key`.
__device__ __forceinline__ bool any_is(const int32_t* positive, int first, int end, int key, int lane) {
  for (int k = first; k < end; k += kWarp)
    if (__any_sync(kAllLanes, k + lane < end && positive[k + lane] == key)) return true;
  return false;
}

// A warp per anchor: the first one of a positive adds the shares of all.
__global__ void __launch_bounds__(kThreads)
    positives_kernel(const Pass p, const float* __restrict__ dloss, float* __restrict__ dkeys) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int i = static_cast<int>(blockIdx.x) * kRows + static_cast<int>(threadIdx.x) / kWarp;
  if (i >= p.row_count) return;
  const int key = p.positive[i];
  if (key < 0 || key >= p.column_count || any_is(p.positive, 0, i, key, lane)) return;
  float sum[kMaxDim / kWarp] = {};
  for (int k0 = i; k0 < p.row_count; k0 += kWarp) {
    const int mine = k0 + lane;
    unsigned owing = __ballot_sync(kAllLanes, mine < p.row_count && p.positive[mine] == key && key != mine + p.self);
    for (; owing != 0; owing &= owing - 1) {
      const int k = k0 + __ffs(static_cast<int>(owing)) - 1;
      const float weight = dloss[k];
#pragma unroll
      for (int part = 0; part < kMaxDim / kWarp; ++part) {
        const int d = part * kWarp + lane;
        if (d < p.dim) sum[part] += weight * p.rows[int64_t{k} * p.dim + d];
      }
    }
  }
#pragma unroll
  for (int part = 0; part < kMaxDim / kWarp; ++part) {
    const int d = part * kWarp + lane;
    if (d < p.dim) dkeys[int64_t{key} * p.dim + d] -= p.inv_tau * sum[part];
  }
}

LaunchShape shape(const Pass& p) {
  return {.grid = dim3(static_cast<unsigned>(ceil_div(p.row_count, kRows))),
          .block = dim3(kThreads),
          .smem_bytes = sizeof(float) * (kRows + kCols) * (static_cast<size_t>(p.dim) | 1)};
}

void check_limits(Matrix<const float> anchors, Matrix<const float> keys) {
  check(keys.cols <= kMaxDim, "ntxent on CUDA: dim is " + std::to_string(keys.cols) + ", at most 256 is supported");
  const int64_t rows = std::max(anchors.rows, keys.rows);
  check(rows <= int64_t{1} << 30, "ntxent on CUDA: " + std::to_string(rows) + " rows, at most 2^30 are supported");
}

template <class Arguments>
bool at_least(int64_t rows, const Arguments& a) {
  return std::min(a.anchors.rows, a.keys.rows) >= rows;
}

}  // namespace

void ntxent_add_positives(const NtXentBackward<float>& a, Queue q) {
  const Pass p = rows_are_anchors(a);
  launch("ntxent_add_positives", positives_kernel,
         {.grid = dim3(static_cast<unsigned>(ceil_div(p.row_count, kRows))), .block = dim3(kThreads)}, q, p,
         a.dloss.data(), a.dkeys.data);
}

void ntxent_forward(const NtXentForward<float>& a, Queue q) {
  check_limits(a.anchors, a.keys);
  if (a.products == Products::bf16) {
    if (!at_least(kForwardRowsSm90, a) || !ntxent_forward_sm90(a, q)) ntxent_forward_mma(a, q);
    return;
  }
  const Pass p = rows_are_anchors(a);
  launch("ntxent_forward", forward_kernel, shape(p), q, p, a.lse.data(), a.loss.data());
}

void ntxent_backward(const NtXentBackward<float>& a, Queue q) {
  check_limits(a.anchors, a.keys);
  if (a.products == Products::bf16) {
    if (!at_least(kBackwardRowsSm90, a) || !ntxent_backward_sm90(a, q)) ntxent_backward_mma(a, q);
    return;
  }
  for_each_pass(
      a, q, [&](const Pass& p, const Gradient& g) { launch("ntxent_backward", backward_kernel, shape(p), q, p, g); });
}

}  // namespace kith::kernels::cuda
