// The fp16 pass of top-K (see topk_scan.cu) for compute capability 9.0: tiles of 256 queries x 128 database rows by wgmma, fed by
// tensor copies; beyond 128 elements a row, where fewer queries fit, of 128 x 256. Rows of up to 512 elements.
//
// A block keeps its queries in shared memory and walks the tiles of its split. One thread of the third warpgroup, the
// producer, copies slabs of 64 elements of the database rows through a ring of stages: it waits until all consumers have
// released a stage, and the copy's bytes complete the stage's other barrier. Two warpgroups, the consumers, multiply half of
// the queries each by every slab: 64 x 256 scores, or two sets of 64 x 128, 128 registers a thread. They share nothing but the ring,
// so that one multiplies while the other selects.
//
// A warp has all scores of its 16 queries of a set: their limits, buffers and lists are its own, and no barrier of more than a
// warp is passed after the start. Selection is topk_scan.cu's, with buffers of 24 keys. Sums of a score are in another order
// than there: within the certificate's bound (topk_finish.cu), so that lists are the same bits.
//
// Traffic L2 -> SM: 2 queries database dim / 256 B, or / 128. For every 256 x 128 x 16 products, 256 clocks of the matrix unit,
// shared memory reads 24 KiB in 192 and is written 4 KiB by copies in 32, or 20 in 160 and 8 in 64.
#include <algorithm>

#include "kernels/cuda/core/ring.cuh"
#include "kernels/cuda/core/wgmma.cuh"
#include "kernels/cuda/topk.cuh"

namespace kith::kernels::cuda {
namespace {

constexpr int kConsumers = 2, kWarpgroup = 128, kConsumerWarps = kConsumers * kWarpgroup / kWarp;
constexpr int kThreads = (kConsumers + 1) * kWarpgroup;
constexpr int kSlab = 64;  // elements of a row in a stage: 128 bytes, one swizzled row
constexpr int kMostStages = 4, kLargestDim = 512, kTwoSets = 128;  // the largest dim for which a block has 256 queries
constexpr int kBuffer = 24, kBufferLd = kBuffer + 1;
constexpr int kRows = 16;  // of a warp in a set
constexpr unsigned kNoRow = 0xFFFFFFFFu;
constexpr int kSlabBytes = kSlab * sizeof(__half);

// Sets of 64 queries that a warpgroup has.
template <int Sets>
struct Tile {
  static constexpr int kQueries = 64 * kConsumers * Sets, kColumns = 256 / Sets;
  static constexpr int kGroups = kColumns / 128;  // 32 scores of a query in a lane: a word of bits each
  static constexpr int kQueriesBytes = kQueries * kSlabBytes, kStageBytes = kColumns * kSlabBytes;  // of one slab
  static constexpr size_t shared_bytes(int slabs, int stages) {
    return kSwizzlePattern + static_cast<size_t>(slabs) * kQueriesBytes + static_cast<size_t>(stages) * kStageBytes +
           kQueries * (sizeof(TopKKey) * (kBufferLd + 1) + sizeof(int) + sizeof(unsigned));
  }
};

// Dynamic shared memory, from swizzled_shared() on.
struct Shared {
  unsigned char *queries, *stages;  // [slabs][queries] and [stages][columns] rows of kSlabBytes
  TopKKey *buffer, *limit;          // [queries][kBufferLd], [queries]
  int* count;                       // [queries] keys in the buffer, or offered beyond its end
  unsigned* self;                   // [queries] the database row that is the query itself, where it is excluded
};

template <class T>
__device__ __forceinline__ Shared shared_layout(int slabs, int stages) {
  Shared s;
  s.queries = swizzled_shared();
  s.stages = s.queries + slabs * T::kQueriesBytes;
  s.buffer = reinterpret_cast<TopKKey*>(s.stages + stages * T::kStageBytes);
  s.limit = s.buffer + T::kQueries * kBufferLd;
  s.count = reinterpret_cast<int*>(s.limit + T::kQueries);
  s.self = reinterpret_cast<unsigned*>(s.count + T::kQueries);
  return s;
}

struct Ring {
  Mbarrier queries, full[kMostStages], empty[kMostStages];
};

// The first of the 16 queries of this warp in a set.
template <int Sets>
__device__ __forceinline__ int first_row_of(int set) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  return (warp / 4 * Sets + set) * 64 + warp % 4 * kRows;
}

// Sorts the buffers of this warp's queries that hold at least `from` keys into their lists, and raises their limits. Begins and
// ends with the warp's barrier.
template <int Sets>
__device__ __forceinline__ void merge_buffers(const TopKSearch& s, const Shared& m, int64_t first_query, int from) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const auto row_of = [](int n) { return first_row_of<Sets>(n / kRows) + n % kRows; };
  __syncwarp();  // all keys are in the buffers
  static_assert(Sets * kRows <= kWarp, "a lane looks at each count");
  const int own = lane < Sets * kRows ? m.count[row_of(lane)] : 0;
  const unsigned ready = __ballot_sync(kAllLanes, own >= from);
  __syncwarp();  // every lane has read its count
  for (unsigned full = ready; full != 0; full &= full - 1) {
    const int n = __ffs(static_cast<int>(full)) - 1, r = row_of(n), count = __shfl_sync(kAllLanes, own, n);
    const TopKKey key = lane < min(count, kBuffer) ? m.buffer[r * kBufferLd + lane] : 0;
    TopKKey* list = s.list(blockIdx.y, first_query + r);
    const TopKKey kept = list[lane], last = list_insert(list, s.chunks, warp_sort(key), kept);
    if (lane == 0) {
      m.count[r] = 0;
      m.limit[r] = last > kTopKLowest ? last : kTopKLowest;
    }
  }
  __syncwarp();  // limits are raised
}

