// The bf16 path: tiles of 16-row sets through mma.sync m16n8k16, operands in bf16, everything else in f32. Forward of anchors
// against keys; of NT-Xent, whose scores are symmetric, it is ntxent_mma_pairs.cu, backward ntxent_mma_backward.cu, what all
// share ntxent_tiles.cuh, how a problem is cut ntxent_plan.cuh.
//
// z is rounded to bf16 rows of Dim elements (dim padded to 32, 64, 128 or 256 with zeros), while a tile is loaded or, for
// many rows, once by a launch before. A warp holds one or two sets of 16 anchors as matrix fragments in registers; the block
// streams column tiles of 64 rows through shared memory, two in flight. The scores of a set (16 x 64) stay in 32 registers per
// lane: exp and row sums; quads of lanes add their columns at the end.
//
// Column tiles are divided among `splits` blocks where the rows alone would not fill the device, two or more to a block so
// that one arrives while another is multiplied. The last block of a row tile to finish adds the splits in their order, and the
// score of the positive: one launch, and the same bits in every run, whichever block is last.
//
// Rows of shared memory are Dim + 8 elements apart: 16 bytes past a multiple of 128, so the 8 rows of an ldmatrix meet no
// bank twice. Traffic L2 -> SM: 2 M N Dim / rows of a block B of tiles and 2 splits M Dim B of anchors, twice that where
// they are rounded on the way. Memory: the copies, 2 (M + N) Dim B, where there are any; 8 splits M B.
#include "kernels/cuda/core/ticket.cuh"
#include "kernels/cuda/ntxent_plan.cuh"

