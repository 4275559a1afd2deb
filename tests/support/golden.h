// Golden vectors: tests/golden/NAME.safetensors, made by tests/golden/NAME.py with PyTorch, scikit-learn, SciPy or Pillow.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "kernels/core/check.h"
#include "nn/state/safetensors.h"

namespace kith::test {

SafeTensors golden(const std::string& name);

// The array of that name; T must match its dtype in size. Fails on a missing name.
template <class T>
std::span<const T> values(const SafeTensors& file, const std::string& name) {
  const auto it = file.arrays.find(name);
  if (it == file.arrays.end()) throw Error("golden array missing: " + name);
  check(it->second.bytes.size() == static_cast<size_t>(it->second.count()) * sizeof(T), "golden dtype: " + name);
  return {it->second.as<T>(), static_cast<size_t>(it->second.count())};
}

}  // namespace kith::test
