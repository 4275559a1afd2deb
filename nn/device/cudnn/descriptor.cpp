#include "nn/device/cudnn/descriptor.h"

#include <fmt/format.h>

#include <utility>

#include "kernels/core/check.h"

namespace kith {

Descriptor::Descriptor(cudnnBackendDescriptorType_t type) {
  cudnn_check(cudnn().create_descriptor(type, &get_), fmt::format("descriptor of type {}", static_cast<int>(type)));
}

Descriptor::~Descriptor() {
  if (get_ != nullptr) cudnn().destroy_descriptor(get_);
}

Descriptor::Descriptor(Descriptor&& other) noexcept : get_(std::exchange(other.get_, nullptr)) {}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(get_, other.get_);
  return *this;
}

Descriptor& Descriptor::set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count,
                            const void* values) {
  cudnn_check(cudnn().set_attribute(get_, name, type, count, values),
              fmt::format("attribute {}", static_cast<int>(name)));
  return *this;
}

Descriptor& Descriptor::finalize(const std::string& what) {
  cudnn_check(cudnn().finalize(get_), what);
  return *this;
}

bool Descriptor::try_finalize() { return cudnn().finalize(get_) == CUDNN_STATUS_SUCCESS; }

int64_t Descriptor::read(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t limit,
                         void* values) const {
  int64_t count = 0;
  cudnn_check(cudnn().get_attribute(get_, name, type, limit, &count, values),
              fmt::format("reading attribute {}", static_cast<int>(name)));
  return std::min(count, limit);
}

int64_t Descriptor::int64(cudnnBackendAttributeName_t name) const {
  int64_t value = 0;
  check(read(name, CUDNN_TYPE_INT64, 1, &value) == 1,
        fmt::format("cuDNN attribute {} is absent", static_cast<int>(name)));
  return value;
}

std::vector<Descriptor> Descriptor::descriptors(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type,
                                                int64_t limit) const {
  std::vector<Descriptor> filled;
  std::vector<cudnnBackendDescriptor_t> raw;
  for (int64_t i = 0; i < limit; ++i) raw.push_back(filled.emplace_back(type).get());
  const int64_t count = read(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, limit, raw.data());
  filled.erase(filled.begin() + count, filled.end());
  return filled;
}

}  // namespace kith
