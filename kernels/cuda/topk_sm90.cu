// The fp16 pass of top-K (see topk_scan.cu) for compute capability 9.0: tiles of 128 queries x 256 database rows by wgmma, fed by
// tensor copies. Rows of up to 512 elements.
//
// A block keeps its 128 queries in shared memory and walks the tiles of its split. One thread of the third warpgroup, the
// producer, copies slabs of 64 elements of 256 database rows through a ring of stages: it waits until all consumers have
// released a stage, and the copy's bytes complete the stage's other barrier. Two warpgroups, the consumers, multiply 64 queries
// each by every slab: 64 x 256 scores, 128 registers a thread. They share nothing but the ring, so that one multiplies
// while the other selects.
//
// A warp has all scores of its 16 queries: their limits, buffers and lists are its own, and no barrier of more than a warp is
// passed after the start. Selection is topk_scan.cu's, with buffers of 24 keys. Sums of a score are in another order than
// there: within the certificate's bound (topk_finish.cu), so that lists are the same bits.
//
// Traffic L2 -> SM: 2 queries database dim / 128 B for all dims. A product reads (64 + 256) 32 B of shared memory in
// 128 clocks of the matrix unit, 80 of the 128 that shared memory has; a copy writes 16 more.
#include <algorithm>

#include "kernels/cuda/core/wgmma.cuh"
#include "kernels/cuda/topk.cuh"

namespace kith::kernels::cuda {
namespace {

constexpr int kConsumers = 2, kWarpgroup = 128, kConsumerWarps = kConsumers * kWarpgroup / kWarp;
constexpr int kThreads = (kConsumers + 1) * kWarpgroup;
constexpr int kColumns = 256;  // database rows of a tile
constexpr int kSlab = 64;      // elements of a row in a stage: 128 bytes, one swizzled row
constexpr int kMostStages = 4, kLargestDim = 512;
constexpr int kBuffer = 24, kBufferLd = kBuffer + 1;
constexpr int kRowsPerWarp = 16;
constexpr int kGroups = kColumns / 128;  // 32 scores of a query in a lane: a word of bits each
constexpr unsigned kNoRow = 0xFFFFFFFFu;
constexpr int kSlabBytes = kSlab * sizeof(__half);
constexpr int kQueriesBytes = kTopKTile * kSlabBytes, kStageBytes = kColumns * kSlabBytes;  // of one slab
constexpr size_t kPattern = 8 * kSlabBytes;  // a swizzled tile begins on as many bytes
static_assert(kTopKTile == kConsumers * 64, "wgmma has 64 rows");
static_assert(kTopKTile == kConsumerWarps * kRowsPerWarp);

// Dynamic shared memory, behind what brings it on kPattern bytes.
struct Shared {
  unsigned char *queries, *stages;  // [slabs][kQueriesBytes], [stages][kStageBytes]
  TopKKey *buffer, *limit;          // [128][kBufferLd], [128]
  int* count;                       // [128] keys in the buffer, or offered beyond its end
  unsigned* self;                   // [128] the database row that is the query itself, where it is excluded
};

__host__ __device__ constexpr size_t shared_bytes(int slabs, int stages) {
  return kPattern + static_cast<size_t>(slabs) * kQueriesBytes + static_cast<size_t>(stages) * kStageBytes +
         kTopKTile * (sizeof(TopKKey) * (kBufferLd + 1) + sizeof(int) + sizeof(unsigned));
}

__device__ __forceinline__ Shared shared_layout(int slabs, int stages) {
  Shared s;
  unsigned char* begin = dynamic_shared<unsigned char>();
  s.queries = begin + (kPattern - reinterpret_cast<uintptr_t>(begin) % kPattern) % kPattern;
  s.stages = s.queries + slabs * kQueriesBytes;
  s.buffer = reinterpret_cast<TopKKey*>(s.stages + stages * kStageBytes);
  s.limit = s.buffer + kTopKTile * kBufferLd;
  s.count = reinterpret_cast<int*>(s.limit + kTopKTile);
  s.self = reinterpret_cast<unsigned*>(s.count + kTopKTile);
  return s;
}

// The stage of a ring that is next, and the parity of its round.
struct Place {
  int stage = 0;
  unsigned parity = 0;
  __device__ __forceinline__ void advance(int stages) {
    if (++stage == stages) stage = 0, parity ^= 1;
  }
};

struct Ring {
  Mbarrier queries, full[kMostStages], empty[kMostStages];
};

// Sorts the buffers of this warp's queries that hold at least `from` keys into their lists, and raises their limits. Begins and
// ends with the warp's barrier.
__device__ __forceinline__ void merge_buffers(const TopKSearch& s, const Shared& m, int64_t first_query, int warp,
                                              int from) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  __syncwarp();  // all keys are in the buffers
  for (int r = warp * kRowsPerWarp; r < (warp + 1) * kRowsPerWarp; ++r) {
    const int count = m.count[r];
    if (count < from) continue;
    const TopKKey key = lane < min(count, kBuffer) ? m.buffer[r * kBufferLd + lane] : 0;
    const TopKKey last = list_insert(s.list(blockIdx.y, first_query + r), s.chunks, warp_sort(key));
    __syncwarp();  // every lane has read the count
    if (lane == 0) {
      m.count[r] = 0;
      m.limit[r] = last > kTopKLowest ? last : kTopKLowest;
    }
  }
  __syncwarp();  // limits are raised
}

// Selects from a warp's scores of a tile whose first row is `first_row`.
__device__ __forceinline__ void select(const TopKSearch& s, const Shared& m, const float (&acc)[kColumns / 2],
                                       int64_t first_query, int warp, unsigned first_row) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp, row0 = warp * kRowsPerWarp + lane / 4;
  const unsigned column0 = first_row + 2 * (lane % 4);
  unsigned pending[kGroups][2] = {};  // of the lane's two queries: bit 2 j + b is column 8 j + b
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    // Rows of the database come in ascending order: one that equals the limit stands behind it.
    const float limit = topk_score(m.limit[row0 + 8 * half]);
#pragma unroll
    for (int g = 0; g < kGroups; ++g)
#pragma unroll
      for (int n = 0; n < 32; ++n)
        pending[g][half] |= acc[64 * g + 4 * (n / 2) + 2 * half + n % 2] > limit ? 1u << n : 0u;
  }
  if (s.database_rows - first_row < kColumns) {  // the last tile: without the padding rows
#pragma unroll
    for (int g = 0; g < kGroups; ++g) {
      unsigned valid = 0;
#pragma unroll
      for (unsigned n = 0; n < 32; ++n)
        valid |= column0 + 128 * g + 8 * (n / 2) + n % 2 < s.database_rows ? 1u << n : 0u;
      pending[g][0] &= valid, pending[g][1] &= valid;
    }
  }
  for (;;) {
    unsigned left = 0;
#pragma unroll
    for (int g = 0; g < kGroups; ++g)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        if (pending[g][half] == 0) continue;
        const int r = row0 + 8 * half;
#pragma unroll
        for (int n = 0; n < 32; ++n) {
          if ((pending[g][half] >> n & 1) == 0) continue;
          const unsigned row = column0 + static_cast<unsigned>(128 * g + 8 * (n / 2) + n % 2);
          const TopKKey key = topk_key(acc[64 * g + 4 * (n / 2) + 2 * half + n % 2], row);
          if (row != m.self[r] && key > m.limit[r]) {
            const int at = atomicAdd(&m.count[r], 1);
            if (at >= kBuffer) continue;  // stays pending until the buffer is merged
            m.buffer[r * kBufferLd + at] = key;
          }
          pending[g][half] &= ~(1u << n);
        }
        left |= pending[g][half];
      }
    if (__any_sync(kAllLanes, left != 0) == 0) return;
    merge_buffers(s, m, first_query, warp, kBuffer);
  }
}

