// mbarriers, tensor copies, products of warpgroups and clusters for the SIMT runner, for the wrappers of kernels/cuda/core.
#pragma once
#include "tests/simt/include/cuda_runtime.h"
#include "tests/simt/runner/hopper.h"

namespace simt_detail {

// As launch() of cuda_runtime.h, in clusters of so many blocks along x.
template <class... P, class... A>
void launch_clusters(const char* name, void (*kernel)(P...), unsigned cluster, dim3 grid, dim3 block, size_t shared,
                     A&&... args) {
  enqueue_kernel(
      [=](const simt::Kernel& k) {
        simt::launch_clusters(k, cluster, {grid.x, grid.y, grid.z}, {block.x, block.y, block.z}, shared);
      },
      name, kernel, args...);
}

}  // namespace simt_detail
