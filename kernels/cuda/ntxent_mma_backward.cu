// Backward of the bf16 path (see ntxent_mma.cu). The scores of a strip become weights W = e^s (u_i + u_k), u = g e^-lse, are
// packed to bf16 as the A operand of a second product W Z (the columns Z read transposed by ldmatrix from the tile already there),
// accumulated in f32: one pass gives dz of NT-Xent, since W holds both the row's and the column's share. Of the other passes one
// of the two is zero.
//
// Where column tiles are split among blocks, the last block of a row tile adds the partial products in their order. A block
// streams tiles of rows Dim / splits elements and the last one splits kRows Dim: splits up to the square root of the number
// of tiles balance the two.
// Memory: the bf16 copies, where there are any; 4 splits rows Dim B where there are splits.
#include <cmath>

#include "kernels/cuda/core/ticket.cuh"
#include "kernels/cuda/ntxent_tiles.cuh"

namespace kith::kernels::cuda {
namespace {

// Where the contribution of a column of a tile in flight stands: in the padding of its row at Dim 256, as sm_86 has no byte left
// beside the tiles; else in an array, which takes fewer registers.
template <int Dim>
__device__ __forceinline__ float2& column_at(int stage, __nv_bfloat16* tile, int k) {
  static_assert(sizeof(float2) <= kPad * sizeof(__nv_bfloat16));
  if constexpr (Dim < 256) {
    __shared__ float2 columns[2][kCols];
    return columns[stage][k];
  } else {
    return *reinterpret_cast<float2*>(tile + k * (Dim + kPad) + Dim);
  }
}

// What a column or row contributes: u and nothing else where exponents are bounded, otherwise g and lse.
template <Range R>
__device__ __forceinline__ float2 contribution(const Pass& p, const Upstream& side, int count, int k) {
  if (k >= count) return make_float2(0.f, 0.f);
  const float2 v = upstream_of(side, k);
  return make_float2(R == Range::bounded ? v.x * expf(p.inv_tau - v.y) : v.x, v.y);
}

template <Range R>
__device__ __forceinline__ float weight(float x, float bound, float2 row, float2 column) {
  if constexpr (R == Range::bounded) return __expf(x - bound) * (row.x + column.x);
  return row.x * expf(x - row.y) + column.x * expf(x - column.y);
}

// One element of the gradient, from its sum of weights times columns: the positive in f32. A row of NT-Xent is the positive of
// its own, and both shares are one.
__device__ __forceinline__ void finish(const Pass& p, const Gradient& g, int row, int d, float sum) {
  float weight = 0.f;
  int k = -1;
  if (g.row.lse != nullptr) {
    k = p.positive_column(row);
    weight = k < 0 ? NAN : g.row.dloss[row];
  }
  if (g.partners) {
    k = p.partner_column(row);
    if (k >= 0) weight += g.column.dloss[k];
  }
  if (k >= 0)
    sum -= weight * p.columns[int64_t{k} * p.dim + d];
  else
    sum += weight;  // NaN where a positive is no key
  put(g.out + int64_t{row} * p.dim + d, p.inv_tau * sum, g.add);
}

// partial [splits][rows][Dim]
template <int Dim, Range R, class Source>
__global__ void __launch_bounds__(kThreads) backward_kernel(Source rows, Source columns, Pass p, int tile_count,
                                                            Gradient g, float* partial, unsigned* tickets) {
  __nv_bfloat16* strips = dynamic_shared<__nv_bfloat16>();
  __nv_bfloat16* tiles = strips + kRows * (Dim + kPad);
  const int t = static_cast<int>(threadIdx.x), warp = t / kWarp, lane = t % kWarp;
  const int block_first = static_cast<int>(blockIdx.x) * kRows;
  const Strip<Dim> strip = load_strip<Dim>(strips, rows, block_first, warp, lane);

  const int row[2] = {block_first + warp * 16 + lane / 4, block_first + warp * 16 + lane / 4 + 8};
  const int self[2] = {row[0] + p.self, row[1] + p.self};
  const float2 own[2] = {contribution<R>(p, g.row, p.row_count, row[0]),
                         contribution<R>(p, g.row, p.row_count, row[1])};
  float sums[Dim / 8][4] = {};
  for_each_tile<Dim>(
      tiles, columns, tile_count,
      [&](int stage, __nv_bfloat16* tile, int first) {
        if (t < kCols) column_at<Dim>(stage, tile, t) = contribution<R>(p, g.column, p.column_count, first + t);
      },
      [&](int stage, __nv_bfloat16* tile, int first) {
        float w[kStrip][4];
        scores<Dim>(w, strip, tile, lane);
#pragma unroll
        for (int j = 0; j < kStrip; ++j)
#pragma unroll
          for (int r = 0; r < 4; ++r) {
            const int at = 8 * j + 2 * (lane % 4) + r % 2, k = first + at, half = r / 2;
            w[j][r] = k >= p.column_count || k == self[half]
                          ? 0.f
                          : weight<R>(w[j][r] * p.inv_tau, p.inv_tau, own[half], column_at<Dim>(stage, tile, at));
          }
      // The accumulator layout of two neighbouring 16 x 8 blocks is the layout of one 16 x 16 A operand.
#pragma unroll
        for (int j = 0; j < kStrip; j += 2) {
          const uint32_t weights[4] = {pack(w[j][0], w[j][1]), pack(w[j][2], w[j][3]), pack(w[j + 1][0], w[j + 1][1]),
                                       pack(w[j + 1][2], w[j + 1][3])};
#pragma unroll
          for (int d = 0; d < Dim / 8; d += 2) {
            uint32_t b[4];
            ldmatrix_x4_trans(b,
                              tile + (8 * j + 8 * (lane / 8 % 2) + lane % 8) * (Dim + kPad) + 8 * d + 8 * (lane / 16));
            mma_bf16(sums[d], weights, {b[0], b[1]});
            mma_bf16(sums[d + 1], weights, {b[2], b[3]});
          }
        }
      });

  const int splits = static_cast<int>(gridDim.y);
#pragma unroll
  for (int d = 0; d < Dim / 8; ++d)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int i = row[half], column = 8 * d + 2 * (lane % 4);
      if (i >= p.row_count) continue;
      if (splits > 1) {
        *reinterpret_cast<float2*>(partial + (int64_t{blockIdx.y} * p.row_count + i) * Dim + column) =
            make_float2(sums[d][2 * half], sums[d][2 * half + 1]);
      } else {
        if (column < p.dim) finish(p, g, i, column, sums[d][2 * half]);
        if (column + 1 < p.dim) finish(p, g, i, column + 1, sums[d][2 * half + 1]);
      }
    }
  if (splits == 1 || !last_block(tickets + blockIdx.x, gridDim.y)) return;
#pragma unroll 4  // loads in flight
  for (int e = t; e < kRows * Dim; e += kThreads) {
    const int i = block_first + e / Dim, d = e % Dim;
    if (i >= p.row_count || d >= p.dim) continue;
    float sum = 0.f;
    for (int split = 0; split < splits; ++split) sum += partial[(int64_t{split} * p.row_count + i) * Dim + d];
    finish(p, g, i, d, sum);
  }
}

}  // namespace

void ntxent_backward_mma(const NtXentBackward<float>& a, Queue q, Operands operands) {
  for_each_pass(a, q, [&](const Pass& p, const Gradient& g) {
    const Plan plan(p, a.tau, operands);
    const int splits = plan.splits(static_cast<int>(std::lround(std::sqrt(plan.tile_count))), q);
    Scratch<__nv_bfloat16> copy(plan.copy_elements(), q);
    Scratch<float> partial(splits > 1 ? int64_t{splits} * p.row_count * plan.padded_dim : 0, q);
    const Tickets tickets(splits > 1 ? plan.row_tiles : 0, q);
    ntxent_prepare(plan, p, copy.data(), q);
    with_constants(plan, p, copy.data(), [&](auto dim, auto range, auto rows, auto columns) {
      launch("ntxent_backward_mma", backward_kernel<dim.value, range.value, decltype(rows)>, plan.shape(splits), q,
             rows, columns, p, plan.tile_count, g, partial.data(), tickets.data());
    });
  });
}

}  // namespace kith::kernels::cuda
