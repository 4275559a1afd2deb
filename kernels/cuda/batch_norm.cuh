// What both directions of batch normalisation share: vectors of channels, the division of a tensor among threads, and the
// sums over rows.
//
// A thread owns V neighbouring channels (16 bytes) and every kRows-th row of its block's chunk; kWide threads side by side
// read 128 contiguous bytes of a row. Where channels are no multiple of 8, or a pointer is not aligned, V is 1.
#pragma once
#include <algorithm>
#include <initializer_list>

#include "kernels/batch_norm.h"
#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/core/parts.cuh"
#include "kernels/cuda/core/reduce.cuh"
#include "kernels/cuda/core/vector.cuh"

namespace kith::kernels::cuda::batch_norm {

constexpr int kThreads = 256;

// What kernels need to know of the tensor.
struct Shape {
  int64_t rows, chunk_rows;
  int channels;
};

template <int V>
struct Tile {
  static constexpr int kWide = V == 1 ? kWarp : 8;
  static constexpr int kRows = kThreads / kWide;
  static constexpr int kChannels = kWide * V;  // of a block
};

template <int V>
struct Geometry {
  Shape shape;
  int column_blocks, chunks;

  // One wave: as many blocks as run at once.
  Geometry(int64_t rows, int64_t channels, int blocks_per_multiprocessor, Queue q) {
    using T = Tile<V>;
    column_blocks = static_cast<int>(ceil_div(channels, T::kChannels));
    const int64_t wanted = std::max(1, multiprocessors(q) * blocks_per_multiprocessor / column_blocks);
    shape = {rows, ceil_div(ceil_div(rows, wanted), T::kRows) * T::kRows, static_cast<int>(channels)};
    chunks = static_cast<int>(ceil_div(rows, shape.chunk_rows));
  }
  LaunchShape pass() const {
    return {.grid = dim3(static_cast<unsigned>(column_blocks), static_cast<unsigned>(chunks)), .block = dim3(kThreads)};
  }
};

// What the chunks' sums are joined in: parts [column block][chunks and their joins][2][channels of a block].
struct Joins {
  double* parts;
  unsigned* tickets;
  int joins;  // of a column block
};

// Its memory, for one launch.
template <int V>
class JoinMemory {
 public:
  JoinMemory(const Geometry<V>& g, Queue q)
      : joins_(joins_of(g.chunks)),
        parts_(g.column_blocks * (g.chunks + joins_) * 2 * Tile<V>::kChannels, q),
        tickets_(g.column_blocks * joins_, q) {}
  Joins get() const { return {parts_.data(), tickets_.data(), static_cast<int>(joins_)}; }