// Slabs of the queries, then of every tile of the split, by one thread.
__device__ __forceinline__ void produce(const CUtensorMap& queries, const CUtensorMap& database, const Shared& m,
                                        Ring& ring, int slabs, int stages, int tiles) {
  mbarrier_arrive_expect(&ring.queries, static_cast<unsigned>(slabs * kQueriesBytes));
  for (int slab = 0; slab < slabs; ++slab)
    tensor_copy(m.queries + slab * kQueriesBytes, queries, static_cast<int>(blockIdx.x) * kTopKTile, slab * kSlab,
                &ring.queries);
  Place at{.stage = 0, .parity = 1};  // of the round before the first, in which all stages are empty
  for (int tile = static_cast<int>(blockIdx.y); tile < tiles; tile += static_cast<int>(gridDim.y))
    for (int slab = 0; slab < slabs; ++slab, at.advance(stages)) {
      mbarrier_wait(&ring.empty[at.stage], at.parity);
      mbarrier_arrive_expect(&ring.full[at.stage], kStageBytes);
      tensor_copy(m.stages + at.stage * kStageBytes, database, tile * kColumns, slab * kSlab, &ring.full[at.stage]);
    }
}

// A warpgroup's 64 queries against every tile of the split.
__device__ __forceinline__ void consume(const TopKSearch& s, const Shared& m, Ring& ring, int slabs, int stages,
                                        int tiles) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t first_query = int64_t{blockIdx.x} * kTopKTile;
  for (int r = warp * kRowsPerWarp; r < (warp + 1) * kRowsPerWarp; ++r) {
    const bool query = first_query + r < s.query_rows;
    if (lane == 0) {
      m.count[r] = 0;
      m.limit[r] = query ? kTopKLowest : kTopKHighest;  // nothing enters a padding row's list, which does not exist
      const int64_t self = s.self_offset + first_query + r;
      m.self[r] = s.exclude_self && self >= 0 && self < s.database_rows ? static_cast<unsigned>(self) : kNoRow;
    }
    if (!query) continue;
    TopKKey* list = s.list(blockIdx.y, first_query + r);
    for (int c = 0; c < s.chunks; ++c) list[c * kWarp + lane] = 0;
  }
  __syncwarp();  // counts, limits and selves are written

  const uint64_t queries = wgmma_operand(m.queries + warp / 4 * 64 * kSlabBytes, Swizzle::bytes128);
  const auto release = [&](int stage) {
    if (lane == 0) mbarrier_arrive(&ring.empty[stage]);
  };
  float acc[kColumns / 2];
  Place at;
  mbarrier_wait(&ring.queries, 0);
  for (int tile = static_cast<int>(blockIdx.y); tile < tiles; tile += static_cast<int>(gridDim.y)) {
    int before = 0;
    for (int slab = 0; slab < slabs; ++slab) {
      mbarrier_wait(&ring.full[at.stage], at.parity);
      wgmma_pin(acc);
      wgmma_fence();
      const uint64_t rows = wgmma_operand(m.stages + at.stage * kStageBytes, Swizzle::bytes128);
#pragma unroll
      for (int k = 0; k < kSlab; k += 16)
        wgmma<Element::f16, kColumns>(acc, wgmma_along(queries, slab * kQueriesBytes / 2 + k), wgmma_along(rows, k),
                                      slab + k > 0);
      wgmma_commit();
      if (slab > 0) {
        wgmma_wait<1>();  // the slab before: one product's group stays under way
        release(before);
      }
      before = at.stage;
      at.advance(stages);
    }
    wgmma_wait<0>();
    release(before);
    wgmma_pin(acc);
    select(s, m, acc, first_query, warp, static_cast<unsigned>(tile) * kColumns);
  }
  merge_buffers(s, m, first_query, warp, 1);
}

