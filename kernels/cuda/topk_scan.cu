// The fp16 pass: tiles of 128 queries x 128 database rows by mma.sync m16n8k16, candidates selected from registers.
//
// A block keeps its 128 queries and walks the column tiles of its split. Rows stream through shared memory in slabs of 32
// elements, kStages in flight with cp.async, in one pipeline over slabs and tiles: the next tile's first slabs arrive while
// this tile is selected. The queries' slabs stay in shared memory after the first tile where two such blocks still fit on a
// multiprocessor, and are streamed beside the database's otherwise. 8 warps hold 64 x 32 scores each, 64 registers a lane.
//
// Selection: a score enters only above its query's limit, the last key of the query's list; nearly none does, so that one
// comparison is all most scores see. Survivors go to a buffer of 32 keys per query; when a buffer is full its warp sorts it
// and merges it into the sorted list (in global memory, in fact L2: few merges, about k (1 + ln(rows / k)) / 32 a query).
// A list ends as the exact set of the largest keys of its split, whatever order survivors arrived in: no run differs.
//
// Traffic L2 -> SM: 2 queries database dim / 128 B, twice that where queries are streamed. No score is ever stored.
#include "kernels/cuda/core/async.cuh"
#include "kernels/cuda/core/mma.cuh"
#include "kernels/cuda/topk.cuh"

namespace kith::kernels::cuda {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / kWarp;
constexpr int kStages = 3;
constexpr int kWarpCols = 4;        // 2 x 4 warps
constexpr int kM = 4, kN = 4;       // 16 x 8 accumulators of a warp: 64 x 32 scores
constexpr int kLd = kTopKSlab + 8;  // 80 bytes: the 8 rows of an ldmatrix meet no bank twice
constexpr int kSlabElements = kTopKTile * kLd;
constexpr int kBufferLd = kWarp + 1;  // of 32 keys: lanes that append to eight buffers meet no bank twice
constexpr unsigned kNoRow = 0xFFFFFFFFu;
constexpr int kRowsPerWarp = kTopKTile / kWarps;  // whose lists a warp keeps

struct Shared {
  __half *queries, *database;  // [slots][128][kLd]
  TopKKey *buffer, *limit;     // [128][kBufferLd], [128]
  int* count;                  // [128] keys in the buffer, or offered beyond its end
  unsigned* self;              // [128] the database row that is the query itself, where it is excluded
};

__host__ __device__ constexpr size_t shared_bytes(int query_slots) {
  return sizeof(__half) * kSlabElements * static_cast<size_t>(query_slots + kStages) +
         kTopKTile * (sizeof(TopKKey) * (kBufferLd + 1) + sizeof(int) + sizeof(unsigned));
}

__device__ __forceinline__ Shared shared_layout(int query_slots) {
  Shared s;
  s.queries = dynamic_shared<__half>();
  s.database = s.queries + query_slots * kSlabElements;
  s.buffer = reinterpret_cast<TopKKey*>(s.database + kStages * kSlabElements);
  s.limit = s.buffer + kTopKTile * kBufferLd;
  s.count = reinterpret_cast<int*>(s.limit + kTopKTile);
  s.self = reinterpret_cast<unsigned*>(s.count + kTopKTile);
  return s;
}

// 128 rows' elements of one slab, 16 bytes per copy. A warp copies 8 rows whole; eight lanes that follow each other have the
// same piece of these rows, so that they meet no bank twice, as in ldmatrix.
__device__ __forceinline__ void load_slab(__half* to, const __half* from, int padded_dim) {
  constexpr int kPieces = kTopKSlab / 8;
  static_assert(kPieces * 8 == kWarp);
#pragma unroll
  for (int i = 0; i < kTopKTile * kPieces / kThreads; ++i) {
    const int at = static_cast<int>(threadIdx.x) + i * kThreads, r = at / kWarp * 8 + at % 8, p = at % kWarp / 8;
    cp_async<16>(to + r * kLd + 8 * p, from + r * padded_dim + 8 * p);
  }
}

// acc += queries' slab times database's slab, for this warp's 64 x 32 scores.
__device__ __forceinline__ void multiply(float (&acc)[kM][kN][4], const __half* queries, const __half* database) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const __half* a_row = queries + (warp / kWarpCols * 16 * kM + lane % 16) * kLd + 8 * (lane / 16);
  const __half* b_row = database + (warp % kWarpCols * 8 * kN + 8 * (lane / 16) + lane % 8) * kLd + 8 * (lane / 8 % 2);
#pragma unroll
  for (int k = 0; k < kTopKSlab; k += 16) {
    uint32_t a[kM][4];
#pragma unroll
    for (int i = 0; i < kM; ++i) ldmatrix_x4(a[i], a_row + 16 * i * kLd + k);
#pragma unroll
    for (int j = 0; j < kN; j += 2) {
      uint32_t b[4];  // database rows 8j..8j+7 (b[0], b[1]) and 8j+8..8j+15 (b[2], b[3])
      ldmatrix_x4(b, b_row + 8 * j * kLd + k);
#pragma unroll
      for (int i = 0; i < kM; ++i) {
        mma_f16(acc[i][j], a[i], {b[0], b[1]});
        mma_f16(acc[i][j + 1], a[i], {b[2], b[3]});
      }
    }
  }
}

