// What a block of topk_sm90.cu keeps in shared memory, and how a warp selects from the scores of its queries: by topk_scan.cu's
// scheme, with limits, buffers and lists that no other warp sees.
#pragma once
#include "kernels/cuda/core/wgmma.cuh"
#include "kernels/cuda/topk.cuh"

namespace kith::kernels::cuda::topk_sm90 {

constexpr int kConsumers = 2, kWarpgroup = 128, kConsumerWarps = kConsumers * kWarpgroup / kWarp;
constexpr int kSlab = 64;  // elements of a row in a stage: 128 bytes, one swizzled row
constexpr int kMostStages = 4, kLargestDim = 512;
constexpr int kBuffer = 24, kBufferLd = kBuffer + 1;
constexpr unsigned kNoRow = 0xFFFFFFFFu;
constexpr int kSlabBytes = kSlab * sizeof(__half);
constexpr int kQueries = kTopKTile, kColumns = 256;
constexpr int kRows = kQueries / kConsumerWarps;  // queries of a warp
constexpr int kGroups = kColumns / 128;           // 32 scores of a query in a lane: a word of bits each
constexpr int kQueriesBytes = kQueries * kSlabBytes, kStageBytes = kColumns * kSlabBytes;  // of one slab

constexpr size_t shared_bytes(int slabs, int stages) {
  return kSwizzlePattern + static_cast<size_t>(slabs) * kQueriesBytes + static_cast<size_t>(stages) * kStageBytes +
         kQueries * (sizeof(TopKKey) * (kBufferLd + 1) + sizeof(int) + sizeof(unsigned));
}
static_assert(shared_bytes(256 / kSlab, kMostStages) <= kMostSm90 && shared_bytes(kLargestDim / kSlab, 2) <= kMostSm90);

// Dynamic shared memory, from swizzled_shared() on.
struct Shared {
  unsigned char *queries, *stages;  // [slabs][queries] and [stages][columns] rows of kSlabBytes
  TopKKey *buffer, *limit;          // [queries][kBufferLd], [queries]
  int* count;                       // [queries] keys in the buffer, or offered beyond its end
  unsigned* self;                   // [queries] the database row that is the query itself, where it is excluded
};

__device__ __forceinline__ Shared shared_layout(int slabs, int stages) {
  Shared s;
  s.queries = swizzled_shared();
  s.stages = s.queries + slabs * kQueriesBytes;
  s.buffer = reinterpret_cast<TopKKey*>(s.stages + stages * kStageBytes);
  s.limit = s.buffer + kQueries * kBufferLd;
  s.count = reinterpret_cast<int*>(s.limit + kQueries);
  s.self = reinterpret_cast<unsigned*>(s.count + kQueries);
  return s;
}

// The first query of this warp.
__device__ __forceinline__ int first_row_of_warp() { return static_cast<int>(threadIdx.x) / kWarp * kRows; }

// Sorts the buffers of this warp's queries that hold at least `from` keys into their lists, and raises their limits. Begins and
// ends with the warp's barrier.
__device__ __forceinline__ void merge_buffers(const TopKSearch& s, const Shared& m, int64_t first_query, int from) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  __syncwarp();  // all keys are in the buffers
  static_assert(kRows <= kWarp, "a lane looks at each count");
  const int own = lane < kRows ? m.count[first_row_of_warp() + lane] : 0;
  const unsigned ready = __ballot_sync(kAllLanes, own >= from);
  for (unsigned full = ready; full != 0; full &= full - 1) {
    const int n = __ffs(static_cast<int>(full)) - 1, r = first_row_of_warp() + n;
    const int count = min(__shfl_sync(kAllLanes, own, n), kBuffer);
    TopKKey* list = s.list(blockIdx.y, first_query + r);
    const TopKKey kept = list[lane], ascending = buffer_sort<kBuffer>(m.buffer + r * kBufferLd, count),
                  last = list_insert_ascending(list, s.chunks, ascending, kept);
    // Every lane has read the counts: buffer_sort has barriers.
    if (lane == 0) {
      m.count[r] = 0;
      m.limit[r] = last > kTopKLowest ? last : kTopKLowest;
    }
  }
  __syncwarp();  // limits are raised
}

// Selects from a warp's scores of a tile whose first row is `first_row`.
__device__ __forceinline__ void select(const TopKSearch& s, const Shared& m, const float (&acc)[kColumns / 2],
                                       int64_t first_query, unsigned first_row) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const unsigned column0 = first_row + 2 * (lane % 4);
  unsigned pending[2][kGroups] = {};  // of each of the lane's queries: bit 2 j + b is column 8 j + b
#pragma unroll
  for (int q = 0; q < 2; ++q) {
    // Rows of the database come in ascending order: one that equals the limit stands behind it.
    const float limit = topk_score(m.limit[first_row_of_warp() + lane / 4 + 8 * q]);
#pragma unroll
    for (int g = 0; g < kGroups; ++g)
#pragma unroll
      for (int n = 0; n < 32; ++n) pending[q][g] |= acc[64 * g + 4 * (n / 2) + 2 * q + n % 2] > limit ? 1u << n : 0u;
  }
  if (s.database_rows - first_row < kColumns) {  // the last tile: without the padding rows
#pragma unroll
    for (int g = 0; g < kGroups; ++g) {
      unsigned valid = 0;
#pragma unroll
      for (unsigned n = 0; n < 32; ++n)
        valid |= column0 + 128 * g + 8 * (n / 2) + n % 2 < s.database_rows ? 1u << n : 0u;
#pragma unroll
      for (int q = 0; q < 2; ++q) pending[q][g] &= valid;
    }
  }
  for (;;) {
    unsigned left = 0;
#pragma unroll
    for (int q = 0; q < 2; ++q)
#pragma unroll
      for (int g = 0; g < kGroups; ++g) {
        const int r = first_row_of_warp() + lane / 4 + 8 * q;
        unsigned refused = 0;
        for (unsigned rest = pending[q][g]; rest != 0; rest &= rest - 1) {
          const int n = __ffs(static_cast<int>(rest)) - 1;
          const unsigned row = column0 + static_cast<unsigned>(128 * g + 8 * (n / 2) + n % 2);
          const float score = topk_pick<32>([&](int i) { return acc[64 * g + 4 * (i / 2) + 2 * q + i % 2]; }, n);
          const TopKKey key = topk_key(score, row);
          if (row == m.self[r] || key <= m.limit[r]) continue;
          const int at = atomicAdd(&m.count[r], 1);
          if (at < kBuffer)
            m.buffer[r * kBufferLd + at] = key;
          else
            refused |= 1u << n;  // until the buffer is merged
        }
        pending[q][g] = refused;
        left |= refused;
      }
    if (__any_sync(kAllLanes, left != 0) == 0) return;
    merge_buffers(s, m, first_query, kBuffer);
  }
}

}  // namespace kith::kernels::cuda::topk_sm90