__global__ void __launch_bounds__(kThreads, 1)
    scan_kernel(const __grid_constant__ CUtensorMap queries, const __grid_constant__ CUtensorMap database, TopKSearch s,
                int slabs, int stages, int tiles) {
  __shared__ Ring ring;
  const Shared m = shared_layout(slabs, stages);
  if (threadIdx.x == 0) {
    mbarrier_init(&ring.queries, 1);
    for (int stage = 0; stage < stages; ++stage) {
      mbarrier_init(&ring.full[stage], 1);
      mbarrier_init(&ring.empty[stage], kConsumerWarps);
    }
    fence_proxy_async();
  }
  __syncthreads();  // the barriers are made
  if (threadIdx.x / kWarpgroup < kConsumers) {
    registers_more<240>();  // of 168 each of 384 threads began with
    consume(s, m, ring, slabs, stages, tiles);
  } else {
    registers_fewer<24>();
    if (threadIdx.x == kConsumers * kWarpgroup) produce(queries, database, m, ring, slabs, stages, tiles);
  }
}

int slabs_of(const TopKSearch& s) { return static_cast<int>(ceil_div(s.padded_dim, kSlab)); }

CUtensorMap map_of(const __half* rows, int64_t count, int padded_dim, unsigned box_rows) {
  return tensor_map(CU_TENSOR_MAP_DATA_TYPE_FLOAT16, rows, ceil_div(count, kTopKTile) * kTopKTile, padded_dim,
                    {.rows = box_rows, .columns = kSlab}, Swizzle::bytes128);
}

}  // namespace

bool topk_sm90_supports(int padded_dim, Queue q) { return q.sm == 90 && padded_dim <= kLargestDim; }

void topk_scan_sm90(const TopKSearch& s, Queue q) {
  constexpr size_t kMost = (227u << 10) - 128;  // of a block on sm_90, without the ring's barriers
  const int slabs = slabs_of(s);
  int stages = kMostStages;
  while (shared_bytes(slabs, stages) > kMost) --stages;
  launch("topk_scan_sm90", scan_kernel,
         {.grid = dim3(static_cast<unsigned>(ceil_div(s.query_rows, kTopKTile)), static_cast<unsigned>(s.splits)),
          .block = dim3(kThreads),
          .smem_bytes = shared_bytes(slabs, stages)},
         q, map_of(s.half_queries, s.query_rows, s.padded_dim, kTopKTile),
         map_of(s.half_database, s.database_rows, s.padded_dim, kColumns), s, slabs, stages,
         static_cast<int>(ceil_div(s.database_rows, kColumns)));
}

}  // namespace kith::kernels::cuda
