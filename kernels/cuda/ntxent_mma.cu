// The bf16 path: tiles of 16-row strips through mma.sync m16n8k16, operands in bf16, everything else in f32.
//
// z is first rounded to bf16 rows of Dim elements (dim padded to 32, 64, 128 or 256 with zeros; rows to a whole tile). A
// block holds kWarps strips of 16 anchors as matrix fragments in registers and streams column tiles of 64 rows through
// shared memory, two in flight with cp.async. A warp's strip of scores (16 x 64) stays in 32 registers per lane:
//   forward   exp and row sums; quads of lanes add their columns at the end
//   backward  the scores become weights W = e^s (u_i + u_k), u = g e^-lse, are packed to bf16 as the A operand of a second
//             product W Z (Z read transposed by ldmatrix from the tile already there), accumulated in f32: one pass gives
//             dz, since W holds both the row's and the column's share.
// Column tiles are divided among `splits` blocks where the rows alone would not fill the device, two or more to a block so
// that one arrives while another is multiplied; partial results are
// added in order by a last launch, which also adds the positive pair in f32. No atomics: the same bits in every run.
//
// Rows of shared memory are Dim + 8 elements apart: 16 bytes past a multiple of 128, so the 8 rows of an ldmatrix meet no
// bank twice. Traffic L2 -> SM: 2 rows^2 Dim / (16 kWarps) B of tiles and 2 splits rows Dim B of anchors. Memory: 2 rows
// Dim B, and in backward 4 splits rows Dim B.
#include <algorithm>

#include "kernels/core/check.h"
#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/core/scratch.cuh"
#include "kernels/cuda/ntxent.cuh"
#include "kernels/cuda/ntxent_tiles.cuh"

