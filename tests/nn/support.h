// Shared by the tests of nn/.
#pragma once
#include <functional>
#include <string>

#include "kernels/core/check.h"
#include "nn/model/module.h"
#include "tests/support/compare.h"
#include "tests/support/error_of.h"

namespace kith::test {

inline Tensor normal_tensor(Context& ctx, const Shape& shape, Seed seed, float scale = 1.f) {
  return ctx.from(shape, normal(count_of(shape), seed, scale));
}

// Seeds the backward of y with `dy` and returns the gradients of the leaves.
inline std::vector<std::vector<float>> gradients(Tape& tape, const Var& y, const Tensor& dy,
                                                 const std::vector<Var>& leaves) {
  tape.backward({{y, dy}});
  std::vector<std::vector<float>> out;
  for (const Var& leaf : leaves) out.push_back(tape.grad(leaf).to_host());
  return out;
}

// sum_i a_i b_i in f64.
inline double dot(std::span<const float> a, std::span<const float> b) {
  double s = 0;
  for (size_t i = 0; i < a.size(); ++i) s += double{a[i]} * b[i];
  return s;
}

}  // namespace kith::test
