// Timing on the machine's GPU, for benchmark files of a CUDA build. Form of one: as in support.h, with
//
//   if (!bench::Gpu::found(state)) return;
//   bench::Gpu gpu;
//   ... tests/support/device.h's OnDevice for memory, gpu.queue() for entries ...
//   gpu.run_verified(state, test::close(got, want, tol), cost, [&] { kernels::topk(args, gpu.queue()); });
#pragma once
#include "bench/support.h"
#include "tests/support/device.h"

namespace kith::bench {

// Device times, between events. Caches are cold: memory of more than any L2's size is written before each sample.
inline void device_timing(benchmark::internal::Benchmark* b) { b->UseManualTime()->Unit(benchmark::kMicrosecond); }

class Gpu {
 public:
  // Whether there is one; the benchmark says so otherwise, and gives no time.
  static bool found(benchmark::State& state) {
    int devices = 0;
    const bool any = cudaGetDeviceCount(&devices) == cudaSuccess && devices > 0;
    if (!any) state.SkipWithError("no CUDA device");
    return any;
  }
  Gpu() : flush_(std::vector<char>(size_t{256} << 20)) {
    cudaDeviceProp properties;
    check(cudaGetDeviceProperties(&properties, 0) == cudaSuccess, "cudaGetDeviceProperties");
    queue_.sm = properties.major * 10 + properties.minor;
    check(cudaEventCreate(&begin_) == cudaSuccess && cudaEventCreate(&end_) == cudaSuccess, "cudaEventCreate");
  }
  ~Gpu() {
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
  }
  Gpu(const Gpu&) = delete;
  Gpu& operator=(const Gpu&) = delete;
  Queue queue() const { return queue_; }

  template <class F>
  void run_verified(benchmark::State& state, const testing::AssertionResult& verified, Cost cost, F&& f) {
    if (!verified) {
      state.SkipWithError(verified.message());
      return;
    }
    for ([[maybe_unused]] auto _ : state) {
      check(cudaMemsetAsync(flush_.data(), 0, flush_.span().size(), queue_.stream) == cudaSuccess, "cudaMemsetAsync");
      check(cudaEventRecord(begin_, queue_.stream) == cudaSuccess, "cudaEventRecord");
      f();
      check(cudaEventRecord(end_, queue_.stream) == cudaSuccess, "cudaEventRecord");
      check(cudaEventSynchronize(end_) == cudaSuccess, "cudaEventSynchronize");
      float ms = 0;
      check(cudaEventElapsedTime(&ms, begin_, end_) == cudaSuccess, "cudaEventElapsedTime");
      state.SetIterationTime(ms * 1e-3);
    }
    report_cost(state, cost);
  }

 private:
  Queue queue_{Device::cuda, nullptr, 0};
  test::OnDevice<char> flush_;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
};

}  // namespace kith::bench
