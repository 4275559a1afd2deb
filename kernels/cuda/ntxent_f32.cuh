// The f32 path: tiles of scores in registers, operands in shared memory.
//
// A block keeps its rows in shared memory and streams the columns past them, 64 rows and 64 columns at a time (32 of each where
// dim > 128). A thread has 4 x 8 scores (2 x 4), of rows 16 and columns 8 apart, and reads 16 bytes of each operand at a time:
// 12 such reads for 128 multiplications by fmaf. Backward turns the scores into weights, which pass through shared memory, and
// multiplies them by the same columns: 4 x 16 elements of gradients to a thread at 128, 20 reads for 256. Of the lanes of a
// warp, in the interleaved order of CUTLASS's SIMT products, those that differ in the lowest bit share rows, in the next one
// columns. Rows of shared memory are 4 elements more than Dim apart, so that those of 8 columns meet no bank twice.
//
// Column tiles are divided among `splits` blocks where the rows alone would not fill the device; the last block of a row tile to
// finish adds the splits in their order: one launch, and the same bits in every run, whichever block is last. While one block of
// a multiprocessor waits for columns, another multiplies.
//
// Traffic L2 -> SM: 4 rows columns Dim / 64 B in each pass, and 4 splits rows Dim B of rows. Memory: where there are splits
// 12 splits rows B forward, 4 splits rows Dim B backward.
#pragma once
#include "kernels/cuda/core/async.cuh"
#include "kernels/cuda/core/reduce.cuh"
#include "kernels/cuda/core/splits.h"
#include "kernels/cuda/core/ticket.cuh"
#include "kernels/cuda/ntxent_pass.cuh"

namespace kith::kernels::cuda::f32 {

constexpr int kThreads = 128, kDown = 16, kAcross = 8;  // threads along the rows, along the columns of a tile
static_assert(kDown * kAcross == kThreads);

template <int Dim>
struct Tile {
  static constexpr int kHigh = Dim <= 128 ? 4 : 2, kWide = 2 * kHigh;  // scores of a thread
  static constexpr int kRows = kDown * kHigh, kColumns = kAcross * kWide;
  static constexpr int kLd = Dim + 4;
  static constexpr int kWeightLd = kColumns + 8;        // a warp writes 4 rows of 8 weights: no bank twice
  static constexpr int kVectors = Dim / (4 * kAcross);  // of 4 elements of a row of gradients, of a thread
  static constexpr size_t kForwardBytes = sizeof(float) * (kRows + kColumns) * kLd,
                          kBackwardBytes =
                              kForwardBytes + sizeof(float) * kRows * kWeightLd + sizeof(float2) * kColumns;
};

// Which side's rows start on 16 bytes, all of them.
struct Whole {
  bool rows, columns;
};

// A thread's first row and first column in a tile.
struct Place {
  int down, across;
  __device__ __forceinline__ Place() {
    const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
    down = warp * 4 + lane / 2 % 4;
    across = lane / 8 * 2 + lane % 2;
  }
};

// Starts copies of rows first .. first + Count of z [rows, dim] into tile [Count][Dim + 4], with zeros where there are none.
template <int Dim, int Count, int Elements>
__device__ __forceinline__ void load_elements(float* tile, const float* z, int first, int rows, int dim) {
  constexpr int kPieces = Dim / Elements;
  for (int i = static_cast<int>(threadIdx.x); i < Count * kPieces; i += kThreads) {
    const int r = i / kPieces, d = i % kPieces * Elements;
    const bool there = first + r < rows && d < dim;
    cp_async<4 * Elements>(tile + r * Tile<Dim>::kLd + d, there ? z + int64_t{first + r} * dim + d : z, there);
  }
}
template <int Dim, int Count>
__device__ __forceinline__ void load_rows(float* tile, const float* z, int first, int rows, int dim, bool whole) {
  if (whole)
    load_elements<Dim, Count, 4>(tile, z, first, rows, dim);
  else
    load_elements<Dim, Count, 1>(tile, z, first, rows, dim);
}

// Products of a thread's rows and columns, `rows` and `columns` being the first of each.
template <int Dim>
__device__ __forceinline__ void multiply(float (&s)[Tile<Dim>::kHigh][Tile<Dim>::kWide], const float* rows,
                                         const float* columns) {
  using T = Tile<Dim>;
#pragma unroll
  for (int i = 0; i < T::kHigh; ++i)
#pragma unroll
    for (int j = 0; j < T::kWide; ++j) s[i][j] = 0.f;
#pragma unroll 2
  for (int d = 0; d < Dim; d += 4) {
    float4 a[T::kHigh];
#pragma unroll
    for (int i = 0; i < T::kHigh; ++i) a[i] = *reinterpret_cast<const float4*>(rows + kDown * i * T::kLd + d);
#pragma unroll
    for (int j = 0; j < T::kWide; ++j) {
      const float4 b = *reinterpret_cast<const float4*>(columns + kAcross * j * T::kLd + d);
#pragma unroll
      for (int i = 0; i < T::kHigh; ++i)
        s[i][j] = fmaf(a[i].w, b.w, fmaf(a[i].z, b.z, fmaf(a[i].y, b.y, fmaf(a[i].x, b.x, s[i][j]))));
    }
  }
}

template <class F>
void with_dim(const Pass& p, F f) {
  if (p.dim <= 64) return f(std::integral_constant<int, 64>{});
  p.dim <= 128 ? f(std::integral_constant<int, 128>{}) : f(std::integral_constant<int, 256>{});
}

inline Whole whole_of(const Pass& p) {
  const auto starts = [&](const float* z) { return p.dim % 4 == 0 && reinterpret_cast<uintptr_t>(z) % 16 == 0; };
  return {starts(p.rows), starts(p.columns)};
}

// How a pass is divided among blocks.
template <int Dim>
struct Division {
  int64_t row_tiles;
  int tiles, splits;
  // At least two tiles to a block, so that its rows are loaded for more than one.
  Division(const Pass& p, int resident, Queue q)
      : row_tiles(ceil_div(p.row_count, Tile<Dim>::kRows)),
        tiles(static_cast<int>(ceil_div(p.column_count, Tile<Dim>::kColumns))),
        splits(fullest_splits(row_tiles, int64_t{resident} * multiprocessors(q), tiles / 2)) {}
  LaunchShape shape(size_t smem_bytes) const {
    return {.grid = dim3(static_cast<unsigned>(row_tiles), static_cast<unsigned>(splits)),
            .block = dim3(kThreads),
            .smem_bytes = smem_bytes};
  }
  int64_t tickets() const { return splits > 1 ? row_tiles : 0; }
};

}  // namespace kith::kernels::cuda::f32
