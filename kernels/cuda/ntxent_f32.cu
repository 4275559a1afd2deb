// Forward of the f32 path (see ntxent_f32.cuh): scores become exponentials, with a running maximum for any finite rows.
#include "kernels/cuda/ntxent_f32.cuh"

namespace kith::kernels::cuda {
namespace {

using namespace f32;

// Takes Count scores more into the sum of a row's exponentials; those that do not count are -infinity. One exponential each.
template <int Count>
__device__ __forceinline__ void add_scores(LogSum& acc, const float (&s)[Count]) {
  float most = acc.max;
#pragma unroll
  for (int j = 0; j < Count; ++j) most = fmaxf(most, s[j]);  // passes over NaN
  const float shift = most == -INFINITY ? 0.f : most;        // 0: none has counted yet
  float sum = acc.sum * expf(acc.max - shift);
#pragma unroll
  for (int j = 0; j < Count; ++j) sum += expf(s[j] - shift);
  acc.max = most, acc.sum = sum;
}

// partial [3][splits][rows]: maxima, sums, scores of the positives.
template <int Dim>
__global__ void __launch_bounds__(kThreads, 3)
    forward_kernel(Pass p, Whole whole, int tiles, float* partial, unsigned* tickets, float* __restrict__ lse,
                   float* __restrict__ loss) {
  using T = Tile<Dim>;
  float *rows = dynamic_shared<float>(), *columns = rows + T::kRows * T::kLd;
  const Place at;
  const int first = static_cast<int>(blockIdx.x) * T::kRows, splits = static_cast<int>(gridDim.y);
  const auto load = [&](int tile) {
    if (tile >= tiles) return;
    load_rows<Dim, T::kColumns>(columns, p.columns, tile * T::kColumns, p.column_count, p.dim, whole.columns);
    cp_async_commit();
  };
  int positive[T::kHigh];
#pragma unroll
  for (int i = 0; i < T::kHigh; ++i) {
    const int row = first + at.down + kDown * i;
    positive[i] = row < p.row_count ? p.positive_column(row) : -1;
  }
  LogSum acc[T::kHigh];
  float of_positive[T::kHigh] = {};
  load_rows<Dim, T::kRows>(rows, p.rows, first, p.row_count, p.dim, whole.rows);
  load(static_cast<int>(blockIdx.y));
  for (int tile = static_cast<int>(blockIdx.y); tile < tiles; tile += splits) {
    cp_async_wait<0>();
    __syncthreads();  // the columns, and the first time the rows, have arrived for all warps
    float s[T::kHigh][T::kWide];
    multiply<Dim>(s, rows + at.down * T::kLd, columns + at.across * T::kLd);
    __syncthreads();  // all warps have read the columns: the next overwrite them
    load(tile + splits);
#pragma unroll
    for (int i = 0; i < T::kHigh; ++i) {
      const int self = first + at.down + kDown * i + p.self;
#pragma unroll
      for (int j = 0; j < T::kWide; ++j) {
        const int k = tile * T::kColumns + at.across + kAcross * j;
        s[i][j] = k >= p.column_count || k == self ? -INFINITY : s[i][j] * p.inv_tau;  // Eq. 1 sums over k != i
        if (k == positive[i]) of_positive[i] = s[i][j];                                // one lane of one block meets it
      }
      add_scores(acc[i], s[i]);
    }
  }

  // In place of the rows, which all warps have read by the last barrier.
  float *row_max = rows, *row_sum = row_max + T::kRows, *row_positive = row_sum + T::kRows;
#pragma unroll
  for (int i = 0; i < T::kHigh; ++i) {
    for (int bits = 1; bits < kWarp; bits = bits == 1 ? 8 : 2 * bits) {  // of the lanes that share a row
      const float m = __shfl_xor_sync(kAllLanes, acc[i].max, bits), n = __shfl_xor_sync(kAllLanes, acc[i].sum, bits);
      acc[i].merge(m, n);
      of_positive[i] += __shfl_xor_sync(kAllLanes, of_positive[i], bits);
    }
    const int r = at.down + kDown * i;
    if (at.across == 0) row_max[r] = acc[i].max, row_sum[r] = acc[i].sum, row_positive[r] = of_positive[i];
  }
  __syncthreads();  // the sums of all rows are written
  const int t = static_cast<int>(threadIdx.x), row = first + t;
  const bool mine = t < T::kRows && row < p.row_count;
  LogSum total;
  float score = 0.f;
  if (mine) total.merge(row_max[t], row_sum[t]), score = row_positive[t];
  if (splits > 1) {
    const int64_t of_kind = int64_t{splits} * p.row_count;
    if (mine) {
      float* own = partial + int64_t{blockIdx.y} * p.row_count + row;
      own[0] = total.max, own[of_kind] = total.sum, own[2 * of_kind] = score;
    }
    if (!last_block(tickets + blockIdx.x, gridDim.y)) return;
    total = LogSum{}, score = 0.f;
    for (int split = 0; split < splits && mine; ++split) {
      const float* of = partial + int64_t{split} * p.row_count + row;
      total.merge(of[0], of[of_kind]);
      score += of[2 * of_kind];
    }
  }
  if (!mine) return;
  lse[row] = total.log_sum_exp();
  loss[row] = p.positive_column(row) < 0 ? NAN : total.log_sum_exp() - score;
}

}  // namespace

void ntxent_forward_f32(const NtXentForward<float>& a, Queue q) {
  const Pass p = rows_are_anchors(a);
  with_dim(p, [&](auto dim) {
    constexpr int kDim = dim.value;
    constexpr size_t kBytes = Tile<kDim>::kForwardBytes;
    const Division<kDim> by(p, resident_blocks("ntxent_forward", forward_kernel<kDim>, kThreads, kBytes), q);
    const Scratch<float> partial(by.splits > 1 ? int64_t{3} * by.splits * p.row_count : 0, q);
    const Tickets tickets(by.tickets(), q);
    launch("ntxent_forward", forward_kernel<kDim>, by.shape(kBytes), q, p, whole_of(p), by.tiles, partial.data(),
           tickets.data(), a.lse.data(), a.loss.data());
  });
}

}  // namespace kith::kernels::cuda
