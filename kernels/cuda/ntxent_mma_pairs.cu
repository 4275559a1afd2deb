// Forward of NT-Xent on the bf16 path (see ntxent_mma.cu): s_ik = s_ki, so that a tile of scores serves the rows' sums and the
// columns'. Rows are taken in groups of `side`; a block has two groups (I, J), I <= J, and their side x side scores: its rows'
// sums over J, and, where I < J, its columns' over I, which are the sums of J's rows over I. Half of the products and
// exponentials of the whole square.
//
// partial[J][row] is the sum of a row over group J: each written by one block, so that nothing is added in an order of chance.
// A group's sums are complete when as many blocks as there are groups have come to its ticket; the last of them adds the
// parts in the order of the groups. What is added does not depend on the device.
//
// Columns: a lane holds 16 of a tile's 64, as parts of its 8 rows' group; three exchanges that halve what is held leave it
// two, summed over all rows of the warp. Each warp adds them up over the rows of the block in shared memory.
//
// Traffic L2 -> SM: rows^2 Dim (1 / side + 1 / rows of a block) B, twice that where rows are rounded on the way. Memory: the
// copy, where there is one; 4 groups rows B.
#include "kernels/cuda/core/ticket.cuh"
#include "kernels/cuda/ntxent_groups.cuh"
#include "kernels/cuda/ntxent_plan.cuh"

