#include "kernels/cuda/core/cluster.cuh"
#include "kernels/cuda/core/named_barrier.cuh"
#include "tests/simt/clusters.h"

namespace kith::simt_test {
namespace {

using namespace kernels::cuda;
const Queue kQueue{Device::cuda};

__global__ void sharing_kernel(const float* in, float* out, float* sums, Sharing wrong) {
  __shared__ float total;
  __shared__ Mbarrier read;
  float* tile = dynamic_shared<float>();
  const unsigned rank = cluster_rank(), size = cluster_blocks(), next = (rank + 1) % size, i = threadIdx.x;
  const unsigned block = blockIdx.x * 32;
  if (i == 0) total = 0.f, mbarrier_init(&read, 1);
  if (wrong == Sharing::no_barrier_before_read) cluster_sync();  // one that comes too early
  tile[i] = in[block + i];
  if (wrong == Sharing::one_lane_missing && rank == 1 && i == 7) {
    __syncthreads();
    return;
  }
  if (wrong == Sharing::arrives_twice) cluster_arrive();
  if (wrong == Sharing::never_arrives) {
    cluster_wait();
  } else if (wrong != Sharing::no_barrier_before_read && wrong != Sharing::may_not_have_begun) {
    cluster_sync();  // the tiles and sums of all are written
  }
  if (wrong == Sharing::may_not_have_begun) of_block(tile, next)[i] = 1.f;
  if (wrong == Sharing::outside_cluster) out[block + i] = of_block(tile, rank + size)[i];
  if (wrong == Sharing::not_shared) out[block + i] = of_block(out, next)[i];
  if (wrong == Sharing::exits_on_one_arrival && rank == 1) return mbarrier_wait(&read, 0);
  out[block + i] = of_block(tile, next)[wrong == Sharing::past_the_end ? i + 1 : i];
  if (wrong == Sharing::exits_on_one_arrival) {
    if (i == 0) mbarrier_arrive(&read, 1);
    return;
  }
  float* of_all = of_block(&total, 0);
  if (wrong != Sharing::plain_sum)
    atomicAdd(of_all, tile[i]);
  else if (i == 0)
    *of_all += tile[i];
  if (wrong == Sharing::exits_early) return;
  cluster_sync();  // all have added
  if (i == 0) sums[blockIdx.x] = *of_all;
  cluster_sync();  // and read
}

__global__ void named_kernel(const float* in, float* out, Named wrong) {
  __shared__ float tile[32];
  const unsigned lane = threadIdx.x % 32, name = wrong == Named::name_of_all ? 0 : 1;
  const unsigned threads = wrong == Named::no_warps ? 48 : wrong == Named::too_many ? 128 : 64;
  if (threadIdx.x >= 64) return;  // a third warp has no part in it
  for (int round = 0; round < 2; ++round) {
    if (threadIdx.x < 32) {
      tile[lane] = in[lane];
      if (wrong != Named::never_arrives) barrier_arrive(name, wrong == Named::other_count ? 96 : threads);
      if (wrong == Named::left_over && round == 1) barrier_arrive(3, 64);
      barrier_sync(2, 64);  // it has been read
    } else {
      if (wrong != Named::not_ordered) barrier_sync(name, threads);  // it is written
      out[31 - lane] = 2 * tile[31 - lane];
      barrier_arrive(2, 64);
    }
  }
}

}  // namespace

void share_in_clusters(const float* in, float* out, float* sums, int blocks, int cluster, Sharing wrong) {
  launch_clusters("share_in_clusters", sharing_kernel, static_cast<unsigned>(cluster),
                  {.grid = dim3(static_cast<unsigned>(wrong == Sharing::grid_too_small ? blocks - 1 : blocks)),
                   .block = dim3(32),
                   .smem_bytes = 32 * sizeof(float)},
                  kQueue, in, out, sums, wrong);
}

void hand_over_by_name(const float* in, float* out, Named wrong) {
  launch("hand_over_by_name", named_kernel, {.grid = dim3(1), .block = dim3(96)}, kQueue, in, out, wrong);
}

}  // namespace kith::simt_test