namespace kith::kernels::cuda {
namespace {

constexpr int kFill = 264;  // blocks that fill the device twice

template <int Dim>
constexpr size_t kSharedBytes = sizeof(__nv_bfloat16) * (kRows + 2 * kCols) * (Dim + kPad);

// Which pass of exponentials is safe (see kSmallestBoundedTau).
enum class Range { bounded, any };

// bf16 copy [padded rows][Dim] of z; with dloss also u_i = g_i exp(bound - lse_i).
__global__ void __launch_bounds__(256)
    prepare_kernel(const float* __restrict__ z, int rows, int dim, int padded_rows, int padded_dim, __nv_bfloat16* zb,
                   const float* __restrict__ dloss, const float* __restrict__ lse, float bound, float* __restrict__ u) {
  const int64_t at = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (at >= int64_t{padded_rows} * padded_dim) return;
  const int r = static_cast<int>(at / padded_dim), d = static_cast<int>(at % padded_dim);
  zb[at] = __float2bfloat16(r < rows && d < dim ? z[int64_t{r} * dim + d] : 0.f);
  if (dloss != nullptr && d == 0 && r < rows) u[r] = dloss[r] * expf(bound - lse[r]);
}

// partial [split][rows]: sum of exp(s - bound) over the split's columns, or its (max, sum).
template <int Dim, Range R>
__global__ void __launch_bounds__(kThreads)
    forward_kernel(const __nv_bfloat16* __restrict__ zb, int rows, int tile_count, float inv_tau, float bound,
                   float* __restrict__ partial_sum, float* __restrict__ partial_max) {
  __nv_bfloat16* strips = dynamic_shared<__nv_bfloat16>();
  __nv_bfloat16* tiles = strips + kRows * (Dim + kPad);
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int block_first = static_cast<int>(blockIdx.x) * kRows;
  const Anchors<Dim> anchors = load_anchors<Dim>(strips, zb, block_first, warp, lane);

  const int row[2] = {block_first + warp * 16 + lane / 4, block_first + warp * 16 + lane / 4 + 8};
  LogSum acc[2];
  if constexpr (R == Range::bounded) acc[0].max = acc[1].max = bound;
  for_each_tile<Dim>(tiles, zb, tile_count, [&](const __nv_bfloat16* tile, int first) {
    float s[kStrip][4];
    scores<Dim>(s, anchors, tile, lane);
#pragma unroll
    for (int j = 0; j < kStrip; ++j)
#pragma unroll
      for (int r = 0; r < 4; ++r) {
        const int k = first + 8 * j + 2 * (lane % 4) + r % 2, half = r / 2;
        if (k >= rows || k == row[half]) continue;
        const float x = s[j][r] * inv_tau;
        if constexpr (R == Range::bounded)
          acc[half].sum +=
              __expf(x - bound);  // argument in [-2 / tau, 0]: relative error 2^-21 + |x| 2^-23, below bf16's
        else
          acc[half].add(x);
      }
  });
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    for (int bits = 1; bits < 4; bits *= 2) {  // the quad of lanes that shares a row
      const float m = __shfl_xor_sync(kAllLanes, acc[half].max, bits),
                  x = __shfl_xor_sync(kAllLanes, acc[half].sum, bits);
      if constexpr (R == Range::bounded)
        acc[half].sum += x;
      else
        acc[half].merge(m, x);
    }
    if (lane % 4 != 0 || row[half] >= rows) continue;
    const int64_t at = int64_t{blockIdx.y} * rows + row[half];
    partial_sum[at] = acc[half].sum;
    if constexpr (R == Range::any) partial_max[at] = acc[half].max;
  }
}

// One warp per row: joins the splits in order; the positive pair in f32 from z itself.
__global__ void __launch_bounds__(256)
    finish_forward_kernel(const float* __restrict__ z, int rows, int dim, float inv_tau, float bound, int splits,
                          const float* __restrict__ partial_sum, const float* __restrict__ partial_max,
                          float* __restrict__ lse, float* __restrict__ loss) {
  const int row = static_cast<int>(blockIdx.x) * 8 + static_cast<int>(threadIdx.x) / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  if (row >= rows) return;
  LogSum acc;
  for (int split = 0; split < splits; ++split) {
    const int64_t at = int64_t{split} * rows + row;
    acc.merge(partial_max != nullptr ? partial_max[at] : bound, partial_sum[at]);
  }
  float s = 0.f;
  for (int d = lane; d < dim; d += kWarp) s += z[int64_t{row} * dim + d] * z[int64_t{row ^ 1} * dim + d];
  s = warp_sum(s) * inv_tau;
  if (lane == 0) {
    lse[row] = acc.log_sum_exp();
    loss[row] = lse[row] - s;
  }
}

__device__ __forceinline__ uint32_t pack(float low, float high) {
  const __nv_bfloat162 v = __floats2bfloat162_rn(low, high);
  uint32_t bits;
  memcpy(&bits, &v, sizeof bits);
  return bits;
}

// partial [split][rows][Dim] = sum over the split's columns of W_ik z_k.
// bounded: u = g exp(bound - lse). any: u holds g, and lse is read beside it.
template <int Dim, Range R>
__global__ void __launch_bounds__(kThreads)
    backward_kernel(const __nv_bfloat16* __restrict__ zb, int rows, int tile_count, float inv_tau, float bound,
                    const float* __restrict__ u, const float* __restrict__ lse, float* __restrict__ partial) {
  __nv_bfloat16* strips = dynamic_shared<__nv_bfloat16>();
  __nv_bfloat16* tiles = strips + kRows * (Dim + kPad);
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int block_first = static_cast<int>(blockIdx.x) * kRows;
  const Anchors<Dim> anchors = load_anchors<Dim>(strips, zb, block_first, warp, lane);

  const int row[2] = {block_first + warp * 16 + lane / 4, block_first + warp * 16 + lane / 4 + 8};
  float u_row[2], lse_row[2];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    u_row[half] = row[half] < rows ? u[row[half]] : 0.f;
    lse_row[half] = R == Range::any && row[half] < rows ? lse[row[half]] : 0.f;
  }
  float dz[Dim / 8][4] = {};
  for_each_tile<Dim>(tiles, zb, tile_count, [&](const __nv_bfloat16* tile, int first) {
    float w[kStrip][4];
    scores<Dim>(w, anchors, tile, lane);
#pragma unroll
    for (int j = 0; j < kStrip; ++j)
#pragma unroll
      for (int r = 0; r < 4; ++r) {
        const int k = first + 8 * j + 2 * (lane % 4) + r % 2, half = r / 2;
        const float x = w[j][r] * inv_tau;
        if (k >= rows || k == row[half] || row[half] >= rows)
          w[j][r] = 0.f;
        else if constexpr (R == Range::bounded)
          w[j][r] = __expf(x - bound) * (u_row[half] + u[k]);
        else
          w[j][r] = u_row[half] * expf(x - lse_row[half]) + u[k] * expf(x - lse[k]);
      }
      // The accumulator layout of two neighbouring 16 x 8 blocks is the layout of one 16 x 16 A operand.
#pragma unroll
    for (int j = 0; j < kStrip; j += 2) {
      const uint32_t weights[4] = {pack(w[j][0], w[j][1]), pack(w[j][2], w[j][3]), pack(w[j + 1][0], w[j + 1][1]),
                                   pack(w[j + 1][2], w[j + 1][3])};
#pragma unroll
      for (int d = 0; d < Dim / 8; d += 2) {
        uint32_t b[4];
        ldmatrix_x4_trans(b, tile + (8 * j + 8 * (lane / 8 % 2) + lane % 8) * (Dim + kPad) + 8 * d + 8 * (lane / 16));
        mma_bf16(dz[d], weights, {b[0], b[1]});
        mma_bf16(dz[d + 1], weights, {b[2], b[3]});
      }
    }
  });
#pragma unroll
  for (int d = 0; d < Dim / 8; ++d)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      if (row[half] >= rows) continue;
      // Two columns at once: a quad of lanes writes one whole sector.
      float* out = partial + (int64_t{blockIdx.y} * rows + row[half]) * Dim + 8 * d + 2 * (lane % 4);
      *reinterpret_cast<float2*>(out) = make_float2(dz[d][2 * half], dz[d][2 * half + 1]);
    }
}

