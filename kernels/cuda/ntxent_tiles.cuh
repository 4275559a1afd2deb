// Tiles of the bf16 path of NT-Xent: strips of rows as matrix fragments, column tiles streamed through shared memory.
#pragma once
#include <algorithm>

#include "kernels/cuda/core/async.cuh"
#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/core/mma.cuh"
#include "kernels/cuda/core/reduce.cuh"
#include "kernels/cuda/ntxent_pass.cuh"

namespace kith::kernels::cuda {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * kWarp;
constexpr int kRows = 16 * kWarps;  // rows of a block
constexpr int kCols = 64;           // columns of a tile
constexpr int kStrip = kCols / 8;   // 16 x 8 accumulators of a warp's strip of scores
constexpr int kPad = 8;
constexpr int kFill =
    2;  // blocks to a multiprocessor; fewer row tiles than fill the device are split, and need a ticket each
static_assert(kRows == kCols, "one padding serves rows and columns");

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
  const float* z;
  int rows, dim;
  int whole;  // whether all groups of four start on 16 bytes

  __device__ __forceinline__ float4 four(int64_t row, int d) const {
    const float* from = z + row * dim + d;
    if (row < rows && whole && d < dim) return *reinterpret_cast<const float4*>(from);
    const int left = row < rows ? dim - d : 0;
    return make_float4(left > 0 ? from[0] : 0.f, left > 1 ? from[1] : 0.f, left > 2 ? from[2] : 0.f,
                       left > 3 ? from[3] : 0.f);
  }
  template <int Count>
  __device__ __forceinline__ void load(__nv_bfloat16* tile, int64_t first) const {
    constexpr int kPieces = Dim / 4;                // a warp reads whole sectors
#pragma unroll(Dim == 128 ? 8 : Dim == 32 ? 4 : 3)  // loads in flight: as many as registers allow
    for (int i = static_cast<int>(threadIdx.x); i < Count * kPieces; i += kThreads) {
      const int r = i / kPieces, p = i % kPieces;
      const float4 v = four(first + r, 4 * p);
      *reinterpret_cast<uint2*>(tile + r * (Dim + kPad) + 4 * p) = make_uint2(pack(v.x, v.y), pack(v.z, v.w));
    }
  }
};

// A warp's 16 rows as A fragments. They stay in registers up to Dim 128; at 256 the accumulators of backward need those
// registers, and each fragment is read again for every tile: one ldmatrix beside four for the tile.
template <int Dim>
class Strip {
 public:
  __device__ __forceinline__ Strip(const __nv_bfloat16* strip, int lane)
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
template <int Dim, class Source>
__device__ __forceinline__ Strip<Dim> load_strip(__nv_bfloat16* strips, const Source& source, int64_t first, int warp,
                                                 int lane) {
  source.template load<kRows>(strips, first);
  cp_async_commit();
  cp_async_wait<0>();
  __syncthreads();  // the strips have arrived for all warps
  return Strip<Dim>(strips + warp * 16 * (Dim + kPad), lane);
}

// s[j] = a strip of 16 rows times columns 8j .. 8j + 7 of the tile.
template <int Dim>
__device__ __forceinline__ void scores(float (&s)[kStrip][4], const Strip<Dim>& strip, const __nv_bfloat16* tile,
                                       int lane) {
#pragma unroll
  for (int j = 0; j < kStrip; ++j)
#pragma unroll
    for (int r = 0; r < 4; ++r) s[j][r] = 0.f;
#pragma unroll(Dim <= 128 ? Dim / 16 : 1)  // at 256 an unrolled loop would keep too many fragments alive
  for (int k = 0; k < Dim / 16; ++k) {
    uint32_t a[4];
    strip.fragment(a, k);
#pragma unroll
    for (int j = 0; j < kStrip; j += 2) {
      uint32_t b[4];  // columns 8j..8j+7 (b[0], b[1]) and 8j+8..8j+15 (b[2], b[3])
      ldmatrix_x4(b, tile + (8 * j + 8 * (lane / 16) + lane % 8) * (Dim + kPad) + 16 * k + 8 * (lane / 8 % 2));
      mma_bf16(s[j], a, {b[0], b[1]});
      mma_bf16(s[j + 1], a, {b[2], b[3]});
    }
  }
}

// Streams this block's column tiles: body(stage, tile, first column) for each, with the next one on its way; also(stage, tile,
// first column) where a tile is loaded, to load what belongs to it. Ends after a barrier: strips and tiles are free.
template <int Dim, class Source, class Also, class Body>
__device__ __forceinline__ void for_each_tile(__nv_bfloat16* tiles, const Source& source, int tile_count, Also also,
                                              Body body) {
  const int first = static_cast<int>(blockIdx.y), step = static_cast<int>(gridDim.y);
  const auto fetch = [&](int stage, int t) {
    if (t < tile_count) {
      source.template load<kCols>(tiles + stage * kCols * (Dim + kPad), int64_t{t} * kCols);
      also(stage, tiles + stage * kCols * (Dim + kPad), t * kCols);
    }
    cp_async_commit();  // an empty group past the last tile keeps the count
  };
  fetch(0, first);
  fetch(1, first + step);
  int stage = 0;
  for (int t = first; t < tile_count; t += step) {
    cp_async_wait<1>();
    __syncthreads();  // the tile of this round has arrived for all warps
    body(stage, tiles + stage * kCols * (Dim + kPad), t * kCols);
    __syncthreads();  // all warps have read it: the next copy overwrites it
    fetch(stage, t + 2 * step);
    stage ^= 1;
  }
  cp_async_wait<0>();
}

struct Plan {
  int padded_dim, row_tiles, tile_count;
  Range range;
  bool prepared;
  bool one_array;  // rows and columns have one copy

