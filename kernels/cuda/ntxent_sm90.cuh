// The bf16 path for compute capability 9.0: what ntxent_sm90.cu, forward, and ntxent_backward_sm90.cu share. Blocks of three
// warpgroups: two multiply, one thread of the third copies tiles from the bf16 rows through a ring of stages.
#pragma once
#include "kernels/cuda/core/ring.cuh"
#include "kernels/cuda/core/scratch.cuh"
#include "kernels/cuda/core/special.cuh"
#include "kernels/cuda/core/wgmma.cuh"
#include "kernels/cuda/ntxent_gradient.cuh"

namespace kith::kernels::cuda::sm90 {

constexpr int kConsumers = 2, kWarpgroup = 128, kConsumerWarps = kConsumers * kWarpgroup / kWarp;
constexpr int kBlock = (kConsumers + 1) * kWarpgroup;
constexpr int kSlab = 64;              // elements of a row in a tile: 128 bytes, one swizzled row
constexpr int kSlabBytes = 2 * kSlab;  // of a row
constexpr int kTile = 128;             // columns of a product, and rows of what is padded
constexpr int kConsumerRegisters = 240, kProducerRegisters = 24;  // of 168 each of the threads began with

// exp((s - 1) / tau) of a score s, the rows' product: the argument in [-2 / tau, 0] and one rounding of it.
struct Exponent {
  float scale;  // log2(e) / tau
  __device__ __forceinline__ float operator()(float s) const { return exp2_approx(fmaf(s, scale, -scale)); }
};
inline Exponent exponent_of(const Pass& p) { return {1.44269504f * p.inv_tau}; }

// Whether the path has kernels for these rows on this device.
inline bool serves(const Pass& p, float tau, Queue q) {
  return q.sm == 90 && tau >= kSmallestBoundedTau && p.dim <= 128;
}

// Of bf16 rows [count][Dim], which stand whole in memory: copies bring zeros for what is beyond.
template <int Dim>
CUtensorMap rows_map(const __nv_bfloat16* rows, int count, unsigned box_rows) {
  return tensor_map(CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, rows, count, Dim, {.rows = box_rows, .columns = kSlab},
                    Swizzle::bytes128);
}

// Copies `Rows` rows from `first` on, slab by slab; completes Rows * Dim * 2 bytes.
template <int Dim, int Rows>
__device__ __forceinline__ void copy_rows(unsigned char* tile, const CUtensorMap& rows, int first, Mbarrier* b) {
#pragma unroll
  for (int slab = 0; slab < Dim / kSlab; ++slab)
    tensor_copy(tile + slab * Rows * kSlabBytes, rows, first, slab * kSlab, b);
}

// Starts s = 64 rows of `a` times kTile of `b`, transposed: operands of the first slab, whose tiles have RowsA and RowsB rows.
template <int Dim, int RowsA, int RowsB>
__device__ __forceinline__ void start_scores(float (&s)[kTile / 2], uint64_t a, uint64_t b) {
#pragma unroll
  for (int k = 0; k < Dim; k += 16)
    wgmma<Element::bf16, kTile>(s, wgmma_along(a, k / kSlab * RowsA * kSlab + k % kSlab),
                                wgmma_along(b, k / kSlab * RowsB * kSlab + k % kSlab), k > 0);
}

// copy [count][padded_dim] = rows in bf16; u [count, padded to kTile with zeros], where wanted: what a row of this side
// contributes to weights (ntxent_gradient.cuh).
void prepare(const float* rows, int count, const Pass&, Upstream side, int padded_dim, __nv_bfloat16* copy, float* u,
             Queue);

// f(dim) with the dim of the bf16 rows as a constant.
template <class F>
void with_dim(const Pass& p, F f) {
  p.dim <= 64 ? f(std::integral_constant<int, 64>{}) : f(std::integral_constant<int, 128>{});
}

}  // namespace kith::kernels::cuda::sm90
