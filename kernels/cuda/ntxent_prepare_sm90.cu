// The bf16 rows that tensor copies read, four elements a thread, and, for backward, what each row contributes to weights.
#include "kernels/cuda/ntxent_sm90.cuh"

namespace kith::kernels::cuda::sm90 {
namespace {

constexpr int kPrepareThreads = 256;

template <int Dim>
__global__ void __launch_bounds__(kPrepareThreads)
    prepare_kernel(Converted<Dim> rows, int padded, __nv_bfloat16* __restrict__ copy, Pass p, Upstream side,
                   float* __restrict__ u) {
  const int64_t at = int64_t{blockIdx.x} * kPrepareThreads + threadIdx.x, r = at / (Dim / 4);
  const int d = static_cast<int>(at % (Dim / 4)) * 4;
  if (r < rows.rows) {
    const float4 v = rows.four(r, d);
    *reinterpret_cast<uint2*>(copy + r * Dim + d) = make_uint2(pack(v.x, v.y), pack(v.z, v.w));
  }
  if (u != nullptr && d == 0 && r < padded)
    u[r] = contribution<Range::bounded>(p, side, rows.rows, static_cast<int>(r)).x;
}

template <int Dim>
void run(const float* rows, int count, const Pass& p, Upstream side, __nv_bfloat16* copy, float* u, Queue q) {
  const int padded = static_cast<int>(ceil_div(count, kTile)) * kTile;
  const int whole = p.dim % 4 == 0 && reinterpret_cast<uintptr_t>(rows) % 16 == 0;
  launch("ntxent_prepare_sm90", prepare_kernel<Dim>,
         {.grid = dim3(static_cast<unsigned>(ceil_div(int64_t{padded} * (Dim / 4), kPrepareThreads))),
          .block = dim3(kPrepareThreads)},
         q, Converted<Dim>{rows, count, p.dim, whole}, padded, copy, p, side, u);
}

}  // namespace

void prepare(const float* rows, int count, const Pass& p, Upstream side, int padded_dim, __nv_bfloat16* copy, float* u,
             Queue q) {
  padded_dim == 64 ? run<64>(rows, count, p, side, copy, u, q) : run<128>(rows, count, p, side, copy, u, q);
}

}  // namespace kith::kernels::cuda::sm90
