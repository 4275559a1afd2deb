#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/core/mma.cuh"
#include "tests/simt/matrix.h"

namespace kith::simt_test {
namespace {

using namespace kernels::cuda;

enum class Kind { bf16, f16 };

template <Kind K>
__device__ uint32_t pack(float low, float high) {
  unsigned short lo, hi;
  if constexpr (K == Kind::bf16) {
    const __nv_bfloat162 v = __floats2bfloat162_rn(low, high);
    memcpy(&lo, &v.x, 2);
    memcpy(&hi, &v.y, 2);
  } else {
    const __half2 v = __floats2half2_rn(low, high);
    memcpy(&lo, &v.x, 2);
    memcpy(&hi, &v.y, 2);
  }
  return static_cast<uint32_t>(hi) << 16 | lo;
}

__device__ void store(float* d, const float (&c)[4]) {
  const int group = static_cast<int>(threadIdx.x) / 4, t = static_cast<int>(threadIdx.x) % 4;
  for (int r = 0; r < 4; ++r) d[(group + 8 * (r / 2)) * 8 + 2 * t + r % 2] = c[r];
}

template <Kind K>
__global__ void product_kernel(const float* a, const float* b, float* d) {
  const int group = static_cast<int>(threadIdx.x) / 4, t = static_cast<int>(threadIdx.x) % 4;
  uint32_t fa[4], fb[2];
  for (int r = 0; r < 4; ++r) {
    const float* p = a + (group + 8 * (r % 2)) * 16 + 8 * (r / 2) + 2 * t;
    fa[r] = pack<K>(p[0], p[1]);
  }
  for (int r = 0; r < 2; ++r) {
    const float* p = b + (8 * r + 2 * t) * 8 + group;
    fb[r] = pack<K>(p[0], p[8]);
  }
  float c[4] = {};
  if constexpr (K == Kind::bf16)
    mma_bf16(c, fa, fb);
  else
    mma_f16(c, fa, fb);
  store(d, c);
}

__global__ void tf32_kernel(const float* a, const float* b, float* d) {
  const int group = static_cast<int>(threadIdx.x) / 4, t = static_cast<int>(threadIdx.x) % 4;
  uint32_t fa[4], fb[2];
  for (int r = 0; r < 4; ++r) fa[r] = __float_as_uint(a[(group + 8 * (r % 2)) * 8 + 4 * (r / 2) + t]);
  for (int r = 0; r < 2; ++r) fb[r] = __float_as_uint(b[(4 * r + t) * 8 + group]);
  float c[4] = {};
  mma_tf32(c, fa, fb);
  store(d, c);
}

__global__ void ldmatrix_kernel(const float* a, const float* b, float* d) {
  __shared__ __align__(16) __nv_bfloat16 sa[16 * 16];
  __shared__ __align__(16) __nv_bfloat16 sb[16 * 8];
  const int lane = static_cast<int>(threadIdx.x);
  for (int i = lane; i < 256; i += 32) sa[i] = __float2bfloat16(a[i]);
  for (int i = lane; i < 128; i += 32) sb[i] = __float2bfloat16(b[i]);
  __syncwarp();
  // Matrices 0..3 of A: rows 0-7 and 8-15 of the left half, then of the right half: the order of a[0..3].
  uint32_t fa[4], fb4[4];
  ldmatrix_x4(fa, sa + (lane % 8 + 8 * (lane / 8 % 2)) * 16 + 8 * (lane / 16));
  // B has two 8 x 8 matrices (k 0-7, 8-15); lanes 16-31 repeat valid addresses.
  ldmatrix_x4_trans(fb4, sb + (lane % 16) * 8);
  const uint32_t fb[2] = {fb4[0], fb4[1]};
  float c[4] = {};
  mma_bf16(c, fa, fb);
  store(d, c);
}

void one_warp(const char* name, void (*kernel)(const float*, const float*, float*), const float* a, const float* b,
              float* d) {
  launch(name, kernel, {.grid = dim3(1), .block = dim3(32)}, Queue{Device::cuda}, a, b, d);
}

}  // namespace

void product_bf16(const float* a, const float* b, float* d) {
  one_warp("product_bf16", product_kernel<Kind::bf16>, a, b, d);
}
void product_f16(const float* a, const float* b, float* d) {
  one_warp("product_f16", product_kernel<Kind::f16>, a, b, d);
}
void product_tf32(const float* a, const float* b, float* d) { one_warp("product_tf32", tf32_kernel, a, b, d); }
void product_ldmatrix(const float* a, const float* b, float* d) {
  one_warp("product_ldmatrix", ldmatrix_kernel, a, b, d);
}

}  // namespace kith::simt_test
