// Tiles of the bf16 path of NT-Xent: strips of rows as matrix fragments, column tiles streamed through shared memory.
#pragma once
#include "kernels/cuda/core/async.cuh"
#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/core/mma.cuh"
#include "kernels/cuda/core/reduce.cuh"
#include "kernels/cuda/ntxent_pass.cuh"

namespace kith::kernels::cuda {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * kWarp;
constexpr int kCols = 64;          // columns of a tile
constexpr int kStrip = kCols / 8;  // 16 x 8 accumulators of 16 rows of scores
constexpr int kPad = 8;

// Sets of 16 rows that a warp holds. A fragment of the column tile that is read from shared memory serves one product of each:
// two halve those reads. Problems with few rows keep one, for twice the blocks; at Dim 256 accumulators of backward leave no
// registers for a second.
__host__ __device__ constexpr int sets_of(int dim, bool prepared) { return prepared && dim <= 128 ? 2 : 1; }
__host__ __device__ constexpr int rows_of(int sets) { return 16 * kWarps * sets; }  // of a block
static_assert(rows_of(1) == kCols, "one padding serves rows and columns");

// Which pass of exponentials is safe (see kSmallestBoundedTau).
enum class Range { bounded, any };

__device__ __forceinline__ uint32_t pack(float low, float high) {
  const __nv_bfloat162 v = __floats2bfloat162_rn(low, high);
  uint32_t bits;
  memcpy(&bits, &v, sizeof bits);
  return bits;
}

// Rows as bf16, from a copy that is padded to whole tiles with zeros.
template <int Dim>
struct Prepared {
  static constexpr int kSets = sets_of(Dim, true);
  const __nv_bfloat16* z;

  template <int Count>  // rows, from `first`, into shared memory, 16 bytes per copy
  __device__ __forceinline__ void load(__nv_bfloat16* tile, int64_t first) const {
    constexpr int kPieces = Dim / 8;
    for (int i = static_cast<int>(threadIdx.x); i < Count * kPieces; i += kThreads) {
      const int r = i / kPieces, p = i % kPieces;
      cp_async<16>(tile + r * (Dim + kPad) + 8 * p, z + (first + r) * Dim + 8 * p);
    }
  }
};

// The same from f32, rounded on the way through registers: twice the bytes, a launch less.
template <int Dim>
struct Converted {
  static constexpr int kSets = sets_of(Dim, false);
  const float* z;
  int rows, dim;
  int whole;  // whether all groups of four start on 16 bytes

  __device__ __forceinline__ float4 four(int64_t row, int d) const {
    return whole ? whole_four(row, d) : cut_four(row, d);
  }
  template <int Count>
  __device__ __forceinline__ void load(__nv_bfloat16* tile, int64_t first) const {
    if (whole)
      load_fours<Count, kFlight>(tile, first, [this](int64_t row, int d) { return whole_four(row, d); });
    else
      load_fours<Count, 1>(tile, first, [this](int64_t row, int d) { return cut_four(row, d); });
  }

 private:
  __device__ __forceinline__ float4 whole_four(int64_t row, int d) const {
    float4 v = make_float4(0.f, 0.f, 0.f, 0.f);
    if (row < rows && d < dim) v = *reinterpret_cast<const float4*>(z + row * dim + d);
    return v;
  }
  __device__ __forceinline__ float4 cut_four(int64_t row, int d) const {
    const float* from = z + row * dim + d;
    const int left = row < rows ? dim - d : 0;
    return make_float4(left > 0 ? from[0] : 0.f, left > 1 ? from[1] : 0.f, left > 2 ? from[2] : 0.f,
                       left > 3 ? from[3] : 0.f);
  }

  static constexpr int kFlight = Dim == 32 ? 2 : 8;
  // Loads in flight before the first is waited for: four(row, d) must not branch.
  template <int Count, int Flight, class Four>
  __device__ __forceinline__ void load_fours(__nv_bfloat16* tile, int64_t first, const Four& four) const {
    constexpr int kPieces = Dim / 4, kTurns = Count * kPieces / kThreads;  // a warp reads whole sectors
    static_assert(kTurns * kThreads == Count * kPieces && kTurns % Flight == 0);
#pragma unroll 1
    for (int turn = 0; turn < kTurns; turn += Flight) {
      float4 v[Flight];
#pragma unroll
      for (int u = 0; u < Flight; ++u) {
        const int i = (turn + u) * kThreads + static_cast<int>(threadIdx.x);
        v[u] = four(first + i / kPieces, i % kPieces * 4);
      }
#pragma unroll
      for (int u = 0; u < Flight; ++u) {
        const int i = (turn + u) * kThreads + static_cast<int>(threadIdx.x);
        *reinterpret_cast<uint2*>(tile + i / kPieces * (Dim + kPad) + i % kPieces * 4) =
            make_uint2(pack(v[u].x, v[u].y), pack(v[u].z, v[u].w));
      }
    }
  }
};

// A warp's sets of 16 rows as A fragments: kept in registers, or read again for every tile, an ldmatrix a set beside four for
// the tile.
enum class Fragments { kept, read };
template <int Dim, int Sets, Fragments F>
class Strip {
 public:
  __device__ __forceinline__ Strip(const __nv_bfloat16* strips, int warp, int lane)
      : row_(strips + (16 * Sets * warp + lane % 8 + 8 * (lane / 8 % 2)) * (Dim + kPad) + 8 * (lane / 16)) {
    if constexpr (F == Fragments::kept) {
#pragma unroll
      for (int set = 0; set < Sets; ++set)
#pragma unroll
        for (int k = 0; k < Dim / 16; ++k) ldmatrix_x4(kept_[set][k], at(set, k));
    }
  }
  __device__ __forceinline__ void fragment(uint32_t (&a)[4], int set, int k) const {
    if constexpr (F == Fragments::kept) {
#pragma unroll
      for (int r = 0; r < 4; ++r) a[r] = kept_[set][k][r];
    } else {
      ldmatrix_x4(a, at(set, k));
    }
  }