// Selects from a warp's scores of a tile whose first row is `first_row`.
template <int Sets>
__device__ __forceinline__ void select(const TopKSearch& s, const Shared& m, const float (&acc)[Sets][128 / Sets],
                                       int64_t first_query, unsigned first_row) {
  using T = Tile<Sets>;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const unsigned column0 = first_row + 2 * (lane % 4);
  unsigned pending[2 * Sets][T::kGroups] = {};  // of each of the lane's queries: bit 2 j + b is column 8 j + b
#pragma unroll
  for (int q = 0; q < 2 * Sets; ++q) {
    // Rows of the database come in ascending order: one that equals the limit stands behind it.
    const float limit = topk_score(m.limit[first_row_of<Sets>(q / 2) + lane / 4 + 8 * (q % 2)]);
#pragma unroll
    for (int g = 0; g < T::kGroups; ++g)
#pragma unroll
      for (int n = 0; n < 32; ++n)
        pending[q][g] |= acc[q / 2][64 * g + 4 * (n / 2) + 2 * (q % 2) + n % 2] > limit ? 1u << n : 0u;
  }
  if (s.database_rows - first_row < T::kColumns) {  // the last tile: without the padding rows
#pragma unroll
    for (int g = 0; g < T::kGroups; ++g) {
      unsigned valid = 0;
#pragma unroll
      for (unsigned n = 0; n < 32; ++n)
        valid |= column0 + 128 * g + 8 * (n / 2) + n % 2 < s.database_rows ? 1u << n : 0u;
#pragma unroll
      for (int q = 0; q < 2 * Sets; ++q) pending[q][g] &= valid;
    }
  }
  for (;;) {
    unsigned left = 0;
#pragma unroll
    for (int q = 0; q < 2 * Sets; ++q)
#pragma unroll
      for (int g = 0; g < T::kGroups; ++g) {
        const int r = first_row_of<Sets>(q / 2) + lane / 4 + 8 * (q % 2);
        unsigned refused = 0;
        for (unsigned rest = pending[q][g]; rest != 0; rest &= rest - 1) {
          const int n = __ffs(static_cast<int>(rest)) - 1;
          const unsigned row = column0 + static_cast<unsigned>(128 * g + 8 * (n / 2) + n % 2);
          const float score =
              topk_pick<32>([&](int i) { return acc[q / 2][64 * g + 4 * (i / 2) + 2 * (q % 2) + i % 2]; }, n);
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
    merge_buffers<Sets>(s, m, first_query, kBuffer);
  }
}

// Slabs of the queries, then of every tile of the split, by one thread.
template <int Sets>
__device__ __forceinline__ void produce(const CUtensorMap& queries, const CUtensorMap& database, const Shared& m,
                                        Ring& ring, int slabs, int stages, int tiles) {
  using T = Tile<Sets>;
  mbarrier_arrive_expect(&ring.queries, static_cast<unsigned>(slabs * T::kQueriesBytes));
  for (int slab = 0; slab < slabs; ++slab)
    for (int part = 0; part < T::kQueries; part += kTopKTile)
      tensor_copy(m.queries + slab * T::kQueriesBytes + part * kSlabBytes, queries,
                  static_cast<int>(blockIdx.x) * T::kQueries + part, slab * kSlab, &ring.queries);
  Place at{.stage = 0, .parity = 1};  // of the round before the first, in which all stages are empty
  for (int tile = static_cast<int>(blockIdx.y); tile < tiles; tile += static_cast<int>(gridDim.y))
    for (int slab = 0; slab < slabs; ++slab, at.advance(stages)) {
      mbarrier_wait(&ring.empty[at.stage], at.parity);
      mbarrier_arrive_expect(&ring.full[at.stage], T::kStageBytes);
      tensor_copy(m.stages + at.stage * T::kStageBytes, database, tile * T::kColumns, slab * kSlab,
                  &ring.full[at.stage]);
    }
}

// A warpgroup's queries against every tile of the split.
template <int Sets>
__device__ __forceinline__ void consume(const TopKSearch& s, const Shared& m, Ring& ring, int slabs, int stages,
                                        int tiles) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  using T = Tile<Sets>;
  const int64_t first_query = int64_t{blockIdx.x} * T::kQueries;
  for (int n = 0; n < Sets * kRows; ++n) {
    const int r = first_row_of<Sets>(n / kRows) + n % kRows;
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

  const uint64_t queries = wgmma_operand(m.queries + first_row_of<Sets>(0) / 64 * 64 * kSlabBytes, Swizzle::bytes128);
  const auto pin = [](auto& sets) {
    for (auto& set : sets) wgmma_pin(set);
  };
  const auto release = [&](int stage) {
    if (lane == 0) mbarrier_arrive(&ring.empty[stage]);
  };
  float acc[Sets][128 / Sets];
  Place at;
  mbarrier_wait(&ring.queries, 0);
  for (int tile = static_cast<int>(blockIdx.y); tile < tiles; tile += static_cast<int>(gridDim.y)) {
    int before = 0;
    for (int slab = 0; slab < slabs; ++slab) {
      mbarrier_wait(&ring.full[at.stage], at.parity);
      pin(acc);
      wgmma_fence();
      const uint64_t rows = wgmma_operand(m.stages + at.stage * T::kStageBytes, Swizzle::bytes128);
#pragma unroll
      for (int k = 0; k < kSlab; k += 16)
#pragma unroll
        for (int set = 0; set < Sets; ++set)
          wgmma<Element::f16, T::kColumns>(
              acc[set], wgmma_along(queries, (slab * T::kQueriesBytes + set * 64 * kSlabBytes) / 2 + k),
              wgmma_along(rows, k), slab + k > 0);
      wgmma_commit();
      if (slab > 0) {
        wgmma_wait<1>();  // the slab before
        release(before);
      }
      before = at.stage;
      at.advance(stages);
    }
    wgmma_wait<0>();
    release(before);
    pin(acc);
    select<Sets>(s, m, acc, first_query, static_cast<unsigned>(tile) * T::kColumns);
  }
  merge_buffers<Sets>(s, m, first_query, 1);
}

template <int Sets>
__global__ void __launch_bounds__(kThreads, 1)
    scan_kernel(const __grid_constant__ CUtensorMap queries, const __grid_constant__ CUtensorMap database, TopKSearch s,
                int slabs, int stages, int tiles) {
  __shared__ Ring ring;
  const Shared m = shared_layout<Tile<Sets>>(slabs, stages);
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
    consume<Sets>(s, m, ring, slabs, stages, tiles);
  } else {
    registers_fewer<24>();
    if (threadIdx.x == kConsumers * kWarpgroup) produce<Sets>(queries, database, m, ring, slabs, stages, tiles);
  }
}

CUtensorMap map_of(const __half* rows, int64_t count, int padded_dim, unsigned box_rows) {
  return tensor_map(CU_TENSOR_MAP_DATA_TYPE_FLOAT16, rows, ceil_div(count, kTopKTile) * kTopKTile, padded_dim,
                    {.rows = box_rows, .columns = kSlab}, Swizzle::bytes128);
}

template <int Sets>
void run(const TopKSearch& s, Queue q) {
  using T = Tile<Sets>;
  const int slabs = static_cast<int>(ceil_div(s.padded_dim, kSlab));
  int stages = kMostStages;
  while (T::shared_bytes(slabs, stages) > kMostSm90) --stages;
  launch("topk_scan_sm90", scan_kernel<Sets>,
         {.grid = dim3(static_cast<unsigned>(ceil_div(s.query_rows, T::kQueries)), static_cast<unsigned>(s.splits)),
          .block = dim3(kThreads),
          .smem_bytes = T::shared_bytes(slabs, stages)},
         q, map_of(s.half_queries, s.query_rows, s.padded_dim, kTopKTile),
         map_of(s.half_database, s.database_rows, s.padded_dim, T::kColumns), s, slabs, stages,
         static_cast<int>(ceil_div(s.database_rows, T::kColumns)));
}

}  // namespace

int topk_sm90_queries(int padded_dim, Queue q) {
  if (q.sm != 90 || padded_dim > kLargestDim) return 0;
  return padded_dim <= kTwoSets ? Tile<2>::kQueries : Tile<1>::kQueries;
}

void topk_scan_sm90(const TopKSearch& s, Queue q) { s.padded_dim <= kTwoSets ? run<2>(s, q) : run<1>(s, q); }

}  // namespace kith::kernels::cuda
