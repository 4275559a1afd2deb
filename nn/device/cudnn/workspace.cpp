#include "nn/device/cudnn/workspace.h"

#include <fmt/format.h>

#include "kernels/core/check.h"
#include "kernels/cuda/core/status.cuh"

namespace kith {

void cuda_status(cudaError_t status, const std::string& what) {
  if (status == cudaSuccess) return;
  static_cast<void>(cudaGetLastError());  // reported here; it must not meet the next launch
  throw Error(fmt::format("{}: CUDA: {}", what, cudaGetErrorString(status)));
}

Workspace::~Workspace() {
  for (void* old : retired_) cudaFreeAsync(old, stream_);
  if (data_ != nullptr) cudaFreeAsync(data_, stream_);
}

bool Workspace::capturing() const {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  cuda_status(cudaStreamIsCapturing(stream_, &status), "state of a stream");
  return status != cudaStreamCaptureStatusNone;
}

void* Workspace::reserve(int64_t bytes) {
  const bool recording = capturing();
  if (bytes > bytes_) {
    check(!recording,
          fmt::format("{} bytes of workspace are asked for while a graph is captured, {} are there: run the "
                      "step once before capturing it",
                      bytes, bytes_));
    if (captured_)
      retired_.push_back(data_);
    else if (data_ != nullptr)
      cuda_status(cudaFreeAsync(data_, stream_), "workspace");
    data_ = nullptr, captured_ = false, bytes_ = 0;
    const cudaError_t status = cudaMallocAsync(&data_, static_cast<size_t>(bytes), stream_);
    kernels::cuda::throw_if_out_of_memory(status, [bytes] {
      return fmt::format("out of device memory: the workspace of convolutions needs {:.0f} MiB",
                         static_cast<double>(bytes) / (1 << 20));
    });
    cuda_status(status, "workspace");
    bytes_ = bytes;
  }
  captured_ = captured_ || (recording && data_ != nullptr);
  return data_;
}

}  // namespace kith