// Sorts the buffers of this warp's queries that hold at least `from` keys into their lists, and raises their limits.
__device__ __forceinline__ void merge_buffers(const TopKSearch& s, const Shared& m, int64_t first_query, int from) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  for (int r = warp * kRowsPerWarp; r < (warp + 1) * kRowsPerWarp; ++r) {
    const int count = m.count[r];
    if (count < from) continue;
    TopKKey* list = s.list(blockIdx.y, first_query + r);
    const TopKKey ascending = buffer_sort<kWarp>(m.buffer + r * kBufferLd, min(count, kWarp)),
                  last = list_insert_ascending(list, s.chunks, ascending, list[lane]);
    // Every lane has read the count: buffer_sort has barriers.
    if (lane == 0) {
      m.count[r] = 0;
      m.limit[r] = last > kTopKLowest ? last : kTopKLowest;
    }
  }
}

// Selects from a finished tile of scores whose first row is `first_row`. All threads call it; ends after a barrier.
__device__ __forceinline__ void select(const TopKSearch& s, const Shared& m, const float (&acc)[kM][kN][4],
                                       int64_t first_query, unsigned first_row) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int row0 = warp / kWarpCols * 16 * kM + lane / 4, col0 = warp % kWarpCols * 8 * kN + 2 * (lane % 4);
  unsigned pending[kM];  // a bit for each of 16 scores
#pragma unroll
  for (int i = 0; i < kM; ++i) {
    // Rows of the database come in ascending order: one that equals the limit stands behind it.
    const float limit[2] = {topk_score(m.limit[row0 + 16 * i]), topk_score(m.limit[row0 + 16 * i + 8])};
    pending[i] = 0;
#pragma unroll
    for (int n = 0; n < 4 * kN; ++n) pending[i] |= acc[i][n / 4][n % 4] > limit[n % 4 / 2] ? 1u << n : 0u;
  }
  if (s.database_rows - first_row < kTopKTile) {  // the last tile: without the padding rows
    unsigned valid = 0;
#pragma unroll
    for (int n = 0; n < 4 * kN; ++n)
      valid |= first_row + static_cast<unsigned>(col0 + 8 * (n / 4) + n % 2) < s.database_rows ? 1u << n : 0u;
#pragma unroll
    for (int i = 0; i < kM; ++i) pending[i] &= valid;
  }
  for (;;) {
    int left = 0;
#pragma unroll
    for (int i = 0; i < kM; ++i) {
      unsigned refused = 0;
      for (unsigned rest = pending[i]; rest != 0; rest &= rest - 1) {
        const int n = __ffs(static_cast<int>(rest)) - 1, r = row0 + 16 * i + 8 * (n % 4 / 2);
        const unsigned row = first_row + static_cast<unsigned>(col0 + 8 * (n / 4) + n % 2);
        const TopKKey key = topk_key(topk_pick<4 * kN>([&](int at) { return acc[i][at / 4][at % 4]; }, n), row);
        if (row == m.self[r] || key <= m.limit[r]) continue;
        const int at = atomicAdd(&m.count[r], 1);
        if (at < kWarp)
          m.buffer[r * kBufferLd + at] = key;
        else
          refused |= 1u << n;  // until the buffer is merged
      }
      pending[i] = refused;
      left |= static_cast<int>(refused);
    }
    if (__syncthreads_or(left) == 0) return;  // all keys are in buffers
    merge_buffers(s, m, first_query, kWarp);
    __syncthreads();  // buffers are empty again, limits raised
    asm volatile(
        ""
        : "+r"(
            first_row));  // optimisation barrier: keeps values derived from the old first_row from being hoisted and spilled (sm_80)
  }
}