__global__ void __launch_bounds__(256)
    finish_backward_kernel(const float* __restrict__ z, const float* __restrict__ dloss, int rows, int dim,
                           int padded_dim, float inv_tau, int splits, const float* __restrict__ partial,
                           float* __restrict__ dz, int add) {
  const int64_t at = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (at >= int64_t{rows} * dim) return;
  const int row = static_cast<int>(at / dim), d = static_cast<int>(at % dim);
  float sum = 0.f;
  for (int split = 0; split < splits; ++split) sum += partial[(int64_t{split} * rows + row) * padded_dim + d];
  sum -= (dloss[row] + dloss[row ^ 1]) * z[int64_t{row ^ 1} * dim + d];
  put(dz + at, inv_tau * sum, add);
}

struct Plan {
  int rows, dim, padded_dim, row_tiles, tile_count, splits;
  int64_t padded_rows;
  float inv_tau;
  Range range;

  Plan(Matrix<const float> z, float tau)
      : rows(static_cast<int>(z.rows)),
        dim(static_cast<int>(z.cols)),
        padded_dim(dim <= 32    ? 32
                   : dim <= 64  ? 64
                   : dim <= 128 ? 128
                                : 256),
        row_tiles(static_cast<int>(ceil_div(rows, kRows))),
        tile_count(static_cast<int>(ceil_div(rows, kCols))),
        splits(std::clamp(static_cast<int>(ceil_div(kFill, row_tiles)), 1, std::max(1, tile_count / 2))),
        padded_rows(int64_t{tile_count} * kCols),
        inv_tau(1.f / tau),
        range(tau >= kSmallestBoundedTau ? Range::bounded : Range::any) {}
  dim3 grid() const { return dim3(static_cast<unsigned>(row_tiles), static_cast<unsigned>(splits)); }
};
static_assert(kRows == kCols, "one padding of rows serves anchors and tiles");

