// The fp16 pass of top-K (see topk_scan.cu) for compute capability 9.0: tiles of 128 queries x 256 database rows by wgmma, fed by
// tensor copies. Rows of up to 512 elements.
//
// A block keeps its queries in shared memory and walks the tiles of its split. One thread of the third warpgroup, the
// producer, copies slabs of 64 elements of the database rows through a ring of stages: it waits until all consumers have
// released a stage, and the copy's bytes complete the stage's other barrier. Two warpgroups, the consumers, multiply half of
// the queries each by every slab: 64 x 256 scores, 128 registers a thread. They share nothing but the ring, so that one
// multiplies while the other selects.
//
// A warp has all scores of its 16 queries: their limits, buffers and lists are its own, and no barrier of more than a warp is
// passed after the start. Selection is topk_scan.cu's, with buffers of 24 keys. Sums of a score are in another order than
// there: within the certificate's bound (topk_finish.cu), so that lists are the same bits.
//
// What selection costs is latency: turns of the loop over survivors, and merges. With as many scores of a warp as 32 queries x
// 128 rows there are more of both, for the limits of twice as many lists rise half as fast: in a simulation of 50,000 random
// rows, K 20, a warp merges 2.0 times in such a tile, of a database in two splits, and 1.1 times in one of these. Measured on
// one H200 for 50,000 x 50,000 rows, K 20, the form before this one took 5.0 ms at 128 elements, by such tiles, and 7.3 at
// 512, by these, where the matrix units alone need 0.8 and 3.2; it merged by a sorting network. This form has not been timed.
//
// Of more than 256 elements two blocks make a cluster: they walk the same tiles, each copies half of every slab's rows, and to
// both. A stage is free when the consumers of both have released it. Where blocks are an odd number, and many, one block more
// has no queries and copies for its neighbour.
//
// Traffic L2 -> SM: 2 queries database dim / 128 B, in clusters half of that. For every 128 x 256 x 16 products, 256 clocks of the
// matrix unit, shared memory reads 20 KiB in 160 and is written 8 KiB by copies in 64, which L2 gives to each multiprocessor in
// 360 (bench/README.md), or in 180 where a cluster shares them. Clusters have not been timed.
#include "kernels/cuda/core/cluster.cuh"
#include "kernels/cuda/core/ring.cuh"
#include "kernels/cuda/core/wgmma.cuh"
#include "kernels/cuda/topk_sm90_select.cuh"

namespace kith::kernels::cuda {
namespace {

using namespace topk_sm90;

constexpr int kThreads = (kConsumers + 1) * kWarpgroup;
constexpr int kPair = 2, kSmallestPairDim = 257,
              kManyBlocks = 8;  // where blocks of a cluster share the database's rows

struct Ring {
  Mbarrier queries, full[kMostStages], empty[kMostStages];
};

// Rows of a slab from the database to a stage: whole, or this block's part of them to all blocks of its cluster.
template <int Blocks>
__device__ __forceinline__ void copy_stage(unsigned char* stage, const CUtensorMap& database, int first, int column,
                                           Mbarrier* full) {
  mbarrier_arrive_expect(full, kStageBytes);
  if constexpr (Blocks == 1) {
    tensor_copy(stage, database, first, column, full);
  } else {
    const int rank = static_cast<int>(cluster_rank());
    tensor_copy(stage + rank * (kStageBytes / Blocks), database, first + rank * (kColumns / Blocks), column, full,
                (1 << Blocks) - 1);
  }
}

// Slabs of the queries, then of every tile of the split, by one thread.
template <int Blocks>
__device__ __forceinline__ void produce(const CUtensorMap& queries, const CUtensorMap& database, const Shared& m,
                                        Ring& ring, int slabs, int stages, int tiles) {
  mbarrier_arrive_expect(&ring.queries, static_cast<unsigned>(slabs * kQueriesBytes));
  for (int slab = 0; slab < slabs; ++slab)
    tensor_copy(m.queries + slab * kQueriesBytes, queries, static_cast<int>(blockIdx.x) * kQueries, slab * kSlab,
                &ring.queries);
  Place at{.stage = 0, .parity = 1};  // of the round before the first, in which all stages are empty
  for (int tile = static_cast<int>(blockIdx.y); tile < tiles; tile += static_cast<int>(gridDim.y))
    for (int slab = 0; slab < slabs; ++slab, at.advance(stages)) {
      Mbarrier* empty = &ring.empty[at.stage];
      Blocks == 1 ? mbarrier_wait(empty, at.parity) : mbarrier_wait_cluster(empty, at.parity);
      copy_stage<Blocks>(m.stages + at.stage * kStageBytes, database, tile * kColumns, slab * kSlab,
                         &ring.full[at.stage]);
    }
}

// A warpgroup's queries against every tile of the split.
template <int Blocks>
__device__ __forceinline__ void consume(const TopKSearch& s, const Shared& m, Ring& ring, int slabs, int stages,
                                        int tiles) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t first_query = int64_t{blockIdx.x} * kQueries;
  for (int r = first_row_of_warp(); r < first_row_of_warp() + kRows; ++r) {
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

  const uint64_t queries =
      wgmma_operand(m.queries + static_cast<int>(threadIdx.x) / kWarpgroup * 64 * kSlabBytes, Swizzle::bytes128);
  const auto release = [&](int stage) {
    Mbarrier* empty = &ring.empty[stage];
    if (lane < Blocks) Blocks == 1 ? mbarrier_arrive(empty) : mbarrier_arrive(empty, static_cast<unsigned>(lane));
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
        wgmma_wait<1>();  // the slab before
        release(before);
      }
      before = at.stage;
      at.advance(stages);
    }
    wgmma_wait<0>();
    release(before);
    wgmma_pin(acc);
    select(s, m, acc, first_query, static_cast<unsigned>(tile) * kColumns);
  }
  merge_buffers(s, m, first_query, 1);
}

