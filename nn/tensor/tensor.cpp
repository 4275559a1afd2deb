#include "nn/tensor/tensor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "kernels/core/bf16.h"
#include "kernels/core/check.h"
#include "nn/tensor/buffer.h"

namespace kith {
std::string_view name_of(DType t) { return t == DType::f32 ? "f32" : "bf16"; }

int64_t count_of(const Shape& shape) {
  int64_t count = 1;
  for (const int64_t extent : shape) count *= extent;
  return count;
}

std::string to_string(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

Tensor::Tensor(Shape shape, DType dtype, std::shared_ptr<Buffer> storage)
    : shape_(std::move(shape)), dtype_(dtype), storage_(std::move(storage)) {
  for (const int64_t extent : shape_)
    if (extent < 0) throw Error(fmt::format("tensor of shape {}", to_string(shape_)));
  check(!storage_ || storage_->capacity() >= bytes(), "tensor larger than its storage");
}

int64_t Tensor::dim(int i) const {
  const int at = i < 0 ? i + rank() : i;
  if (at < 0 || at >= rank()) throw Error(fmt::format("extent {} of a tensor of shape {}", i, to_string(shape_)));
  return shape_[static_cast<size_t>(at)];
}

Device Tensor::device() const { return storage_ ? storage_->memory().device() : Device::cpu; }

Queue Tensor::queue() const { return storage_ ? storage_->memory().queue() : Queue{}; }

Tensor Tensor::reshape(Shape shape) const {
  check(!empty() && count_of(shape) == size(),
        fmt::format("reshape of {} to {}: the number of elements differs", to_string(shape_), to_string(shape)));
  Tensor t(std::move(shape), dtype_, storage_);
  t.offset_ = offset_;
  return t;
}

Tensor Tensor::part(int64_t first, int64_t count) const {
  const int64_t extent = dim(0);
  check(first >= 0 && count >= 0 && first + count <= extent,
        fmt::format("{} from {} on of a tensor of shape {}", count, first, to_string(shape_)));
  Tensor t = *this;
  t.shape_[0] = count;
  if (extent > 0) t.offset_ += bytes() / static_cast<size_t>(extent) * static_cast<size_t>(first);
  return t;
}

Tensor Tensor::joined(std::span<const Tensor> parts, Shape shape) {
  if (parts.empty() || parts[0].empty()) return {};
  Tensor t = parts[0];
  size_t end = t.offset_;
  for (const Tensor& part : parts) {
    if (part.storage_ != t.storage_ || part.dtype_ != t.dtype_ || part.offset_ != end) return {};
    end += part.bytes();
  }
  t.shape_ = std::move(shape);
  check(t.offset_ + t.bytes() == end,
        fmt::format("{} tensors joined to {}: the number of elements differs", parts.size(), to_string(t.shape_)));
  return t;
}

float* Tensor::data() const {
  if (empty()) return nullptr;
  if (dtype_ != DType::f32)  // the message is made only when it is needed: this is called everywhere
    throw Error(fmt::format("f32 expected, found a {} tensor of shape {}", name_of(dtype_), to_string(shape_)));
  return static_cast<float*>(raw());
}

void* Tensor::raw() const { return storage_ ? static_cast<std::byte*>(storage_->data()) + offset_ : nullptr; }

Matrix<float> Tensor::matrix() const {
  check(rank() >= 1, "matrix view of a tensor without extents");
  const int64_t cols = dim(-1);
  int64_t rows = 1;
  for (int i = 0; i + 1 < rank(); ++i) rows *= dim(i);
  return {data(), rows, cols};
}

std::vector<float> Tensor::to_host() const {
  std::vector<float> host(static_cast<size_t>(size()));
  if (host.empty()) return host;
  if (dtype_ == DType::f32) {
    storage_->memory().download(host.data(), raw(), bytes());
  } else {
    std::vector<bf16> values(host.size());
    storage_->memory().download(values.data(), raw(), bytes());
    std::ranges::transform(values, host.begin(), [](bf16 v) { return widen(v); });
  }
  return host;
}

void Tensor::copy_from(std::span<const float> host) const {
  check(static_cast<int64_t>(host.size()) == size(),
        fmt::format("copy of {} values into a tensor of shape {}", host.size(), to_string(shape_)));
  if (host.empty()) return;
  if (dtype_ == DType::f32) return storage_->memory().upload(raw(), host.data(), bytes());
  std::vector<bf16> rounded(host.size());
  std::ranges::transform(host, rounded.begin(), narrow);
  storage_->memory().upload(raw(), rounded.data(), bytes());
}

void Tensor::copy_from(const Tensor& other) const {
  check(other.size() == size() && other.dtype() == dtype_ && other.device() == device(),
        fmt::format("copy of {} {} into {} {}", name_of(other.dtype()), to_string(other.shape()), name_of(dtype_),
                    to_string(shape_)));
  if (size() > 0) storage_->memory().copy(raw(), other.raw(), bytes());
}

void Tensor::copy_rows_from(int64_t first, const Tensor& rows) const {
  const int64_t cols = dim(-1), begin = first * cols;
  check(rows.dtype() == dtype_ && rows.dim(-1) == cols && first >= 0 && begin + rows.size() <= size(),
        fmt::format("copy of {} to row {} of {}", to_string(rows.shape()), first, to_string(shape_)));
  auto* to = static_cast<std::byte*>(raw()) + static_cast<size_t>(begin) * size_of(dtype_);
  if (rows.size() > 0) storage_->memory().copy(to, rows.raw(), rows.bytes());
}

}  // namespace kith
