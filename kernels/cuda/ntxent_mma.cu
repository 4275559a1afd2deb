// The bf16 path: tiles of 16-row strips through mma.sync m16n8k16, operands in bf16, everything else in f32. Forward; backward
// is ntxent_mma_backward.cu, what they share ntxent_tiles.cuh.
//
// z is rounded to bf16 rows of Dim elements (dim padded to 32, 64, 128 or 256 with zeros), while a tile is loaded or, for
// many rows, once by a launch before. A block holds kWarps strips of 16 anchors as matrix fragments in registers and streams
// column tiles of 64 rows through shared memory, two in flight. A warp's strip of scores (16 x 64) stays in 32 registers per
// lane: exp and row sums; quads of lanes add their columns at the end.
//
// Column tiles are divided among `splits` blocks where the rows alone would not fill the device, two or more to a block so
// that one arrives while another is multiplied. The last block of a row tile to finish adds the splits in their order, and the
// positive pair in f32: one launch, and the same bits in every run, whichever block is last.
//
// Rows of shared memory are Dim + 8 elements apart: 16 bytes past a multiple of 128, so the 8 rows of an ldmatrix meet no
// bank twice. Traffic L2 -> SM: 2 rows^2 Dim / (16 kWarps) B of tiles and 2 splits rows Dim B of anchors,
// twice that where they are rounded on the way. Memory: the copy, 2 rows Dim B, where there is one; 8 splits rows B.
#include "kernels/cuda/core/ticket.cuh"
#include "kernels/cuda/ntxent_tiles.cuh"

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

// Adds the columns of this warp's strip: sum of exp(s - 1 / tau), or (max, sum), of its 16 rows into row_max, row_sum.
template <int Dim, Range R, class Source>
__device__ __forceinline__ void sum_rows(const Source& rows, const Source& columns, const Pass& p, int tile_count,
                                         float* row_max, float* row_sum) {
  __nv_bfloat16* strips = dynamic_shared<__nv_bfloat16>();
  __nv_bfloat16* tiles = strips + kRows * (Dim + kPad);
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int block_first = static_cast<int>(blockIdx.x) * kRows, strip = warp * 16 + lane / 4;
  const Strip<Dim> own = load_strip<Dim>(strips, rows, block_first, warp, lane);

  const int self[2] = {block_first + strip + p.self, block_first + strip + 8 + p.self};
  LogSum acc[2];
  if constexpr (R == Range::bounded) acc[0].max = acc[1].max = p.inv_tau;
  for_each_tile<Dim>(
      tiles, columns, tile_count, [](int, __nv_bfloat16*, int) {},
      [&](int, const __nv_bfloat16* tile, int first) {
        float s[kStrip][4];
        scores<Dim>(s, own, tile, lane);
#pragma unroll
        for (int j = 0; j < kStrip; ++j)
#pragma unroll
          for (int r = 0; r < 4; ++r) {
            const int k = first + 8 * j + 2 * (lane % 4) + r % 2, half = r / 2;
            if (k >= p.column_count || k == self[half]) continue;
            const float x = s[j][r] * p.inv_tau;
            if constexpr (R == Range::bounded)
              // argument in [-2 / tau, 0]: relative error 2^-21 + |x| 2^-23, below bf16's
              acc[half].sum += __expf(x - p.inv_tau);
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
    if (lane % 4 == 0) row_max[strip + 8 * half] = acc[half].max, row_sum[strip + 8 * half] = acc[half].sum;
  }
}

// partial [2][splits][rows]: sums and, where they differ, maxima.
template <int Dim, Range R, class Source>
__global__ void __launch_bounds__(kThreads)
    forward_kernel(Source rows, Source columns, Pass p, int tile_count, float* partial, unsigned* tickets,
                   float* __restrict__ lse, float* __restrict__ loss) {
  // In place of the strips, which are not needed any more by then.
  float *row_max = dynamic_shared<float>(), *row_sum = row_max + kRows, *row_lse = row_sum + kRows;
  sum_rows<Dim, R>(rows, columns, p, tile_count, row_max, row_sum);
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

  // The score of the positive, in f32. Of NT-Xent both rows of a pair are here and share it: a warp takes 8 pairs, four at a
  // time; else its 16 rows.
  const int warp = t / kWarp, lane = t % kWarp, step = p.square ? 2 : 1;
#pragma unroll 4
  for (int turn = 0; turn < 16 / step; ++turn) {
    const int strip = 16 * warp + turn * step, a = first + strip;
    const int positive = a < p.row_count ? p.positive_column(a) : -1;
    float s = 0.f;
    for (int d = lane; d < p.dim && positive >= 0; d += kWarp)
      s += p.rows[int64_t{a} * p.dim + d] * p.columns[int64_t{positive} * p.dim + d];
    s = warp_sum(s) * p.inv_tau;
    if (lane < step && a < p.row_count) loss[a + lane] = positive < 0 ? NAN : row_lse[strip + lane] - s;
  }
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

void ntxent_forward_mma(const NtXentForward<float>& a, Queue q, Operands operands) {
  const Pass p = rows_are_anchors(a);
  const Plan plan(p, a.tau, operands);
  const int splits = plan.splits(plan.tile_count / 2, q);
  Scratch<__nv_bfloat16> copy(plan.copy_elements(), q);
  Scratch<float> partial(splits > 1 ? int64_t{plan.range == Range::any ? 2 : 1} * splits * p.row_count : 0, q);
  const Tickets tickets(splits > 1 ? plan.row_tiles : 0, q);
  ntxent_prepare(plan, p, copy.data(), q);
  with_constants(plan, p, copy.data(), [&](auto dim, auto range, auto rows, auto columns) {
    launch("ntxent_forward_mma", forward_kernel<dim.value, range.value, decltype(rows)>, plan.shape(splits), q, rows,
           columns, p, plan.tile_count, partial.data(), tickets.data(), a.lse.data(), a.loss.data());
  });
}

}  // namespace kith::kernels::cuda
