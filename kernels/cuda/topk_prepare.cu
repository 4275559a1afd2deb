// Rows as fp16 for the tensor cores, and what the conversion lost: the norm of a row and the norm of its difference from
// its fp16 copy, from which the certificate of topk_finish.cu bounds every score's error.
//
// One warp per row. Queries have a power of two for each row (it does not change their order of scores); the database has
// one for all its rows, found by a first pass. Traffic: database twice in, queries once (the second read of a row hits L1),
// fp16 copies out.
#include "kernels/cuda/topk.cuh"

namespace kith::kernels::cuda {
namespace {

constexpr int kWarps = 8;

__device__ __forceinline__ unsigned warp_max_bits(unsigned v) {
  for (int bits = kWarp / 2; bits > 0; bits /= 2) {
    const unsigned other = __shfl_xor_sync(kAllLanes, v, bits);
    v = other > v ? other : v;
  }
  return v;
}

// The largest magnitude of a row as bits; above those of any finite number where one is not finite.
__device__ __forceinline__ unsigned row_largest(const float* row, int dim) {
  unsigned largest = 0;
  for (int d = static_cast<int>(threadIdx.x) % kWarp; d < dim; d += kWarp) {
    const unsigned bits = __float_as_uint(row[d]) & 0x7FFFFFFFu;
    largest = bits > largest ? bits : largest;
  }
  return warp_max_bits(largest);
}

struct RowNorms {
  float norm, residual;
};

// The row times 2^exponent as fp16, with zeros up to padded_dim.
__device__ __forceinline__ RowNorms convert_row(const float* row, int dim, int padded_dim, int exponent, __half* out) {
  const double scale = scalbn(1.0, exponent);
  double norm = 0, residual = 0;
  for (int d = static_cast<int>(threadIdx.x) % kWarp; d < padded_dim; d += kWarp) {
    const double x = d < dim ? row[d] * scale : 0.0;
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

__global__ void __launch_bounds__(kWarps* kWarp) largest_kernel(TopKSearch s) {
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp;
  if (row >= s.database_rows) return;
  const unsigned largest = row_largest(s.database + row * s.dim, s.dim);
  if (threadIdx.x % kWarp != 0) return;
  atomicMax(&s.database_bound->largest, largest);
  if (largest >= 0x7F800000u) atomicMin(&s.status->database, static_cast<unsigned long long>(s.first + row));
}

__global__ void __launch_bounds__(kWarps* kWarp) convert_database_kernel(TopKSearch s) {
  const int64_t row =
      int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp;  // below the padded rows: a multiple of kWarps
  __half* out = s.half_database + row * s.padded_dim;
  if (row >= s.database_rows) return zero_row(out, s.padded_dim);
  const RowNorms n =
      convert_row(s.database + row * s.dim, s.dim, s.padded_dim, topk_exponent(s.database_bound->largest), out);
  if (threadIdx.x % kWarp != 0) return;
  atomicMax(&s.database_bound->norm, __float_as_uint(n.norm));
  atomicMax(&s.database_bound->residual, __float_as_uint(n.residual));
}

__global__ void __launch_bounds__(kWarps* kWarp) convert_queries_kernel(TopKSearch s) {
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp;
  __half* out = s.half_queries + row * s.padded_dim;
  if (row >= s.query_rows) return zero_row(out, s.padded_dim);
  const float* in = s.queries + row * s.dim;
  const unsigned largest = row_largest(in, s.dim);
  const int exponent = topk_exponent(largest);
  const RowNorms n = convert_row(in, s.dim, s.padded_dim, exponent, out);
  if (threadIdx.x % kWarp != 0) return;
  s.query_bound[row] = {n.norm, n.residual, exponent};
  if (largest >= 0x7F800000u) atomicMin(&s.status->query, static_cast<unsigned long long>(s.first_query + row));
}

LaunchShape rows_shape(int64_t rows) {
  return {.grid = dim3(static_cast<unsigned>(ceil_div(rows, kWarps))), .block = dim3(kWarps * kWarp)};
}
int64_t padded(int64_t rows) { return ceil_div(rows, kTopKTile) * kTopKTile; }

}  // namespace

void topk_prepare_database(const TopKSearch& s, Queue q) {
  launch("topk_largest", largest_kernel, rows_shape(s.database_rows), q, s);
  launch("topk_convert_database", convert_database_kernel, rows_shape(padded(s.database_rows)), q, s);
}

void topk_prepare_queries(const TopKSearch& s, Queue q) {
  launch("topk_convert_queries", convert_queries_kernel, rows_shape(padded(s.query_rows)), q, s);
}

}  // namespace kith::kernels::cuda
