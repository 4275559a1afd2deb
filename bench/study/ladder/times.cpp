// bench_ladder [rows...]: each rung on a GPU, verified, then the median of 30 launches with a cold L2. A wrong result prints no
// time and makes the exit status 1.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "bench/study/ladder/problem.h"
#include "kernels/core/check.h"

namespace kith::ladder {
namespace {

constexpr int kSamples = 30;
constexpr size_t kFlushBytes = size_t{256} << 20;  // several times any L2

void cuda_ok(cudaError_t status) { check(status == cudaSuccess, cudaGetErrorString(status)); }

double median_us(const Rung& rung, const Problem& problem, Queue q) {
  void* flush = nullptr;
  cudaEvent_t begin, end;
  cuda_ok(cudaMalloc(&flush, kFlushBytes));
  cuda_ok(cudaEventCreate(&begin));
  cuda_ok(cudaEventCreate(&end));
  std::vector<float> ms;
  for (int sample = -1; sample < kSamples; ++sample) {  // the first warms up
    cuda_ok(cudaMemsetAsync(flush, 0, kFlushBytes, q.stream));
    cuda_ok(cudaEventRecord(begin, q.stream));
    rung.run(problem.arguments(), q);
    cuda_ok(cudaEventRecord(end, q.stream));
    cuda_ok(cudaEventSynchronize(end));
    float elapsed = 0;
    cuda_ok(cudaEventElapsedTime(&elapsed, begin, end));
    if (sample >= 0) ms.push_back(elapsed);
  }
  cuda_ok(cudaEventDestroy(begin));
  cuda_ok(cudaEventDestroy(end));
  cuda_ok(cudaFree(flush));
  std::nth_element(ms.begin(), ms.begin() + kSamples / 2, ms.end());
  return 1e3 * static_cast<double>(ms[kSamples / 2]);
}

int run(const std::vector<int64_t>& sizes) {
  cudaDeviceProp device;
  cuda_ok(cudaGetDeviceProperties(&device, 0));
  const Queue q{Device::cuda, nullptr, device.major * 10 + device.minor, device.multiProcessorCount};
  fmt::print("{}, dim {}, median of {} with a cold L2\n", device.name, kDim, kSamples);
  int wrong = 0;
  for (const Rung& rung : rungs()) {
    if (!rung.supports(q)) {
      fmt::print("{:9} is for compute capability {}.{} alone\n", rung.name, rung.only_sm / 10, rung.only_sm % 10);
      continue;
    }
    const auto verified = Problem(16 * kBlock).verified(rung, q);
    wrong += !verified;
    if (!verified) fmt::print("{:9} wrong: {}\n", rung.name, verified.message());
    for (const int64_t rows : sizes)
      if (verified)
        fmt::print("{:9} verified {:8} rows {:12.1f} us\n", rung.name, rows, median_us(rung, Problem(rows), q));
  }
  return wrong > 0;
}

}  // namespace
}  // namespace kith::ladder

int main(int argc, char** argv) {
  std::vector<int64_t> sizes;
  for (int i = 1; i < argc; ++i) sizes.push_back(std::max<int64_t>(1, std::atoll(argv[i]) / 64) * 64);
  if (sizes.empty()) sizes = {1024, 4096};
  try {
    return kith::ladder::run(sizes);
  } catch (const std::exception& e) {
    fmt::print(stderr, "bench_ladder: {}\n", e.what());
    return 1;
  }
}
