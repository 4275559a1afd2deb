// What the rungs of compute capability 9.0 share: rows in bf16, tiles of 64 of them in shared memory, the sums of a row.
#pragma once
#include <cuda_bf16.h>

#include "bench/study/ladder/ladder.h"
#include "kernels/cuda/core/reduce.cuh"
#include "kernels/cuda/core/ring.cuh"
#include "kernels/cuda/core/scratch.cuh"
#include "kernels/cuda/core/special.cuh"
#include "kernels/cuda/core/wgmma.cuh"

namespace kith::ladder::sm90 {

using namespace kernels::cuda;

constexpr int kWarpgroup = 128, kStages = 4;
constexpr int kWarps = kWarpgroup / kWarp;  // that multiply; one more copies
constexpr int kThreads = kWarpgroup + kWarp;
constexpr int kSlab = 64;  // elements of a row that lie together: 128 bytes, one swizzled row
constexpr int kSlabBytes = kBlock * kSlab * 2, kTileBytes = kDim / kSlab * kSlabBytes;
constexpr size_t kSharedBytes = kSwizzlePattern + (1 + kStages) * kTileBytes;  // anchors, and the stages of keys

// Rows of z in bf16, and the map of boxes of them for copies.
class Rows {
 public:
  Rows(const float* z, int count, Queue q);
  CUtensorMap map(unsigned box_rows) const {
    return tensor_map(CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, copy_.data(), count_, kDim,
                      {.rows = box_rows, .columns = kSlab}, Swizzle::bytes128);
  }

 private:
  int count_;
  Scratch<__nv_bfloat16> copy_;
};

// Starts s = anchors keys transposed, of two tiles: 64 x 64 scores of a warpgroup.
__device__ __forceinline__ void start_scores(float (&s)[kBlock / 2], const unsigned char* anchors,
                                             const unsigned char* keys) {
  wgmma_fence();
#pragma unroll
  for (int k = 0; k < kDim; k += 16) {
    const int slab = k / kSlab * kSlabBytes;
    wgmma<Element::bf16, kBlock>(s, wgmma_along(wgmma_operand(anchors + slab, Swizzle::bytes128), k % kSlab),
                                 wgmma_along(wgmma_operand(keys + slab, Swizzle::bytes128), k % kSlab), k > 0);
  }
  wgmma_commit();
}

// Of the two anchors of a thread, over the keys of its scores. Rows are unit vectors: no score is above 1 / tau, which is all
// the maximum that the sums need.
class RowSums {
 public:
  __device__ __forceinline__ RowSums(int first, float inv_tau)
      : row_(first + static_cast<int>(threadIdx.x) / kWarp * 16 + static_cast<int>(threadIdx.x) % kWarp / 4),
        column_(2 * (static_cast<int>(threadIdx.x) % 4)),
        inv_tau_(inv_tau) {}
  // The scores of 64 keys, from first_key on.
  __device__ __forceinline__ void add(const float (&s)[kBlock / 2], int first_key) {
    const float scale = inv_tau_ * 1.44269504f;  // log2(e) / tau
#pragma unroll
    for (int i = 0; i < kBlock / 2; ++i) {
      const int half = i / 2 % 2, row = row_ + 8 * half, k = first_key + i / 4 * 8 + column_ + i % 2;
      if (k != row) sum_[half] += exp2_approx(fmaf(s[i], scale, -scale));
      if (k == (row ^ 1)) positive_[half] = s[i];
    }
  }
  __device__ __forceinline__ void write(int rows, float* lse, float* loss) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      for (int bits = 1; bits < 4; bits *= 2) {  // the four lanes that share a row
        sum_[half] += __shfl_xor_sync(kAllLanes, sum_[half], bits);
        positive_[half] += __shfl_xor_sync(kAllLanes, positive_[half], bits);
      }
      const int row = row_ + 8 * half;
      if (column_ > 0 || row >= rows) continue;
      lse[row] = inv_tau_ + logf(sum_[half]);
      loss[row] = lse[row] - positive_[half] * inv_tau_;
    }
  }

 private:
  int row_, column_;
  float inv_tau_, sum_[2] = {}, positive_[2] = {};
};

}  // namespace kith::ladder::sm90
