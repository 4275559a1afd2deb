// Last-block pattern (CUDA sample threadFenceReduction): the last block to finish runs the final reduction and saves a launch.
#pragma once
#include <cuda_runtime.h>

namespace kith::kernels::cuda {

// True in every thread of the block that comes here last of `blocks`: it sees what the others wrote to global memory before.
// `ticket` is a __device__ variable, 0 before the launch; the last block leaves 0, so a captured graph can be replayed. Launches
// that share a ticket must be ordered, as those of one stream are. Who is last differs from run to run: what the last block
// computes must not depend on it.
__device__ __forceinline__ bool last_block(unsigned* ticket, unsigned blocks) {
  __threadfence();  // this thread's results reach the device before its block's ticket
  __syncthreads();  // those of all threads
  const bool last = __syncthreads_or(threadIdx.x == 0 && atomicInc(ticket, blocks - 1) == blocks - 1) != 0;
  if (last) __threadfence();  // nothing older than the others' results is read from here on
  return last;
}

}  // namespace kith::kernels::cuda
