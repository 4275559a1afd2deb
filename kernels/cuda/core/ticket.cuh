// Last-block pattern (CUDA sample threadFenceReduction): the last block to finish runs the final reduction and saves a launch.
// Tickets belong to a queue: launches on one are ordered, so that they may share them, and queues of one device do not meet.
#pragma once
#include "kernels/cuda/core/scratch.cuh"

namespace kith::kernels::cuda {

// True in every thread of the block that comes here last of `blocks`: it sees what the others wrote to global memory before.
// `ticket` is 0 before the launch; the last block leaves 0, so that the next launch, or the replay of a captured graph, finds
// 0 again. Who is last differs from run to run: what the last block computes must not depend on it.
__device__ __forceinline__ bool last_block(unsigned* ticket, unsigned blocks) {
  __threadfence();  // this thread's results reach the device before its block's ticket
  __syncthreads();  // those of all threads
  const bool last = __syncthreads_or(threadIdx.x == 0 && atomicInc(ticket, blocks - 1) == blocks - 1) != 0;
  if (last) __threadfence();  // nothing older than the others' results is read from here on
  return last;
}

// `count` tickets for one launch, 0 each: the queue's own, or scratch where they are too few.
class Tickets {
 public:
  Tickets(int64_t count, Queue q) : scratch_(count > static_cast<int64_t>(q.tickets.size()) ? count : 0, q) {
    data_ = scratch_.data() == nullptr ? q.tickets.data() : scratch_.data();
    if (scratch_.data() != nullptr)
      cuda_check(cudaMemsetAsync(data_, 0, static_cast<size_t>(count) * sizeof(unsigned), q.stream));
  }
  unsigned* data() const { return data_; }

 private:
  Scratch<unsigned> scratch_;
  unsigned* data_;
};

}  // namespace kith::kernels::cuda