__global__ void __launch_bounds__(kThreads, 2) scan_kernel(TopKSearch s, int query_slots) {
  const Shared m = shared_layout(query_slots);
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t first_query = int64_t{blockIdx.x} * kTopKTile;
  const int slabs = s.padded_dim / kTopKSlab, first = static_cast<int>(blockIdx.y), step = static_cast<int>(gridDim.y);
  const int steps = (s.tiles() - first + step - 1) / step * slabs;
  const bool resident = query_slots == slabs;

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

  // What the next load brings.
  const __half *next_queries = s.half_queries + first_query * s.padded_dim,
               *next_database = s.half_database + int64_t{first} * kTopKTile * s.padded_dim;
  int next_slab = 0;
  const auto load = [&](int next) {
    if (next < steps) {
      const int stage = next % kStages;
      if (!resident || next < slabs)
        load_slab(m.queries + (resident ? next_slab : stage) * kSlabElements, next_queries + next_slab * kTopKSlab,
                  s.padded_dim);
      load_slab(m.database + stage * kSlabElements, next_database + next_slab * kTopKSlab, s.padded_dim);
      if (++next_slab == slabs) next_slab = 0, next_database += int64_t{step} * kTopKTile * s.padded_dim;
    }
    cp_async_commit();  // an empty group at the end keeps the count
  };
  for (int n = 0; n < kStages - 1; ++n) load(n);

  float acc[kM][kN][4] = {};
  int tile = first, slab = 0;
  for (int n = 0; n < steps; ++n) {
    cp_async_wait<kStages - 2>();
    __syncthreads();  // slab n has arrived for all warps; all have read slab n - 1, whose stage is loaded next
    load(n + kStages - 1);
    multiply(acc, m.queries + (resident ? slab : n % kStages) * kSlabElements,
             m.database + n % kStages * kSlabElements);
    if (++slab < slabs) continue;
    select(s, m, acc, first_query, static_cast<unsigned>(tile) * kTopKTile);
#pragma unroll
    for (int i = 0; i < 4 * kM * kN; ++i) acc[i / (4 * kN)][i / 4 % kN][i % 4] = 0.f;
    slab = 0, tile += step;
  }
  cp_async_wait<0>();
  merge_buffers(s, m, first_query, 1);  // select ended with a barrier: all keys are in the buffers
}

}  // namespace

void topk_scan(const TopKSearch& s, Queue q) {
  // Two blocks to a multiprocessor, of its 164 KiB (sm_80) or 228 KiB (sm_90 to sm_110), 1 KiB reserved for each. sm_86, 89
  // and 120 lend one block 99 KiB.
  const size_t half = (q.sm >= 90 && q.sm < 120 ? 113u : 81u) << 10;
  const int slabs = s.padded_dim / kTopKSlab, slots = shared_bytes(slabs) <= half ? slabs : kStages;
  launch("topk_scan", scan_kernel,
         {.grid = dim3(static_cast<unsigned>(ceil_div(s.query_rows, kTopKTile)), static_cast<unsigned>(s.splits)),
          .block = dim3(kThreads),
          .smem_bytes = shared_bytes(slots)},
         q, s, slots);
}

}  // namespace kith::kernels::cuda