 private:
  __device__ __forceinline__ const __nv_bfloat16* at(int set, int k) const {
    return row_ + 16 * set * (Dim + kPad) + 16 * k;
  }
  const __nv_bfloat16* row_;
  uint32_t kept_[F == Fragments::kept ? Sets : 1][F == Fragments::kept ? Dim / 16 : 1][4];
};

// s[set][j] = 16 rows times columns 8j .. 8j + 7 of the tile, or of what is left of it.
template <int Dim, int Sets, Fragments F, int Count>
__device__ __forceinline__ void scores(float (&s)[Sets][Count][4], const Strip<Dim, Sets, F>& strip,
                                       const __nv_bfloat16* tile, int lane) {
#pragma unroll
  for (int set = 0; set < Sets; ++set)
#pragma unroll
    for (int j = 0; j < Count; ++j)
#pragma unroll
      for (int r = 0; r < 4; ++r) s[set][j][r] = 0.f;
#pragma unroll(Dim <= 128 ? Dim / 16 : 1)  // at 256 an unrolled loop would keep too many fragments alive
  for (int k = 0; k < Dim / 16; ++k) {
    uint32_t a[Sets][4];
#pragma unroll
    for (int set = 0; set < Sets; ++set) strip.fragment(a[set], set, k);
#pragma unroll
    for (int j = 0; j < Count; j += 2) {
      uint32_t b[4];  // columns 8j..8j+7 (b[0], b[1]) and 8j+8..8j+15 (b[2], b[3])
      ldmatrix_x4(b, tile + (8 * j + 8 * (lane / 16) + lane % 8) * (Dim + kPad) + 16 * k + 8 * (lane / 8 % 2));
#pragma unroll
      for (int set = 0; set < Sets; ++set) {
        mma_bf16(s[set][j], a[set], {b[0], b[1]});
        mma_bf16(s[set][j + 1], a[set], {b[2], b[3]});
      }
    }
  }
}

// Column tiles of a block: begin, begin + step, ... below end.
struct Tiles {
  int begin, end, step;
};

// Streams the rows from first_row on, and the column tiles past them: body(strip, stage, tile, first column) for each, with the
// next one on its way; also(stage, tile, first column) where a tile is loaded, to load what belongs to it. Ends after a
// barrier: shared memory, of which this takes strips [rows of the block] and two tiles [kCols], is free.
template <int Dim, Fragments F, class Source, class Also, class Body>
__device__ __forceinline__ void stream(const Source& rows, int64_t first_row, const Source& columns, Tiles t, Also also,
                                       Body body) {
  constexpr int kSets = Source::kSets;
  __nv_bfloat16* strips = dynamic_shared<__nv_bfloat16>();
  __nv_bfloat16* tiles = strips + rows_of(kSets) * (Dim + kPad);
  const auto fetch = [&](int stage, int tile) {
    if (tile < t.end) {
      columns.template load<kCols>(tiles + stage * kCols * (Dim + kPad), int64_t{tile} * kCols);
      also(stage, tiles + stage * kCols * (Dim + kPad), tile * kCols);
    }
    cp_async_commit();  // an empty group past the last tile keeps the count
  };
  rows.template load<rows_of(kSets)>(strips, first_row);
  cp_async_commit();
  fetch(0, t.begin);
  fetch(1, t.begin + t.step);
  cp_async_wait<2>();
  __syncthreads();  // the strips have arrived for all warps
  const Strip<Dim, kSets, F> strip(strips, static_cast<int>(threadIdx.x) / kWarp,
                                   static_cast<int>(threadIdx.x) % kWarp);
  int stage = 0;
  for (int tile = t.begin; tile < t.end; tile += t.step) {
    cp_async_wait<1>();
    __syncthreads();  // the tile of this round has arrived for all warps
    body(strip, stage, tiles + stage * kCols * (Dim + kPad), tile * kCols);
    __syncthreads();  // all warps have read it: the next copy overwrites it
    fetch(stage, tile + 2 * t.step);
    stage ^= 1;
  }
  cp_async_wait<0>();
}

// The losses of `count` rows from `first` on, whose lse stands in shared memory: the score of the positive is that of the rounded
// rows too, added up once more. Of NT-Xent both rows of a pair are here and share it.
__device__ __forceinline__ void put_losses(const Pass& p, int first, int count, const float* row_lse,
                                           float* __restrict__ loss) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp,
            step = p.square ? 2 : 1;
#pragma unroll 4  // loads in flight
  for (int at = warp * step; at < count; at += kWarps * step) {
    const int a = first + at, positive = a < p.row_count ? p.positive_column(a) : -1;
    float s = 0.f;
    for (int d = lane; d < p.dim && positive >= 0; d += kWarp)
      s += as_product<Products::bf16>(p.rows[int64_t{a} * p.dim + d]) *
           as_product<Products::bf16>(p.columns[int64_t{positive} * p.dim + d]);
    s = warp_sum(s) * p.inv_tau;
    if (lane < step && a < p.row_count) loss[a + lane] = positive < 0 ? NAN : row_lse[at + lane] - s;
  }
}

}  // namespace kith::kernels::cuda