namespace kith::kernels::cuda {
namespace {

__global__ void __launch_bounds__(256) prepare_kernel(const float* __restrict__ z, int rows, int dim,
                                                      int64_t padded_rows, int padded_dim, __nv_bfloat16* copy) {
  const int64_t at = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (at >= padded_rows * padded_dim) return;
  const int64_t r = at / padded_dim;
  const int d = static_cast<int>(at % padded_dim);
  copy[at] = __float2bfloat16(r < rows && d < dim ? z[r * dim + d] : 0.f);
}

// Adds this block's columns to its rows: sum of exp(s - 1 / tau), or (max, sum), into row_max and row_sum [rows of the block].
template <int Dim, Range R, class Source>
__device__ __forceinline__ void sum_rows(const Source& rows, const Source& columns, const Pass& p, Tiles tiles,
                                         float* row_max, float* row_sum) {
  constexpr int kSets = Source::kSets;
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int block_first = static_cast<int>(blockIdx.x) * rows_of(kSets), strip = warp * 16 * kSets + lane / 4;
  const int self = block_first + strip + p.self;

  LogSum acc[kSets][2];
#pragma unroll
  for (int i = 0; i < 2 * kSets; ++i)
    if constexpr (R == Range::bounded) acc[i / 2][i % 2].max = p.inv_tau;
  stream<Dim, Dim <= 128 ? Fragments::kept : Fragments::read>(
      rows, block_first, columns, tiles, [](int, __nv_bfloat16*, int) {},
      [&](const auto& own, int, const __nv_bfloat16* tile, int first) {
        float s[kSets][kStrip][4];
        scores(s, own, tile, lane);
#pragma unroll
        for (int set = 0; set < kSets; ++set)
#pragma unroll
          for (int j = 0; j < kStrip; ++j)
#pragma unroll
            for (int r = 0; r < 4; ++r) {
              const int k = first + 8 * j + 2 * (lane % 4) + r % 2, half = r / 2;
              if (k >= p.column_count || k == self + 16 * set + 8 * half) continue;
              const float x = s[set][j][r] * p.inv_tau;
              if constexpr (R == Range::bounded)
                // argument in [-2 / tau, 0]: relative error 2^-21 + |x| 2^-23, below bf16's
                acc[set][half].sum += __expf(x - p.inv_tau);
              else
                acc[set][half].add(x);
            }
      });
#pragma unroll
  for (int i = 0; i < 2 * kSets; ++i) {
    LogSum& row = acc[i / 2][i % 2];
    for (int bits = 1; bits < 4; bits *= 2) {  // the quad of lanes that shares a row
      const float m = __shfl_xor_sync(kAllLanes, row.max, bits), x = __shfl_xor_sync(kAllLanes, row.sum, bits);
      if constexpr (R == Range::bounded)
        row.sum += x;
      else
        row.merge(m, x);
    }
    if (lane % 4 == 0) row_max[strip + 8 * i] = row.max, row_sum[strip + 8 * i] = row.sum;
  }
}

// partial [2][splits][rows]: sums and, where they differ, maxima.
template <int Dim, Range R, class Source>
__global__ void __launch_bounds__(kThreads)
    forward_kernel(Source rows, Source columns, Pass p, int tile_count, float* partial, unsigned* tickets,
                   float* __restrict__ lse, float* __restrict__ loss) {
  constexpr int kRows = rows_of(Source::kSets);
  static_assert(kRows <= kThreads, "a thread to a row");
  // In place of the strips, which are not needed any more by then.
  float *row_max = dynamic_shared<float>(), *row_sum = row_max + kRows, *row_lse = row_sum + kRows;
  sum_rows<Dim, R>(rows, columns, p, {static_cast<int>(blockIdx.y), tile_count, static_cast<int>(gridDim.y)}, row_max,
                   row_sum);
  __syncthreads();  // the sums of all strips are written

  const int t = static_cast<int>(threadIdx.x), first = static_cast<int>(blockIdx.x) * kRows, row = first + t;
  const int splits = static_cast<int>(gridDim.y);
  const bool mine = t < kRows && row < p.row_count;
  LogSum acc;
  if (mine) acc.merge(row_max[t], row_sum[t]);
  if (splits > 1) {
    float *sums = partial, *maxima = partial + int64_t{splits} * p.row_count;
    if (mine) {
      const int64_t at = int64_t{blockIdx.y} * p.row_count + row;
      sums[at] = acc.sum;
      if constexpr (R == Range::any) maxima[at] = acc.max;
    }
    if (!last_block(tickets + blockIdx.x, gridDim.y)) return;
    if (mine) {
      acc = LogSum{};
      for (int split = 0; split < splits; ++split) {
        const int64_t at = int64_t{split} * p.row_count + row;
        acc.merge(R == Range::any ? maxima[at] : p.inv_tau, sums[at]);
      }
    }
  }
  if (mine) lse[row] = row_lse[t] = acc.log_sum_exp();
  __syncthreads();  // row_lse is written
  put_losses(p, first, kRows, row_lse, loss);
}

}  // namespace

void ntxent_prepare(const Plan& plan, const Pass& p, __nv_bfloat16* copy, Queue q) {
  const auto prepare = [&](const float* from, int count, int64_t elements, __nv_bfloat16* to) {
    if (elements == 0) return;
    launch("ntxent_prepare", prepare_kernel,
           {.grid = dim3(static_cast<unsigned>(ceil_div(elements, 256))), .block = dim3(256)}, q, from, count, p.dim,
           elements / plan.padded_dim, plan.padded_dim, to);
  };
  prepare(p.columns, p.column_count, plan.column_elements(), copy);
  prepare(p.rows, p.row_count, plan.row_elements(), copy + plan.column_elements());
}

void ntxent_forward_mma(const NtXentForward<float>& a, Queue q, Operands operands, int few_groups) {
  const Pass p = rows_are_anchors(a);
  const Plan plan(p, a.tau, operands);
  Scratch<__nv_bfloat16> copy(plan.copy_elements(), q);
  ntxent_prepare(plan, p, copy.data(), q);
  if (ntxent_forward_by_pairs(a, plan, p, copy.data(), few_groups, q)) return;
  with_constants(plan, p, copy.data(), [&](auto dim, auto range, auto rows, auto columns) {
    const int resident = resident_blocks("ntxent_forward_mma", forward_kernel<dim.value, range.value, decltype(rows)>,
                                         kThreads, plan.smem_bytes());
    // At least two tiles to a block, so that one arrives while another is multiplied.
    const int splits = plan.splits(resident, plan.tile_count / 2, q);
    const Scratch<float> partial(splits > 1 ? int64_t{plan.range == Range::any ? 2 : 1} * splits * p.row_count : 0, q);
    const Tickets tickets(splits > 1 ? plan.row_tiles : 0, q);
    launch("ntxent_forward_mma", forward_kernel<dim.value, range.value, decltype(rows)>, plan.shape(splits), q, rows,
           columns, p, plan.tile_count, partial.data(), tickets.data(), a.lse.data(), a.loss.data());
  });
}

}  // namespace kith::kernels::cuda
