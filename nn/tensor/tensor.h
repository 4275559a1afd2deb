// Tensor: a contiguous row-major array on one device; images are NHWC. Copying a Tensor copies a reference to storage;
// reshape, part and joined share storage; nothing else aliases.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/core/types.h"

namespace kith {

enum class DType : uint8_t { f32, bf16 };

constexpr size_t size_of(DType t) { return t == DType::f32 ? 4 : 2; }
std::string_view name_of(DType t);

using Shape = std::vector<int64_t>;
int64_t count_of(const Shape&);       // product of extents; 1 for {}
std::string to_string(const Shape&);  // "[2, 32, 32, 3]"

class Buffer;  // move-only RAII storage, frees itself on the device and stream it came from

class Tensor {
 public:
  Tensor() = default;  // empty: no storage, size() == 0
  Tensor(Shape shape, DType dtype, std::shared_ptr<Buffer> storage);

  bool empty() const { return !storage_; }
  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  int64_t dim(int i) const;  // negative i counts from the end
  int rank() const { return static_cast<int>(shape_.size()); }
  int64_t size() const { return empty() ? 0 : count_of(shape_); }
  size_t bytes() const { return static_cast<size_t>(size()) * size_of(dtype_); }
  Device device() const;
  Queue queue() const;  // where entries work on it

  Tensor reshape(Shape shape) const;  // shares storage; Error when the count differs

  // `count` of the first extent from `first` on; shares storage, and may start at any multiple of its element.
  Tensor part(int64_t first, int64_t count) const;
  // Tensors of one dtype that stand one after another in one storage, as a tensor of `shape`; empty where they do not.
  static Tensor joined(std::span<const Tensor> parts, Shape shape);

  float* data() const;  // f32 only; Error otherwise
  void* raw() const;
  std::span<float> span() const { return {data(), static_cast<size_t>(size())}; }
  Matrix<float> matrix() const;  // all leading extents folded: [size / last, last]

  std::vector<float> to_host() const;                 // waits; bf16 is widened
  void copy_from(std::span<const float> host) const;  // waits; bf16 is rounded to nearest even
  void copy_from(const Tensor& other) const;          // on the device; sizes and dtypes must agree
  void copy_rows_from(int64_t first,
                      const Tensor& rows) const;  // on the device; rows of the last extent, from `first` on

 private:
  Shape shape_;
  DType dtype_ = DType::f32;
  std::shared_ptr<Buffer> storage_;
  size_t offset_ = 0;  // bytes into the storage
};

}  // namespace kith