 private:
  int64_t joins_;
  Scratch<double> parts_;
  Tickets tickets_;
};

// The first of this thread's channels; at or past the last for threads that have none.
template <int V>
__device__ __forceinline__ int first_channel() {
  return (static_cast<int>(blockIdx.x) * Tile<V>::kWide + static_cast<int>(threadIdx.x) % Tile<V>::kWide) * V;
}

enum class Order { forward, backward };

// For this thread's vectors of its block's chunk, Batch at a time: fetch(b, element) for each, then use(b, element, there):
// the loads of a batch are in flight together. All lanes of a warp reach every `use`; `there` says whether the vector exists.
template <int V, int Batch, Order O, class Fetch, class Use>
__device__ __forceinline__ void for_rows(const Shape& s, Fetch fetch, Use use) {
  constexpr int kRows = Tile<V>::kRows, kStep = Batch * kRows;
  const int c = first_channel<V>();
  const int64_t first = int64_t{blockIdx.y} * s.chunk_rows, last = min(s.rows, first + s.chunk_rows);
  const int steps = static_cast<int>((last - first + kStep - 1) / kStep);
#pragma unroll 1  // more batches at once would take the registers of other blocks
  for (int n = 0; n < steps; ++n) {
    const int step = O == Order::forward ? n : steps - 1 - n;
    const int64_t row = first + int64_t{step} * kStep + static_cast<int>(threadIdx.x) / Tile<V>::kWide;
#pragma unroll
    for (int b = 0; b < Batch; ++b)
      if (row + b * kRows < last && c < s.channels) fetch(b, (row + b * kRows) * s.channels + c);
#pragma unroll
    for (int b = 0; b < Batch; ++b)
      use(b, (row + b * kRows) * s.channels + c, row + b * kRows < last && c < s.channels);
  }
}

// One value per channel of this thread; 0 past the last.
template <int V>
__device__ __forceinline__ void per_channel(const float* from, int channels, float (&v)[V]) {
  const int c = first_channel<V>();
  if constexpr (V == 1) {
    v[0] = c < channels ? from[c] : 0.f;
  } else {
#pragma unroll
    for (int k = 0; k < V; k += 4) {
      const float4 four = c < channels ? *reinterpret_cast<const float4*>(from + c + k) : make_float4(0, 0, 0, 0);
      v[k] = four.x, v[k + 1] = four.y, v[k + 2] = four.z, v[k + 3] = four.w;
    }
  }
}

// u = gamma (x - mean) invstd + beta; both directions round it alike, so that backward finds the sign forward saw.
__device__ __forceinline__ float normalized(float x, float mean, float scale, float beta) {
  return fmaf(x - mean, scale, beta);
}

// Sums of one channel over all rows.
struct Pair {
  double a, b;
  int channel;
};

// Adds a and b over the rows of the block, and what the blocks of its channels have, in f64. Some threads of the block that
// comes last have a channel of their own, and its sums; all others none: -1.
template <int V>
__device__ __forceinline__ Pair sum_pairs(float (&a)[V], float (&b)[V], int channels, const Joins& j) {
  constexpr int kWarps = kThreads / kWarp, kWide = Tile<V>::kWide, kChannels = Tile<V>::kChannels;
  __shared__ float sums[2][kWarps][kChannels];
  __shared__ double shared[kThreads];
  const int thread = static_cast<int>(threadIdx.x), warp = thread / kWarp, lane = thread % kWarp;
#pragma unroll
  for (int k = 0; k < V; ++k) {
    for (int rows = kWide; rows < kWarp; rows *= 2) {  // the rows of a warp
      a[k] += __shfl_xor_sync(kAllLanes, a[k], rows);
      b[k] += __shfl_xor_sync(kAllLanes, b[k], rows);
    }
    if (lane < kWide) sums[0][warp][lane * V + k] = a[k], sums[1][warp][lane * V + k] = b[k];
  }
  __syncthreads();  // the warps' sums are written
  const int chunk = static_cast<int>(blockIdx.y), chunks = static_cast<int>(gridDim.y);
  double* parts = j.parts + int64_t{blockIdx.x} * (chunks + j.joins) * 2 * kChannels;
  if (thread < 2 * kChannels) {
    float total = 0.f;
    for (int w = 0; w < kWarps; ++w) total += sums[thread / kChannels][w][thread % kChannels];
    parts[int64_t{chunk} * 2 * kChannels + thread] = double{total};
  }
  const double* all =
      join_parts<kThreads>(parts, j.tickets + blockIdx.x * j.joins, chunk, chunks, 2 * kChannels, shared);
  const int channel = static_cast<int>(blockIdx.x) * kChannels + thread;
  if (all == nullptr || thread >= kChannels || channel >= channels) return {0, 0, -1};
  return {all[thread], all[kChannels + thread], channel};
}

template <class T>
T* pointer(std::span<T> s) {
  return s.empty() ? nullptr : s.data();
}

// Whether whole vectors can be read: all channels in vectors (8, so that a vector's bits of the mask are bytes) and
// pointers on 16 bytes.
inline bool vectors(int64_t channels, std::initializer_list<const void*> pointers) {
  return channels % 8 == 0 && std::all_of(pointers.begin(), pointers.end(),
                                          [](const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; });
}

}  // namespace kith::kernels::cuda::batch_norm
