// Tiles of the bf16 path of NT-Xent: strips of anchors as matrix fragments, column tiles streamed through shared memory.
#pragma once
#include "kernels/cuda/core/async.cuh"
#include "kernels/cuda/core/mma.cuh"
#include "kernels/cuda/core/reduce.cuh"

namespace kith::kernels::cuda {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * kWarp;
constexpr int kRows = 16 * kWarps;  // anchors of a block
constexpr int kCols = 64;           // z rows of a tile
constexpr int kStrip = kCols / 8;   // 16 x 8 accumulators of a warp's strip of scores
constexpr int kPad = 8;

// kCount rows of zb from `first` into shared memory, 16 bytes per copy.
template <int Dim, int Count>
__device__ __forceinline__ void load_tile(__nv_bfloat16* tile, const __nv_bfloat16* zb, int64_t first) {
  constexpr int kPieces = Dim / 8;
  for (int i = static_cast<int>(threadIdx.x); i < Count * kPieces; i += kThreads) {
    const int r = i / kPieces, p = i % kPieces;
    cp_async<16>(tile + r * (Dim + kPad) + 8 * p, zb + (first + r) * Dim + 8 * p);
  }
}

// A warp's 16 anchors as A fragments. They stay in registers up to Dim 128; at 256 the accumulators of backward need those
// registers, and each fragment is read again for every tile: one ldmatrix beside four for the tile.
template <int Dim>
class Anchors {
 public:
  __device__ __forceinline__ Anchors(const __nv_bfloat16* strip, int lane)
      : row_(strip + (lane % 8 + 8 * (lane / 8 % 2)) * (Dim + kPad) + 8 * (lane / 16)) {
    if constexpr (kKept) {
#pragma unroll
      for (int k = 0; k < Dim / 16; ++k) ldmatrix_x4(kept_[k], row_ + 16 * k);
    }
  }
  __device__ __forceinline__ void fragment(uint32_t (&a)[4], int k) const {
    if constexpr (kKept) {
#pragma unroll
      for (int r = 0; r < 4; ++r) a[r] = kept_[k][r];
    } else {
      ldmatrix_x4(a, row_ + 16 * k);
    }
  }

 private:
  static constexpr bool kKept = Dim <= 128;
  const __nv_bfloat16* row_;
  uint32_t kept_[kKept ? Dim / 16 : 1][4];
};

// The block's strips from row `first` on through shared memory; each warp keeps its own.
template <int Dim>
__device__ __forceinline__ Anchors<Dim> load_anchors(__nv_bfloat16* strips, const __nv_bfloat16* zb, int64_t first,
                                                     int warp, int lane) {
  load_tile<Dim, kRows>(strips, zb, first);
  cp_async_commit();
  cp_async_wait<0>();
  __syncthreads();  // the strips have arrived for all warps
  return Anchors<Dim>(strips + warp * 16 * (Dim + kPad), lane);
}

// s[j] = anchors (16) times rows 8j .. 8j + 7 of the tile.
template <int Dim>
__device__ __forceinline__ void scores(float (&s)[kStrip][4], const Anchors<Dim>& anchors, const __nv_bfloat16* tile,
                                       int lane) {
#pragma unroll
  for (int j = 0; j < kStrip; ++j)
#pragma unroll
    for (int r = 0; r < 4; ++r) s[j][r] = 0.f;
#pragma unroll(Dim <= 128 ? Dim / 16 : 1)  // at 256 an unrolled loop would keep too many fragments alive
  for (int k = 0; k < Dim / 16; ++k) {
    uint32_t a[4];
    anchors.fragment(a, k);
#pragma unroll
    for (int j = 0; j < kStrip; j += 2) {
      uint32_t b[4];  // columns 8j..8j+7 (b[0], b[1]) and 8j+8..8j+15 (b[2], b[3])
      ldmatrix_x4(b, tile + (8 * j + 8 * (lane / 16) + lane % 8) * (Dim + kPad) + 16 * k + 8 * (lane / 8 % 2));
      mma_bf16(s[j], a, {b[0], b[1]});
      mma_bf16(s[j + 1], a, {b[2], b[3]});
    }
  }
}

// Streams this block's column tiles: body(tile, first column) for each, with the next one on its way.
template <int Dim, class Body>
__device__ __forceinline__ void for_each_tile(__nv_bfloat16* tiles, const __nv_bfloat16* zb, int tile_count,
                                              Body body) {
  const int first = static_cast<int>(blockIdx.y), step = static_cast<int>(gridDim.y);
  int stage = 0;
  load_tile<Dim, kCols>(tiles, zb, int64_t{first} * kCols);
  cp_async_commit();
  for (int t = first; t < tile_count; t += step) {
    if (t + step < tile_count)
      load_tile<Dim, kCols>(tiles + (stage ^ 1) * kCols * (Dim + kPad), zb, int64_t{t + step} * kCols);
    cp_async_commit();  // an empty group in the last round keeps the count
    cp_async_wait<1>();
    __syncthreads();  // the tile of this round has arrived for all warps
    body(tiles + stage * kCols * (Dim + kPad), t * kCols);
    __syncthreads();  // all warps have read it: the next round overwrites it
    stage ^= 1;
  }
  cp_async_wait<0>();
}

}  // namespace kith::kernels::cuda
