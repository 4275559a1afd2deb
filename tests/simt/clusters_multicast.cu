#include "kernels/cuda/core/cluster.cuh"
#include "kernels/cuda/core/ring.cuh"
#include "tests/simt/clusters.h"

namespace kith::simt_test {
namespace {

using namespace kernels::cuda;
constexpr int kRows = 32, kColumns = 64, kRingStages = 2, kTileBytes = kRows * kColumns * 2;

struct MulticastRing {
  Mbarrier full[kRingStages], empty[kRingStages];
};

__device__ void copy_halves(const CUtensorMap& in, unsigned char* stages, MulticastRing& ring, int tiles,
                            Multicast wrong) {
  const int rank = static_cast<int>(cluster_rank());
  const uint16_t blocks = wrong == Multicast::mask_outside ? 0b101 : wrong == Multicast::empty_mask ? 0 : 0b11;
  Place at{.stage = 0, .parity = 1};  // of the round before the first, in which all stages are empty
  for (int t = 0; t < tiles; ++t, at.advance(kRingStages)) {
    if (wrong == Multicast::remote_wait)
      mbarrier_wait(of_block(&ring.empty[at.stage], 1u - static_cast<unsigned>(rank)), at.parity);
    if (wrong == Multicast::wait_of_the_block)
      mbarrier_wait(&ring.empty[at.stage], at.parity);
    else
      mbarrier_wait_cluster(&ring.empty[at.stage], wrong == Multicast::phase_not_flipped ? 1 : at.parity);
    if (wrong != Multicast::not_expected || rank == 0)
      mbarrier_arrive_expect(&ring.full[at.stage],
                             kTileBytes + (wrong == Multicast::expects_too_much && rank == 1 ? 64 : 0));
    tensor_copy(stages + at.stage * kTileBytes + rank * kTileBytes / 2, in, t * kRows + rank * kRows / 2, 0,
                &ring.full[at.stage], blocks);
  }
}

__global__ void multicast_kernel(const __grid_constant__ CUtensorMap in, float* out, int tiles, Multicast wrong) {
  __shared__ MulticastRing ring;
  unsigned char* stages = dynamic_shared<unsigned char>();
  const unsigned thread = threadIdx.x;
  if (thread == 0) {
    for (int s = 0; s < kRingStages; ++s) {
      mbarrier_init(&ring.full[s], 1);
      mbarrier_init(&ring.empty[s], wrong == Multicast::released_at_home ? 2 : 4);  // two warps of each block
    }
    if (wrong != Multicast::no_fence_of_barriers) fence_proxy_async();
  }
  if (wrong == Multicast::barriers_not_seen)
    __syncthreads();
  else
    cluster_sync();  // the barriers of both blocks are made
  if (wrong == Multicast::other_exits && cluster_rank() == 1) return;
  if (thread >= 64) {
    if (thread == 64) copy_halves(in, stages, ring, tiles, wrong);
    __syncwarp();  // whole warps come to the barrier of the cluster
  } else if (wrong != Multicast::not_expected || cluster_rank() == 0) {
    float sum = 0.f;
    Place at;
    for (int t = 0; t < tiles; ++t, at.advance(kRingStages)) {
      mbarrier_wait(&ring.full[at.stage], at.parity);
      const auto* tile = reinterpret_cast<const uint16_t*>(stages + at.stage * kTileBytes);
      for (int r = 0; r < kRows; ++r) sum += static_cast<float>(tile[r * kColumns + static_cast<int>(thread)]);
      __syncwarp();  // the warp has read the tile
      if (thread % 32 != 0) continue;
      for (unsigned rank = 0; rank < 2; ++rank)
        if (wrong != Multicast::released_at_home || rank == cluster_rank())
          mbarrier_arrive(&ring.empty[at.stage], rank);
      if (wrong == Multicast::too_many_arrivals) mbarrier_arrive(&ring.empty[at.stage], 1 - cluster_rank());
    }
    out[blockIdx.x * 64 + thread] = sum;
  }
  if (wrong != Multicast::no_barrier_at_end) cluster_sync();  // no block ends while the other arrives at its barriers
}

}  // namespace

void sum_by_multicast(const uint16_t* in, float* out, int tiles, int clusters, Multicast wrong) {
  const CUtensorMap map = tensor_map(CU_TENSOR_MAP_DATA_TYPE_UINT16, in, tiles * kRows, kColumns,
                                     {.rows = kRows / 2, .columns = kColumns}, Swizzle::none);
  launch_clusters("sum_by_multicast", multicast_kernel, 2,
                  {.grid = dim3(static_cast<unsigned>(2 * clusters)),
                   .block = dim3(96),
                   .smem_bytes = static_cast<size_t>(kRingStages * kTileBytes)},
                  {Device::cuda}, map, out, tiles, wrong);
}

}  // namespace kith::simt_test
