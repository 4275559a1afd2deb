// Rows as fp16 for the tensor cores, and what the conversion lost: the norm of a row and the norm of its difference from
// its fp16 copy, from which the certificate of topk_finish.cu bounds every score's error.
//
// The database's rows are converted less a vector m near them all, the mean of some: one query's scores keep their order, and
// their errors scale with |x - m|. Where rows differ little from each other, fp16 then tells them apart.
//
// One warp to a row at a time. Queries have a power of two for each row (it does not change their order of scores); the database has
// one for all its rows, found by a first pass. Traffic: database twice in, queries once (the second read of a row hits L1),
// fp16 copies out.
#include <cstddef>

#include "kernels/cuda/topk.cuh"

namespace kith::kernels::cuda {
namespace {

constexpr int kWarps = 8;
constexpr int kRowsPerWarp = 4, kBlockRows = kWarps * kRowsPerWarp;  // of the database
static_assert(kTopKTile % kBlockRows == 0, "padded rows are whole blocks");

__device__ __forceinline__ unsigned warp_max_bits(unsigned v) {
  for (int bits = kWarp / 2; bits > 0; bits /= 2) {
    const unsigned other = __shfl_xor_sync(kAllLanes, v, bits);
    v = other > v ? other : v;
  }
  return v;
}

// Raises to[0 .. Count) to what any thread of the block has. One atomic for a block: those on one place follow each other, and
// one for each of 50,000 rows takes longer than reading them.
template <int Count>
__device__ __forceinline__ void block_max(const unsigned (&v)[Count], unsigned* to) {
  __shared__ unsigned part[kWarps][Count];
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
  for (int i = 0; i < Count; ++i) {
    const unsigned most = warp_max_bits(v[i]);
    if (lane == i) part[warp][i] = most;
  }
  __syncthreads();  // every warp's are written
  if (threadIdx.x >= Count) return;
  unsigned most = 0;
  for (int w = 0; w < kWarps; ++w) most = max(most, part[w][threadIdx.x]);
  atomicMax(to + threadIdx.x, most);
}

// m, from up to 256 rows. Elements that are large, or not a number, become 0: less m, no finite number overflows.
__global__ void __launch_bounds__(kWarps* kWarp) mean_kernel(TopKSearch s) {
  __shared__ double part[kWarps][kWarp];
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int d = static_cast<int>(blockIdx.x) * kWarp + lane;
  const int64_t step = (int64_t{s.database_rows} + 255) / 256;
  double sum = 0;
  for (int64_t row = warp * step; d < s.dim && row < s.database_rows; row += kWarps * step)
    sum += s.database[row * s.dim + d];
  part[warp][lane] = sum;
  __syncthreads();  // every warp's sums are written
  if (warp != 0 || d >= s.dim) return;
  for (int w = 1; w < kWarps; ++w) sum += part[w][lane];
  const double mean = sum / static_cast<double>((int64_t{s.database_rows} + step - 1) / step);
  s.mean[d] = fabs(mean) <= 0x1p102 ? static_cast<float>(mean) : 0.f;
}

// Element d of a row less the mean, which may be absent.
__device__ __forceinline__ double element(const float* row, const float* mean, int d) {
  return mean == nullptr ? static_cast<double>(row[d]) : static_cast<double>(row[d]) - static_cast<double>(mean[d]);
}

// The largest magnitude of a row as bits; above those of any finite number where one is not finite.
__device__ __forceinline__ unsigned row_largest(const float* row, const float* mean, int dim) {
  unsigned largest = 0;
  for (int d = static_cast<int>(threadIdx.x) % kWarp; d < dim; d += kWarp) {
    const unsigned bits = __float_as_uint(static_cast<float>(element(row, mean, d))) & 0x7FFFFFFFu;
    largest = bits > largest ? bits : largest;
  }
  return warp_max_bits(largest);
}

struct RowNorms {
  float norm, residual;
};

// The row times 2^exponent as fp16, with zeros up to padded_dim.
__device__ __forceinline__ RowNorms convert_row(const float* row, const float* mean, int dim, int padded_dim,
                                                int exponent, __half* out) {
  const double scale = scalbn(1.0, exponent);
  double norm = 0, residual = 0;
  for (int d = static_cast<int>(threadIdx.x) % kWarp; d < padded_dim; d += kWarp) {
    const double x = d < dim ? element(row, mean, d) * scale : 0.0;
    const __half h = __float2half_rn(static_cast<float>(x));
    out[d] = h;
    const double kept = __half2float(h);
    norm += kept * kept;
    residual += (x - kept) * (x - kept);
  }
  return {static_cast<float>(sqrt(warp_sum(norm))), static_cast<float>(sqrt(warp_sum(residual)))};
}

__device__ __forceinline__ void zero_row(__half* out, int padded_dim) {
  for (int d = static_cast<int>(threadIdx.x) % kWarp; d < padded_dim; d += kWarp) out[d] = __float2half_rn(0.f);
}

// The first database row of this warp.
__device__ __forceinline__ int64_t first_row() {
  return int64_t{blockIdx.x} * kBlockRows + static_cast<int>(threadIdx.x) / kWarp * kRowsPerWarp;
}

__global__ void __launch_bounds__(kWarps* kWarp) largest_kernel(TopKSearch s) {
  unsigned of_rows[1] = {0};
#pragma unroll
  for (int n = 0; n < kRowsPerWarp; ++n) {
    const int64_t row = first_row() + n;
    if (row >= s.database_rows) break;
    const unsigned largest = row_largest(s.database + row * s.dim, s.mean, s.dim);
    of_rows[0] = max(of_rows[0], largest);
    if (largest >= 0x7F800000u && threadIdx.x % kWarp == 0)
      atomicMin(&s.findings->database, static_cast<unsigned long long>(s.first + row));
  }
  block_max(of_rows, &s.database_bound->largest);
}

__global__ void __launch_bounds__(kWarps* kWarp) convert_database_kernel(TopKSearch s) {
  const int exponent = topk_exponent(s.database_bound->largest);
  unsigned of_rows[2] = {0, 0};
#pragma unroll 1
  for (int n = 0; n < kRowsPerWarp; ++n) {
    const int64_t row = first_row() + n;
    __half* out = s.half_database + row * s.padded_dim;
    if (row >= s.database_rows) {
      zero_row(out, s.padded_dim);
      continue;
    }
    const RowNorms norms = convert_row(s.database + row * s.dim, s.mean, s.dim, s.padded_dim, exponent, out);
    of_rows[0] = max(of_rows[0], __float_as_uint(norms.norm));
    of_rows[1] = max(of_rows[1], __float_as_uint(norms.residual));
  }
  static_assert(offsetof(TopKDatabaseBound, residual) == offsetof(TopKDatabaseBound, norm) + sizeof(unsigned));
  block_max(of_rows, &s.database_bound->norm);
}

__global__ void __launch_bounds__(kWarps* kWarp) convert_queries_kernel(TopKSearch s) {
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp;
  __half* out = s.half_queries + row * s.padded_dim;
  if (row >= s.query_rows) return zero_row(out, s.padded_dim);
  const float* in = s.queries + row * s.dim;
  const unsigned largest = row_largest(in, nullptr, s.dim);
  const int exponent = topk_exponent(largest);
  const RowNorms n = convert_row(in, nullptr, s.dim, s.padded_dim, exponent, out);
  double offset = 0, query = 0, mean = 0;
  for (int d = static_cast<int>(threadIdx.x) % kWarp; d < s.dim; d += kWarp) {
    const double q = in[d], m = s.mean[d];
    offset += q * m;
    query += q * q;
    mean += m * m;
  }
  offset = warp_sum(offset);
  const double products = sqrt(warp_sum(query)) * sqrt(warp_sum(mean));
  if (threadIdx.x % kWarp != 0) return;
  // The sums <q, m> and <q, x>, |x| <= |x - m| + |m|, each of dim terms; their share with |x - m| is in the certificate.
  const double slack = 4 * (s.dim + 8) * 0x1p-53 * products;
  s.query_bound[row] = {offset, slack, n.norm, n.residual, exponent};
  if (largest >= 0x7F800000u) atomicMin(&s.findings->query, static_cast<unsigned long long>(row));
}

LaunchShape rows_shape(int64_t rows, int of_block) {
  return {.grid = dim3(static_cast<unsigned>(ceil_div(rows, of_block))), .block = dim3(kWarps * kWarp)};
}
int64_t padded(int64_t rows) { return ceil_div(rows, kTopKTile) * kTopKTile; }

}  // namespace

void topk_prepare_database(const TopKSearch& s, Queue q) {
  launch("topk_mean", mean_kernel,
         {.grid = dim3(static_cast<unsigned>(ceil_div(s.dim, kWarp))), .block = dim3(kWarps * kWarp)}, q, s);
  launch("topk_largest", largest_kernel, rows_shape(s.database_rows, kBlockRows), q, s);
  launch("topk_convert_database", convert_database_kernel, rows_shape(padded(s.database_rows), kBlockRows), q, s);
}

void topk_prepare_queries(const TopKSearch& s, Queue q) {
  launch("topk_convert_queries", convert_queries_kernel, rows_shape(padded(s.query_rows), kWarps), q, s);
}

}  // namespace kith::kernels::cuda
