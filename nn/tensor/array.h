// Array: plain numbers of any type in a context's memory: labels, indices, pixels. A copy refers to the same memory.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "nn/tensor/buffer.h"
#include "nn/tensor/context.h"

namespace kith {

template <class T>
class Array {
 public:
  Array() = default;
  Array(Context& ctx, int64_t count) : count_(static_cast<size_t>(count)), buffer_(ctx.block(count_ * sizeof(T))) {}
  Array(Context& ctx, std::span<const T> values) : Array(ctx, static_cast<int64_t>(values.size())) {
    copy_from(values);
  }

  bool empty() const { return count_ == 0; }
  T* data() const { return buffer_ ? static_cast<T*>(buffer_->data()) : nullptr; }
  std::span<T> span() const { return {data(), count_}; }
  void copy_from(std::span<const T> host) const {  // as many values as there are, or fewer
    if (!host.empty()) buffer_->memory().upload(data(), host.data(), host.size_bytes());
  }
  std::vector<T> to_host() const {  // waits
    std::vector<T> host(count_);
    if (count_ > 0) buffer_->memory().download(host.data(), data(), count_ * sizeof(T));
    return host;
  }
  void zero() const {
    if (count_ > 0) buffer_->memory().zero(data(), count_ * sizeof(T));
  }

 private:
  size_t count_ = 0;
  std::shared_ptr<Buffer> buffer_;
};

}  // namespace kith
