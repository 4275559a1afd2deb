// A descriptor of cuDNN's backend: attributes are set by kind, then it is finalised and stays as it is.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "nn/device/cudnn/library.h"

namespace kith {

class Descriptor {
 public:
  explicit Descriptor(cudnnBackendDescriptorType_t type);
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;

  Descriptor& set(cudnnBackendAttributeName_t, cudnnBackendAttributeType_t, int64_t count, const void* values);
  Descriptor& set(cudnnBackendAttributeName_t name, std::span<const int64_t> v) {
    return set(name, CUDNN_TYPE_INT64, static_cast<int64_t>(v.size()), v.data());
  }
  Descriptor& set(cudnnBackendAttributeName_t name, int64_t v) { return set(name, CUDNN_TYPE_INT64, 1, &v); }
  Descriptor& set(cudnnBackendAttributeName_t name, float v) { return set(name, CUDNN_TYPE_FLOAT, 1, &v); }
  Descriptor& set(cudnnBackendAttributeName_t name, cudnnDataType_t v) {
    return set(name, CUDNN_TYPE_DATA_TYPE, 1, &v);
  }
  Descriptor& set(cudnnBackendAttributeName_t name, cudnnHandle_t v) { return set(name, CUDNN_TYPE_HANDLE, 1, &v); }
  Descriptor& set(cudnnBackendAttributeName_t name, const Descriptor& v) {
    return set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &v.get_);
  }
  Descriptor& finalize(const std::string& what);  // Error when cuDNN refuses
  bool try_finalize();                            // false when cuDNN does not support it

  // Attributes of a finalised descriptor.
  int64_t int64(cudnnBackendAttributeName_t) const;
  template <class T>
  std::vector<T> list(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t limit) const {
    std::vector<T> values(static_cast<size_t>(limit));
    values.resize(static_cast<size_t>(read(name, type, limit, values.data())));
    return values;
  }
  // Reads into descriptors that exist; returns how many were filled.
  std::vector<Descriptor> descriptors(cudnnBackendAttributeName_t, cudnnBackendDescriptorType_t, int64_t limit) const;

  cudnnBackendDescriptor_t get() const { return get_; }

 private:
  int64_t read(cudnnBackendAttributeName_t, cudnnBackendAttributeType_t, int64_t limit, void* values) const;
  cudnnBackendDescriptor_t get_ = nullptr;
};

}  // namespace kith
