// Device memory that the calls of one stream share, one after another.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>
#include <string>
#include <vector>

namespace kith {

// Error("<what>: <CUDA's words>") unless the status is success; out of memory says how much was asked for.
void cuda_status(cudaError_t status, const std::string& what);

class Workspace {
 public:
  explicit Workspace(cudaStream_t stream) : stream_(stream) {}
  ~Workspace();
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  bool capturing() const;  // whether the stream is recording a graph
  // At least that many bytes until the next call that asks for more. Grows outside of capture only: Error otherwise.
  void* reserve(int64_t bytes);
  int64_t bytes() const { return bytes_; }

 private:
  cudaStream_t stream_;
  void* data_ = nullptr;
  int64_t bytes_ = 0;
  bool captured_ = false;       // a graph knows data_
  std::vector<void*> retired_;  // known to graphs, replaced since
};

}  // namespace kith