template <int Blocks>
__global__ void __launch_bounds__(kThreads, 1)
    scan_kernel(const __grid_constant__ CUtensorMap queries, const __grid_constant__ CUtensorMap database, TopKSearch s,
                int slabs, int stages, int tiles) {
  __shared__ Ring ring;
  const Shared m = shared_layout(slabs, stages);
  if (threadIdx.x == 0) {
    mbarrier_init(&ring.queries, 1);
    for (int stage = 0; stage < stages; ++stage) {
      mbarrier_init(&ring.full[stage], 1);
      mbarrier_init(&ring.empty[stage], Blocks * kConsumerWarps);
    }
    fence_proxy_async();
  }
  Blocks == 1 ? __syncthreads() : cluster_sync();  // the barriers are made, in all blocks of the cluster
  if (threadIdx.x / kWarpgroup < kConsumers) {
    registers_more<240>();  // of 168 each of 384 threads began with
    consume<Blocks>(s, m, ring, slabs, stages, tiles);
  } else {
    registers_fewer<24>();
    if (threadIdx.x == kConsumers * kWarpgroup) produce<Blocks>(queries, database, m, ring, slabs, stages, tiles);
  }
  if constexpr (Blocks > 1) {
    __syncwarp();    // whole warps come to the barrier of the cluster
    cluster_sync();  // no block ends while another copies to it or arrives at its barriers
  }
}

CUtensorMap map_of(const __half* rows, int64_t count, int padded_dim, unsigned box_rows) {
  return tensor_map(CU_TENSOR_MAP_DATA_TYPE_FLOAT16, rows, ceil_div(count, kTopKTile) * kTopKTile, padded_dim,
                    {.rows = box_rows, .columns = kSlab}, Swizzle::bytes128);
}

}  // namespace

bool topk_sm90_supports(int padded_dim, Queue q) { return q.sm == 90 && padded_dim <= kLargestDim; }

void topk_scan_sm90(const TopKSearch& s, Queue q) {
  const int slabs = static_cast<int>(ceil_div(s.padded_dim, kSlab));
  int stages = kMostStages;
  while (shared_bytes(slabs, stages) > kMostSm90) --stages;
  const int64_t blocks = ceil_div(s.query_rows, kQueries);
  const bool pairs = s.padded_dim >= kSmallestPairDim && (blocks % kPair == 0 || blocks >= kManyBlocks);
  const LaunchShape shape{.grid = dim3(static_cast<unsigned>(pairs ? ceil_div(blocks, kPair) * kPair : blocks),
                                       static_cast<unsigned>(s.splits)),
                          .block = dim3(kThreads),
                          .smem_bytes = shared_bytes(slabs, stages)};
  const CUtensorMap queries = map_of(s.half_queries, s.query_rows, s.padded_dim, kQueries),
                    database = map_of(s.half_database, s.database_rows, s.padded_dim,
                                      static_cast<unsigned>(pairs ? kColumns / kPair : kColumns));
  const auto tiles = static_cast<int>(ceil_div(s.database_rows, kColumns));
  if (pairs)
    launch_clusters("topk_scan_sm90", scan_kernel<kPair>, kPair, shape, q, queries, database, s, slabs, stages, tiles);
  else
    launch("topk_scan_sm90", scan_kernel<1>, shape, q, queries, database, s, slabs, stages, tiles);
}

}  // namespace kith::kernels::cuda