  Plan(const Pass& p, float tau, Operands operands)
      : padded_dim(p.dim <= 32    ? 32
                   : p.dim <= 64  ? 64
                   : p.dim <= 128 ? 128
                                  : 256),
        row_tiles(static_cast<int>(ceil_div(p.row_count, kRows))),
        tile_count(static_cast<int>(ceil_div(p.column_count, kCols))),
        range(tau >= kSmallestBoundedTau ? Range::bounded : Range::any),
        prepared(operands == Operands::prepared || (operands == Operands::by_size && p.row_count > kConvertedRows)),
        one_array(p.rows == p.columns && p.row_count == p.column_count) {}
  // Blocks among which the column tiles of a row tile are divided, so that the device is filled.
  int splits(int most, Queue q) const {
    return std::clamp(static_cast<int>(ceil_div(kFill * multiprocessors(q), row_tiles)), 1, std::max(1, most));
  }
  LaunchShape shape(int blocks) const {
    return {.grid = dim3(static_cast<unsigned>(row_tiles), static_cast<unsigned>(blocks)),
            .block = dim3(kThreads),
            .smem_bytes = sizeof(__nv_bfloat16) * (kRows + 2 * kCols) * static_cast<size_t>(padded_dim + kPad)};
  }
  // Of the bf16 copy: the columns', then the rows', each [whole tiles][padded dim].
  int64_t column_elements() const { return prepared ? int64_t{tile_count} * kCols * padded_dim : 0; }
  int64_t row_elements() const { return prepared && !one_array ? int64_t{row_tiles} * kRows * padded_dim : 0; }
  int64_t copy_elements() const { return column_elements() + row_elements(); }
};

// Writes the bf16 copy: launches of its own, where the problem is large.
void ntxent_prepare(const Plan&, const Pass&, __nv_bfloat16* copy, Queue);

// Calls f(dim, range, rows, columns) with the padded dim and the range as compile-time constants, and both sources.
template <class F>
void with_constants(const Plan& plan, const Pass& p, const __nv_bfloat16* copy, F f) {
  const auto with_range = [&](auto dim, auto rows, auto columns) {
    if (plan.range == Range::bounded)
      f(dim, std::integral_constant<Range, Range::bounded>{}, rows, columns);
    else
      f(dim, std::integral_constant<Range, Range::any>{}, rows, columns);
  };
  const auto with_source = [&](auto dim) {
    const auto converted = [&](const float* from, int count) {
      const int whole = p.dim % 4 == 0 && reinterpret_cast<uintptr_t>(from) % 16 == 0;
      return Converted<dim.value>{from, count, p.dim, whole};
    };
    if (plan.prepared)
      with_range(dim, Prepared<dim.value>{plan.one_array ? copy : copy + plan.column_elements()},
                 Prepared<dim.value>{copy});
    else
      with_range(dim, converted(p.rows, p.row_count), converted(p.columns, p.column_count));
  };
  switch (plan.padded_dim) {
    case 32:
      return with_source(std::integral_constant<int, 32>{});
    case 64:
      return with_source(std::integral_constant<int, 64>{});
    case 128:
      return with_source(std::integral_constant<int, 128>{});
    default:
      return with_source(std::integral_constant<int, 256>{});
  }
}

}  // namespace kith::kernels::cuda