void prepare(const Plan& p, const float* z, __nv_bfloat16* zb, const float* dloss, const float* lse, float* u,
             Queue q) {
  launch("ntxent_prepare", prepare_kernel,
         {.grid = dim3(static_cast<unsigned>(ceil_div(p.padded_rows * p.padded_dim, 256))), .block = dim3(256)}, q, z,
         p.rows, p.dim, static_cast<int>(p.padded_rows), p.padded_dim, zb, dloss, lse, p.inv_tau, u);
}

// Calls f with the padded dim and the range as compile-time constants.
template <class F>
void with_constants(const Plan& p, F f) {
  const auto with_range = [&](auto dim) {
    if (p.range == Range::bounded)
      f(dim, std::integral_constant<Range, Range::bounded>{});
    else
      f(dim, std::integral_constant<Range, Range::any>{});
  };
  switch (p.padded_dim) {
    case 32:
      return with_range(std::integral_constant<int, 32>{});
    case 64:
      return with_range(std::integral_constant<int, 64>{});
    case 128:
      return with_range(std::integral_constant<int, 128>{});
    default:
      return with_range(std::integral_constant<int, 256>{});
  }
}

}  // namespace

void ntxent_forward_mma(const NtXentForward<float>& a, Queue q) {
  const Plan p(a.z, a.tau);
  Scratch<__nv_bfloat16> zb(p.padded_rows * p.padded_dim, q);
  Scratch<float> sums(int64_t{p.splits} * p.rows, q), maxima(p.range == Range::any ? int64_t{p.splits} * p.rows : 0, q);
  prepare(p, a.z.data, zb.data(), nullptr, nullptr, nullptr, q);
  with_constants(p, [&](auto dim, auto range) {
    launch("ntxent_forward_mma", forward_kernel<dim.value, range.value>,
           {.grid = p.grid(), .block = dim3(kThreads), .smem_bytes = kSharedBytes<dim.value>}, q, zb.data(), p.rows,
           p.tile_count, p.inv_tau, p.inv_tau, sums.data(), maxima.data());
  });
  launch("ntxent_finish_forward", finish_forward_kernel,
         {.grid = dim3(static_cast<unsigned>(ceil_div(p.rows, 8))), .block = dim3(256)}, q, a.z.data, p.rows, p.dim,
         p.inv_tau, p.inv_tau, p.splits, sums.data(), maxima.data(), a.lse.data(), a.loss.data());
}

void ntxent_backward_mma(const NtXentBackward<float>& a, Queue q) {
  const Plan p(a.z, a.tau);
  Scratch<__nv_bfloat16> zb(p.padded_rows * p.padded_dim, q);
  const bool bounded = p.range == Range::bounded;
  Scratch<float> u(bounded ? p.rows : 0, q), partial(int64_t{p.splits} * p.rows * p.padded_dim, q);
  prepare(p, a.z.data, zb.data(), bounded ? a.dloss.data() : nullptr, a.lse.data(), u.data(), q);
  with_constants(p, [&](auto dim, auto range) {
    launch("ntxent_backward_mma", backward_kernel<dim.value, range.value>,
           {.grid = p.grid(), .block = dim3(kThreads), .smem_bytes = kSharedBytes<dim.value>}, q, zb.data(), p.rows,
           p.tile_count, p.inv_tau, p.inv_tau, bounded ? u.data() : a.dloss.data(), a.lse.data(), partial.data());
  });
  launch("ntxent_finish_backward", finish_backward_kernel,
         {.grid = dim3(static_cast<unsigned>(ceil_div(int64_t{p.rows} * p.dim, 256))), .block = dim3(256)}, q, a.z.data,
         a.dloss.data(), p.rows, p.dim, p.padded_dim, p.inv_tau, p.splits, partial.data(), a.dz.data,
         a.write == Write::add ? 1 : 0);
}

}  // namespace kith::kernels::cuda
