// Device memory for the duration of one entry, from the stream-ordered pool: allocation and release are queued like
// launches, so an entry that uses it still returns at once and may be captured into a graph.
#pragma once
#include "kernels/cuda/core/launch.cuh"

namespace kith::kernels::cuda {

template <class T>
class Scratch {
 public:
  Scratch(int64_t count, Queue queue) : stream_(queue.stream) {
    if (count <= 0) return;
    const size_t bytes = static_cast<size_t>(count) * sizeof(T);
    const cudaError_t status = cudaMallocAsync(&data_, bytes, stream_);
    if (status == cudaErrorMemoryAllocation) {
      static_cast<void>(cudaGetLastError());  // dealt with here; it must not meet the next launch
      throw OutOfMemory("out of device memory: a kernel needs " + std::to_string((bytes >> 20) + 1) + " MiB more");
    }
    cuda_check(status);
  }
  ~Scratch() {
    if (data_ != nullptr) cudaFreeAsync(data_, stream_);  // a destructor reports nothing; the next launch would
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* data() const { return data_; }

 private:
  cudaStream_t stream_;
  T* data_ = nullptr;
};

}  // namespace kith::kernels::cuda
