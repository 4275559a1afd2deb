// A second stream for copies, and the events that join it to the queue's.
#pragma once
#include "kernels/cuda/core/launch.cuh"

namespace kith::kernels::cuda {

class Event {
 public:
  Event() { cuda_check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming)); }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void record(cudaStream_t stream) { cuda_check(cudaEventRecord(event_, stream)); }
  // What is queued on `stream` from now on waits for what was queued before the last record.
  void hold(cudaStream_t stream) const { cuda_check(cudaStreamWaitEvent(stream, event_, 0)); }

 private:
  cudaEvent_t event_ = nullptr;
};

class CopyStream {
 public:
  CopyStream() { cuda_check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }
  ~CopyStream() {
    cudaStreamSynchronize(stream_);  // after an Error copies may be under way into memory that is about to be freed
    cudaStreamDestroy(stream_);
  }
  CopyStream(const CopyStream&) = delete;
  CopyStream& operator=(const CopyStream&) = delete;
  cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

}  // namespace kith::kernels::cuda
