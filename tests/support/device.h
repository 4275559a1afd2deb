// Device memory for tests of kernels/cuda: the same test runs under the SIMT runner and on a GPU. Arrays are allocated with
// their exact size, so a read past the end is a fault under the runner and under compute-sanitizer.
#pragma once
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <vector>

#include "kernels/core/check.h"
#include "tests/support/compare.h"

namespace kith::test {

template <class T>
class OnDevice {
 public:
  explicit OnDevice(const std::vector<T>& host) : count_(host.size()) {
    check(cudaMalloc(&data_, std::max<size_t>(1, count_) * sizeof(T)) == cudaSuccess, "cudaMalloc");
    check(cudaMemcpy(data_, host.data(), count_ * sizeof(T), cudaMemcpyHostToDevice) == cudaSuccess,
          "copy to the device");
  }
  explicit OnDevice(const HostMatrix<T>& m) : OnDevice(m.values) { rows_ = m.rows, cols_ = m.cols; }
  ~OnDevice() { cudaFree(data_); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

  T* data() const { return data_; }
  std::span<T> span() const { return {data_, count_}; }
  Matrix<T> matrix() const { return {data_, rows_, cols_}; }
  std::vector<T> host() const {
    std::vector<T> v(count_);
    check(cudaMemcpy(v.data(), data_, count_ * sizeof(T), cudaMemcpyDeviceToHost) == cudaSuccess,
          "copy from the device");
    return v;
  }

 private:
  size_t count_;
  int64_t rows_ = 0, cols_ = 0;
  T* data_ = nullptr;
};

// An output of that many elements, NaN (or -1) throughout.
template <class T>
std::vector<T> poison(int64_t count) {
  std::vector<T> v(static_cast<size_t>(count));
  std::fill_n(reinterpret_cast<unsigned char*>(v.data()), v.size() * sizeof(T), static_cast<unsigned char>(0xFF));
  return v;
}

// The queue under test: default stream of device 0. Under the runner sm is 80, and shared memory what the smallest GPU that
// runs its code (sm_86) lends a block.
class CudaKernel : public testing::Test {
 protected:
  void SetUp() override {
#ifndef KITH_SIMT
    int devices = 0;
    if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) GTEST_SKIP() << "no CUDA device";
    cudaDeviceProp properties;
    check(cudaGetDeviceProperties(&properties, 0) == cudaSuccess, "cudaGetDeviceProperties");
    queue.sm = properties.major * 10 + properties.minor;
    queue.multiprocessors = properties.multiProcessorCount;
#else
    simt::options().shared_limit = 99 << 10;
    queue.multiprocessors = simt::kMultiprocessors;
#endif
  }
  Queue queue{Device::cuda, nullptr, 80};
};

}  // namespace kith::test
