// Clusters (sm_90): blocks that follow each other along x and are on the device together. Each reaches the others' shared memory:
// by the address of an object at the same place there (of_block), which loads, stores and atomics take; by arrivals at their
// mbarriers; by copies that come to several blocks at once. Blocks are named by their rank in the cluster.
//
// Memory of another block may be touched once a barrier of the cluster has been passed, which it then takes part in, and not
// after it has exited: a barrier of the cluster stands behind the last such access.
#pragma once
#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/core/tensor_map.cuh"

namespace kith::kernels::cuda {

// launch() of a grid in clusters of `blocks`, of which grid.x is a multiple: 8 at most.
template <class... P, class... A>
void launch_clusters(const char* name, void (*kernel)(P...), unsigned blocks, LaunchShape shape, Queue queue,
                     A... args) {
  const LaunchRange range(name);
#ifdef KITH_SIMT
  (void)queue;
  simt_detail::launch_clusters(name, kernel, blocks, shape.grid, shape.block, shape.smem_bytes, args...);
#else
  allow_shared(kernel, shape.smem_bytes);
  cudaLaunchAttribute cluster{};
  cluster.id = cudaLaunchAttributeClusterDimension;
  cluster.val.clusterDim.x = blocks;
  cluster.val.clusterDim.y = cluster.val.clusterDim.z = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = shape.grid;
  config.blockDim = shape.block;
  config.dynamicSmemBytes = shape.smem_bytes;
  config.stream = queue.stream;
  config.attrs = &cluster;
  config.numAttrs = 1;
  cuda_check(cudaLaunchKernelEx(&config, kernel, static_cast<P>(args)...));
  wait_if_asked(queue);
#endif
}

__device__ __forceinline__ unsigned cluster_rank() {
#ifdef KITH_SIMT
  return simt::cluster_rank();
#else
  unsigned rank;
  asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
#endif
}
__device__ __forceinline__ unsigned cluster_blocks() {
#ifdef KITH_SIMT
  return simt::cluster_blocks();
#else
  unsigned blocks;
  asm("mov.u32 %0, %%cluster_nctarank;" : "=r"(blocks));
  return blocks;
#endif
}

// The barrier of all threads of the cluster that have not exited, in two halves, each by whole warps: what a thread did before
// it arrives is seen by all that have waited.
__device__ __forceinline__ void cluster_arrive() {
#ifdef KITH_SIMT
  simt::cluster_arrive(simt::Where::current());
#else
  asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
#endif
}
__device__ __forceinline__ void cluster_wait() {
#ifdef KITH_SIMT
  simt::cluster_wait(simt::Where::current());
#else
  asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
#endif
}
__device__ __forceinline__ void cluster_sync() {
  cluster_arrive();
  cluster_wait();
}

// What is at the place of `p`, in this block's shared memory, in that of another.
template <class T>
__device__ __forceinline__ T* of_block(T* p, unsigned rank) {
#ifdef KITH_SIMT
  return static_cast<T*>(simt::of_block(p, rank));
#else
  T* there;
  asm volatile("mapa.u64 %0, %1, %2;" : "=l"(there) : "l"(p), "r"(rank));
  return there;
#endif
}

// An arrival at the mbarrier that stands in that block, this one or another, where `b` stands in this.
__device__ __forceinline__ void mbarrier_arrive(Mbarrier* b, unsigned rank) {
#ifdef KITH_SIMT
  simt::mbarrier_arrive_at(b, rank);
#else
  asm volatile(
      "{\n.reg .b32 there;\nmapa.shared::cluster.u32 there, %0, %1;\n"
      "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [there];\n}" ::"r"(
          static_cast<unsigned>(__cvta_generic_to_shared(b))),
      "r"(rank)
      : "memory");
#endif
}

// mbarrier_wait() for arrivals of other blocks too: what their threads did before is seen.
__device__ __forceinline__ void mbarrier_wait_cluster(Mbarrier* b, unsigned parity) {
#ifdef KITH_SIMT
  mbarrier_wait(b, parity);
  simt::mbarrier_acquire_cluster(b);
#else
  asm volatile(
      "{\n.reg .pred done;\nagain:\n"
      "mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 done, [%0], %1;\n@!done bra again;\n}" ::"r"(
          static_cast<unsigned>(__cvta_generic_to_shared(b))),
      "r"(parity)
      : "memory");
#endif
}

// tensor_copy() to the same place in every block whose bit is set; its bytes complete on the mbarrier at the place of `b` there.
__device__ __forceinline__ void tensor_copy(void* shared, const CUtensorMap& map, int row, int column, Mbarrier* b,
                                            uint16_t blocks) {
#ifdef KITH_SIMT
  simt::tensor_copy_to(shared, simt_detail::decoded(map), column, row, b, blocks);
#else
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster"
      " [%0], [%1, {%3, %4}], [%2], %5;" ::"r"(static_cast<unsigned>(__cvta_generic_to_shared(shared))),
      "l"(&map), "r"(static_cast<unsigned>(__cvta_generic_to_shared(b))), "r"(column), "r"(row), "h"(blocks)
      : "memory");
#endif
}

}  // namespace kith::kernels::cuda
