// Device memory for the duration of one entry: lent where the queue knows a lender, as while a step is captured, else from
// the stream-ordered pool. Both are queued like launches, so an entry that uses it still returns at once. A captured
// graph may hold either; but each block of the pool is two nodes of it, one to allocate and one to release, on the
// path of the kernels, and what is lent is none.
#pragma once
#include "kernels/cuda/core/launch.cuh"

namespace kith::kernels::cuda {

template <class T>
class Scratch {
 public:
  Scratch(int64_t count, Queue queue)
      : bytes_(count <= 0 ? 0 : static_cast<size_t>(count) * sizeof(T)), lender_(queue.scratch), stream_(queue.stream) {
    if (bytes_ == 0) return;
    if (lender_ == nullptr) {
      allocate();
      return;
    }
    data_ = static_cast<T*>(lender_->allocate(bytes_));
#ifdef KITH_SIMT
    simt::lend(data_, bytes_);  // as strict as with a block of its own
#endif
  }
  ~Scratch() {
    if (data_ == nullptr) return;
    if (lender_ == nullptr) {
      cudaFreeAsync(data_, stream_);  // a destructor reports nothing; the next launch would
      return;
    }
#ifdef KITH_SIMT
    simt::take_back(data_);
#endif
    lender_->free(data_, bytes_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* data() const { return data_; }

 private:
  void allocate() {
    const cudaError_t status = cudaMallocAsync(&data_, bytes_, stream_);
    throw_if_out_of_memory(status, [this] {
      return "out of device memory: a kernel needs " + std::to_string((bytes_ >> 20) + 1) + " MiB more";
    });
    cuda_check(status);
  }

  size_t bytes_;
  ScratchAllocator* lender_;
  cudaStream_t stream_;
  T* data_ = nullptr;
};

}  // namespace kith::kernels::cuda
