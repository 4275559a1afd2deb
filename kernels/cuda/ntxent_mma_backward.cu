// Backward of the bf16 path (see ntxent_mma.cu). The scores of a strip become weights W = e^s (u_i + u_k), u = g e^-lse, are
// packed to bf16 as the A operand of a second product W Z (the columns Z read transposed by ldmatrix from the tile already there),
// accumulated in f32: one pass gives dz of NT-Xent, since W holds both the row's and the column's share. Of the other passes one
// of the two is zero.
//
// W of NT-Xent is symmetric, but only forward takes half of it (ntxent_mma_pairs.cu): a tile of scores that served both sides
// would write a second product of 64 columns, 256 Dim B, for 128 Dim B that it reads. A quarter of the products is not worth
// that traffic.
//
// Where column tiles are split among blocks, their partial products are added in the order of the splits: by the last block of
// a row tile, or, where a launch more does not count, by one that spreads them over the device. A block streams tiles of rows
// Dim / splits elements and the sum reads splits rows Dim: splits up to the square root of the number of tiles balance the two
// where bytes decide. Of few rows latency does: one H200 took 49.5 us at 1,024 rows, 4 tiles to a block, up to 12 us for a tile
// of 64 columns, while a split more is 32 KiB to add, 1 us. There splits are up to three times as many, down to two tiles to a
// block; derived, not timed.
// Memory: the bf16 copies, where there are any; 4 splits rows Dim B where there are splits.
#include <cmath>

#include "kernels/cuda/core/ticket.cuh"
#include "kernels/cuda/ntxent_gradient.cuh"
#include "kernels/cuda/ntxent_plan.cuh"

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

template <Range R>
__device__ __forceinline__ float weight(float x, float bound, float2 row, float2 column) {
  if constexpr (R == Range::bounded) return __expf(x - bound) * (row.x + column.x);
  return row.x * expf(x - row.y) + column.x * expf(x - column.y);
}

// Adds the partial products of elements 4e .. 4e + 3 of [rows][Dim], in the order of the splits.
template <int Dim>
__device__ __forceinline__ void add_splits(const Pass& p, const Gradient& g, const float* partial, int splits,
                                           int64_t e) {
  const int row = static_cast<int>(e / (Dim / 4)), d = static_cast<int>(e % (Dim / 4)) * 4;
  if (row >= p.row_count || d >= p.dim) return;
  float4 sum = make_float4(0.f, 0.f, 0.f, 0.f);
#pragma unroll 4  // loads in flight
  for (int split = 0; split < splits; ++split) {
    const float4 v = *reinterpret_cast<const float4*>(partial + (int64_t{split} * p.row_count + row) * Dim + d);
    sum = make_float4(sum.x + v.x, sum.y + v.y, sum.z + v.z, sum.w + v.w);
  }
  finish(p, g, row, d, sum.x);
  if (d + 1 < p.dim) finish(p, g, row, d + 1, sum.y);
  if (d + 2 < p.dim) finish(p, g, row, d + 2, sum.z);
  if (d + 3 < p.dim) finish(p, g, row, d + 3, sum.w);
}

constexpr int kAddThreads = 256;
template <int Dim>
__global__ void __launch_bounds__(kAddThreads)
    add_splits_kernel(Pass p, Gradient g, const float* __restrict__ partial, int splits) {
  add_splits<Dim>(p, g, partial, splits, int64_t{blockIdx.x} * kAddThreads + threadIdx.x);
}

// Adds weights times columns of one tile to sums; weights are this warp's scores when it comes.
template <int Dim, int Sets, int Count>
__device__ __forceinline__ void add_product(float (&sums)[Sets][Dim / 8][4], const float (&w)[Sets][Count][4],
                                            const __nv_bfloat16* tile, int lane) {
  // The accumulator layout of two neighbouring 16 x 8 blocks is the layout of one 16 x 16 A operand.
#pragma unroll
  for (int j = 0; j < Count; j += 2) {
    uint32_t weights[Sets][4];
#pragma unroll
    for (int set = 0; set < Sets; ++set)
#pragma unroll
      for (int r = 0; r < 4; ++r)
        weights[set][r] = pack(w[set][j + r / 2][2 * (r % 2)], w[set][j + r / 2][2 * (r % 2) + 1]);
#pragma unroll
    for (int d = 0; d < Dim / 8; d += 2) {
      uint32_t b[4];
      ldmatrix_x4_trans(b, tile + (8 * j + 8 * (lane / 8 % 2) + lane % 8) * (Dim + kPad) + 8 * d + 8 * (lane / 16));
#pragma unroll
      for (int set = 0; set < Sets; ++set) {
        mma_bf16(sums[set][d], weights[set], {b[0], b[1]});
        mma_bf16(sums[set][d + 1], weights[set], {b[2], b[3]});
      }
    }
  }
}