namespace kith::kernels::cuda {
namespace {

constexpr int kLargestSide = 1024;  // column sums of a block take 16 KiB of shared memory

// Adds parts of a tile's columns, which a lane holds for the rows that it has of the scores, over all rows of the warp: into
// sums [kCols].
__device__ __forceinline__ void add_columns(float (&part)[kStrip][2], float* sums, int lane) {
  static_assert(kStrip == 8, "a pair stays with a lane");
  const int pair = add_over_rows(part, lane);
  auto* at = reinterpret_cast<float2*>(sums + 8 * pair + 2 * (lane % 4));
  const float2 before = *at;
  *at = make_float2(before.x + part[0][0], before.y + part[0][1]);
}

// Of the scores of a block's rows, from row `first` on, with group `g.column`: adds up rows into partial and, where the groups
// are two, columns into this warp's `column_sums` [side].
template <int Dim, class Source>
__device__ __forceinline__ void sum_both(const Source& source, const Pass& p, int first, Groups g, int side,
                                         float* column_sums, float* partial) {
  constexpr int kSets = Source::kSets;
  const int lane = static_cast<int>(threadIdx.x) % kWarp,
            own_first = first + static_cast<int>(threadIdx.x) / kWarp * 16 * kSets + lane / 4;
  const int columns = g.column * side, n = p.row_count;
  // Of two groups, all rows and columns of which there are: every score counts.
  const bool whole = g.row != g.column && columns + side <= n;
  float rows[kSets][2] = {};
  stream<Dim, Fragments::kept>(
      source, first, source, {columns / kCols, (min(columns + side, n) + kCols - 1) / kCols, 1},
      [](int, __nv_bfloat16*, int) {},
      [&](const auto& own, int, const __nv_bfloat16* tile, int at) {
        float s[kSets][kStrip][4], of_column[kStrip][2] = {};
        scores(s, own, tile, lane);
#pragma unroll
        for (int set = 0; set < kSets; ++set)
#pragma unroll
          for (int j = 0; j < kStrip; ++j)
#pragma unroll
            for (int r = 0; r < 4; ++r) {
              const int row = own_first + 16 * set + 8 * (r / 2), k = at + 8 * j + 2 * (lane % 4) + r % 2;
              if (!whole && (row >= n || k >= n || k == row)) continue;
              // argument in [-2 / tau, 0]: relative error 2^-21 + |x| 2^-23, below bf16's
              const float e = __expf(s[set][j][r] * p.inv_tau - p.inv_tau);
              rows[set][r / 2] += e;
              of_column[j][r % 2] += e;
            }
        if (g.row != g.column) add_columns(of_column, column_sums + (at - columns), lane);
      });
#pragma unroll
  for (int i = 0; i < 2 * kSets; ++i) {
    float sum = rows[i / 2][i % 2];
    for (int bits = 1; bits < 4; bits *= 2) sum += __shfl_xor_sync(kAllLanes, sum, bits);  // the lanes that share a row
    const int row = own_first + 8 * i;
    if (lane % 4 == 0 && row < n) partial[int64_t{g.column} * n + row] = sum;
  }
}

// lse and loss of a group whose parts are complete.
template <int Rows>
__device__ __forceinline__ void finish_group(const Pass& p, int group, int groups, int side, const float* partial,
                                             float* __restrict__ lse, float* __restrict__ loss) {
  float* row_lse = dynamic_shared<float>();  // in place of the strips
  const int t = static_cast<int>(threadIdx.x);
  for (int first = group * side; first < min((group + 1) * side, p.row_count); first += Rows) {
    if (t < Rows && first + t < p.row_count) {
      float sum = 0.f;
#pragma unroll 8  // loads in flight
      for (int part = 0; part < groups; ++part) sum += partial[int64_t{part} * p.row_count + first + t];
      lse[first + t] = row_lse[t] = p.inv_tau + logf(sum);
    }
    __syncthreads();  // row_lse is written
    put_losses(p, first, Rows, row_lse, loss);
    __syncthreads();  // and read
  }
}

// partial [groups][rows], tickets [groups]
template <int Dim, class Source>
__global__ void __launch_bounds__(kThreads, 2)
    pairs_kernel(Source source, Pass p, int side, int groups, float* partial, unsigned* tickets,
                 float* __restrict__ lse, float* __restrict__ loss) {
  constexpr int kRows = rows_of(Source::kSets);
  static_assert(kRows <= kThreads, "a thread to a row");
  float* column_sums =
      reinterpret_cast<float*>(dynamic_shared<__nv_bfloat16>() + (kRows + 2 * kCols) * (Dim + kPad));  // [kWarps][side]
  const int t = static_cast<int>(threadIdx.x);
  const Groups g = groups_of(static_cast<int>(blockIdx.x));
  for (int c = t; c < kWarps * side; c += kThreads) column_sums[c] = 0.f;  // seen past the barriers of the first tile
  for (int first = g.row * side; first < min((g.row + 1) * side, p.row_count); first += kRows)
    sum_both<Dim>(source, p, first, g, side, column_sums + t / kWarp * side, partial);
  if (g.row != g.column) {
    __syncthreads();  // the sums of all warps are written
    for (int c = t; c < side && g.column * side + c < p.row_count; c += kThreads) {
      float sum = 0.f;
#pragma unroll
      for (int warp = 0; warp < kWarps; ++warp) sum += column_sums[warp * side + c];
      partial[int64_t{g.row} * p.row_count + g.column * side + c] = sum;
    }
  }
  const auto blocks = static_cast<unsigned>(groups);
  if (last_block(tickets + g.row, blocks)) finish_group<kRows>(p, g.row, groups, side, partial, lse, loss);
  if (g.row != g.column && last_block(tickets + g.column, blocks))
    finish_group<kRows>(p, g.column, groups, side, partial, lse, loss);
}

}  // namespace

bool ntxent_forward_by_pairs(const NtXentForward<float>& a, const Plan& plan, const Pass& p, const __nv_bfloat16* copy,
                             int few_groups, Queue q) {
  if (!p.square || plan.range != Range::bounded || plan.padded_dim > 128) return false;
  int side = plan.block_rows;
  while (side < kLargestSide && ceil_div(p.row_count, side) > few_groups) side *= 2;
  const int64_t groups = ceil_div(p.row_count, side);
  if (groups > 2 * few_groups) return false;
  const Scratch<float> partial(groups * p.row_count, q);
  const Tickets tickets(groups, q);
  with_constants(plan, p, copy, [&](auto dim, auto range, auto rows, auto) {
    if constexpr (dim.value <= 128 && range.value == Range::bounded)
      launch("ntxent_forward_pairs", pairs_kernel<dim.value, decltype(rows)>,
             {.grid = dim3(static_cast<unsigned>(groups * (groups + 1) / 2)),
              .block = dim3(kThreads),
              .smem_bytes = plan.smem_bytes() + sizeof(float) * kWarps * static_cast<size_t>(side)},
             q, rows, p, side, static_cast<int>(groups), partial.data(), tickets.data(), a.lse.data(), a.loss.data());
  });
  return true;
}

}  // namespace kith::kernels::cuda
