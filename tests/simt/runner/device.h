// Device memory of the runner as an owner, for its own tests.
#pragma once
#include <algorithm>
#include <vector>

#include "tests/simt/runner/runtime.h"

namespace kith::simt_test {

template <class T>
class Device {
 public:
  explicit Device(const std::vector<T>& values)
      : count_(values.size()), data_(static_cast<T*>(simt::allocate(count_ * sizeof(T)))) {
    std::copy(values.begin(), values.end(), data_);
  }
  ~Device() { simt::release(data_); }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  T* get() const { return data_; }
  std::vector<T> host() const { return {data_, data_ + count_}; }

 private:
  size_t count_;
  T* data_;
};

}  // namespace kith::simt_test
