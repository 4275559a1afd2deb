// Rung 6: two blocks of a cluster share the keys. Both meet all of them in the same order, so each copies half of every tile, and
// to both (multicast): a tile comes from L2 once for 128 anchors. A stage is free when the warps of both blocks have released it:
// they arrive at its barrier in either block.
#include "bench/study/ladder/sm90.cuh"
#include "kernels/cuda/core/cluster.cuh"

namespace kith::ladder {
namespace sm90 {
namespace {

constexpr int kBlocks = 2, kHalf = kBlock / kBlocks;

struct ClusterRing {
  Mbarrier anchors, full[kStages], empty[kStages];
};

// This block's half of the rows of a tile, to both; the whole tile completes on a barrier of each.
__device__ __forceinline__ void copy_half(unsigned char* tile, const CUtensorMap& z, int first, Mbarrier* b) {
  const int rank = static_cast<int>(cluster_rank());
  mbarrier_arrive_expect(b, kTileBytes);
#pragma unroll
  for (int d = 0; d < kDim; d += kSlab)
    tensor_copy(tile + d / kSlab * kSlabBytes + rank * kSlabBytes / kBlocks, z, first + rank * kHalf, d, b,
                (1 << kBlocks) - 1);
}

__global__ void __launch_bounds__(kThreads)
    cluster_kernel(const __grid_constant__ CUtensorMap z, int rows, float inv_tau, float* __restrict__ lse,
                   float* __restrict__ loss) {
  __shared__ ClusterRing ring;
  unsigned char *anchors = swizzled_shared(), *stages = anchors + kTileBytes;
  const int first = static_cast<int>(blockIdx.x) * kBlock, tiles = rows / kBlock;
  if (threadIdx.x == 0) {
    mbarrier_init(&ring.anchors, 1);
    for (int s = 0; s < kStages; ++s) mbarrier_init(&ring.full[s], 1), mbarrier_init(&ring.empty[s], kBlocks * kWarps);
    fence_proxy_async();
  }
  cluster_sync();  // the barriers of both blocks are made

  if (threadIdx.x == kWarpgroup) {
    mbarrier_arrive_expect(&ring.anchors, kTileBytes);
#pragma unroll
    for (int d = 0; d < kDim; d += kSlab)
#pragma unroll
      for (int half = 0; half < kBlocks; ++half)
        tensor_copy(anchors + d / kSlab * kSlabBytes + half * kSlabBytes / kBlocks, z, first + half * kHalf, d,
                    &ring.anchors);
    Place at{.stage = 0, .parity = 1};  // of the round before the first, in which all stages are empty
    for (int t = 0; t < tiles; ++t, at.advance(kStages)) {
      mbarrier_wait_cluster(&ring.empty[at.stage], at.parity);
      copy_half(stages + at.stage * kTileBytes, z, t * kBlock, &ring.full[at.stage]);
    }
  } else if (threadIdx.x < kWarpgroup) {
    RowSums sums(first, inv_tau);
    mbarrier_wait(&ring.anchors, 0);
    Place at;
    for (int t = 0; t < tiles; ++t, at.advance(kStages)) {
      float s[kBlock / 2];
      mbarrier_wait(&ring.full[at.stage], at.parity);
      start_scores(s, anchors, stages + at.stage * kTileBytes);
      wgmma_wait<0>();
      wgmma_pin(s);
      if (threadIdx.x % kWarp < kBlocks) mbarrier_arrive(&ring.empty[at.stage], threadIdx.x % kWarp);
      sums.add(s, t * kBlock);
    }
    sums.write(rows, lse, loss);
  }
  __syncwarp();    // whole warps come to the barrier of the cluster
  cluster_sync();  // no block ends while the other copies to it or arrives at its barriers
}

}  // namespace
}  // namespace sm90

void cluster(const Forward& a, Queue q) {
  using namespace sm90;
  const int rows = static_cast<int>(a.anchors.rows);
  const Rows z(a.anchors.data, rows, q);
  // Of an odd number of blocks the last cluster's second has no anchors: copies bring zeros, and it copies for the first.
  launch_clusters("ladder_cluster", cluster_kernel, kBlocks,
                  {.grid = dim3(static_cast<unsigned>(ceil_div(rows, kBlocks * kBlock) * kBlocks)),
                   .block = dim3(kThreads),
                   .smem_bytes = kSharedBytes},
                  q, z.map(kHalf), rows, 1.f / a.tau, a.lse.data(), a.loss.data());
}

}  // namespace kith::ladder