// partial [splits][rows][Dim]; tickets [row tiles], null: the splits are added by the next launch.
template <int Dim, Range R, class Source>
__global__ void __launch_bounds__(kThreads, 2) backward_kernel(Source rows, Source columns, Pass p, int tile_count,
                                                               Gradient g, float* partial, unsigned* tickets) {
  constexpr int kSets = Source::kSets, kRows = rows_of(kSets);
  const int t = static_cast<int>(threadIdx.x), lane = t % kWarp;
  const int block_first = static_cast<int>(blockIdx.x) * kRows, splits = static_cast<int>(gridDim.y);
  const int own_first = block_first + t / kWarp * 16 * kSets + lane / 4;  // and 8, 16, 24 rows on
  float2 own[2 * kSets];
#pragma unroll
  for (int i = 0; i < 2 * kSets; ++i) own[i] = contribution<R>(p, g.row, p.row_count, own_first + 8 * i);
  float sums[kSets][Dim / 8][4] = {};
  stream<Dim, Dim * kSets <= 128 ? Fragments::kept : Fragments::read>(
      rows, block_first, columns, {static_cast<int>(blockIdx.y), tile_count, splits},
      [&](int stage, __nv_bfloat16* tile, int first) {
        if (t < kCols) column_at<Dim>(stage, tile, t) = contribution<R>(p, g.column, p.column_count, first + t);
      },
      [&](const auto& strip, int stage, __nv_bfloat16* tile, int first) {
        constexpr int kCount = kStrip / kSets;  // a half of the tile at a time, where there are two sets: registers
#pragma unroll 1
        for (int from = 0; from < kCols; from += 8 * kCount) {
          const __nv_bfloat16* part = tile + from * (Dim + kPad);
          float w[kSets][kCount][4];
          scores(w, strip, part, lane);
#pragma unroll
          for (int j = 0; j < kCount; ++j)
#pragma unroll
            for (int c = 0; c < 2; ++c) {
              const int at = from + 8 * j + 2 * (lane % 4) + c, k = first + at;
              const float2 column = column_at<Dim>(stage, tile, at);
#pragma unroll
              for (int i = 0; i < 2 * kSets; ++i) {
                float& x = w[i / 2][j][2 * (i % 2) + c];
                x = k >= p.column_count || k == own_first + 8 * i + p.self
                        ? 0.f
                        : weight<R>(x * p.inv_tau, p.inv_tau, own[i], column);
              }
            }
          add_product<Dim>(sums, w, part, lane);
        }
      });

#pragma unroll
  for (int d = 0; d < Dim / 8; ++d)
#pragma unroll
    for (int i = 0; i < 2 * kSets; ++i) {
      const int row = own_first + 8 * i, column = 8 * d + 2 * (lane % 4);
      const float x = sums[i / 2][d][2 * (i % 2)], y = sums[i / 2][d][2 * (i % 2) + 1];
      if (row >= p.row_count) continue;
      if (splits > 1) {
        *reinterpret_cast<float2*>(partial + (int64_t{blockIdx.y} * p.row_count + row) * Dim + column) =
            make_float2(x, y);
      } else {
        if (column < p.dim) finish(p, g, row, column, x);
        if (column + 1 < p.dim) finish(p, g, row, column + 1, y);
      }
    }
  if (splits == 1 || tickets == nullptr || !last_block(tickets + blockIdx.x, gridDim.y)) return;
#pragma unroll 2  // loads in flight
  for (int e = t; e < kRows * Dim / 4; e += kThreads)
    add_splits<Dim>(p, g, partial, splits, int64_t{block_first} * (Dim / 4) + e);
}

int most_splits(int tiles, bool many_rows) {
  const double root = std::sqrt(tiles);
  const long balanced = std::lround(root);
  return static_cast<int>(many_rows ? balanced : std::max(balanced, std::min(tiles / 2l, std::lround(3 * root))));
}

}  // namespace

void ntxent_add_splits(const Pass& p, const Gradient& g, const float* partial, int splits, int padded_dim, Queue q) {
  const auto add = [&](auto dim) {
    launch("ntxent_add_splits", add_splits_kernel<dim.value>,
           {.grid = dim3(static_cast<unsigned>(ceil_div(int64_t{p.row_count} * dim.value / 4, kAddThreads))),
            .block = dim3(kAddThreads)},
           q, p, g, partial, splits);
  };
  switch (padded_dim) {
    case 32:
      return add(std::integral_constant<int, 32>{});
    case 64:
      return add(std::integral_constant<int, 64>{});
    case 128:
      return add(std::integral_constant<int, 128>{});
    default:
      return add(std::integral_constant<int, 256>{});
  }
}

void ntxent_backward_mma(const NtXentBackward<float>& a, Queue q, Operands operands) {
  for_each_pass(a, Products::bf16, q, [&](const Pass& p, const Gradient& g) {
    const Plan plan(p, a.tau, operands);
    Scratch<__nv_bfloat16> copy(plan.copy_elements(), q);
    ntxent_prepare(plan, p, copy.data(), q);
    with_constants(plan, p, copy.data(), [&](auto dim, auto range, auto rows, auto columns) {
      const int resident = resident_blocks(
          "ntxent_backward_mma", backward_kernel<dim.value, range.value, decltype(rows)>, kThreads, plan.smem_bytes());
      const int splits = plan.splits(resident, most_splits(plan.tile_count, plan.prepared), q);
      const bool by_tickets = splits > 1 && !plan.prepared;
      const Scratch<float> partial(splits > 1 ? int64_t{splits} * p.row_count * dim.value : 0, q);
      const Tickets tickets(by_tickets ? plan.row_tiles : 0, q);
      launch("ntxent_backward_mma", backward_kernel<dim.value, range.value, decltype(rows)>, plan.shape(splits), q,
             rows, columns, p, plan.tile_count, g, partial.data(), by_tickets ? tickets.data() : nullptr);
      if (splits == 1 || by_tickets) return;
      ntxent_add_splits(p, g, partial.data(), splits, dim.value, q);
    });
  });
}

}  // namespace kith::kernels::cuda
