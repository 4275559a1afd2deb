// Tensors to step, the six methods by name, and steps of them on either element type.
#pragma once
#include <string>
#include <vector>

#include "kernels/optim.h"
#include "tests/support/compare.h"

namespace kith::test {

using namespace kernels;

// Weights, gradients and states of several tensors. States start as NaN: step 1 must not read them.
template <class T>
struct Problem {
  std::vector<std::vector<T>> w, g, m, v;
  std::vector<std::vector<bf16>> bf16_copy;  // empty: no copies
  std::vector<T> decay;
  std::vector<bool> adapt;

  void add(std::vector<T> weights, T weight_decay, bool adapts = true) {
    const size_t n = weights.size();
    w.push_back(std::move(weights));
    g.emplace_back(n);
    m.emplace_back(n, std::numeric_limits<T>::quiet_NaN());
    v.emplace_back(n, std::numeric_limits<T>::quiet_NaN());
    decay.push_back(weight_decay);
    adapt.push_back(adapts);
  }
  std::vector<OptimSlot<T>> slots() {
    std::vector<OptimSlot<T>> s;
    for (size_t i = 0; i < w.size(); ++i)
      s.push_back({.w = w[i],
                   .g = g[i],
                   .m = m[i],
                   .v = v[i],
                   .bf16_copy = bf16_copy.empty() ? std::span<bf16>() : bf16_copy[i],
                   .weight_decay = decay[i],
                   .adapt = adapt[i]});
    return s;
  }
};

template <class T>
void route(const SgdStep<T>& a) {
  if constexpr (std::is_same_v<T, float>)
    sgd_step(a, Queue{});
  else
    cpu::sgd_step(a);
}
template <class T>
void route(const AdamStep<T>& a) {
  if constexpr (std::is_same_v<T, float>)
    adam_step(a, Queue{});
  else
    cpu::adam_step(a);
}
template <class T>
void route(const LarsStep<T>& a) {
  if constexpr (std::is_same_v<T, float>)
    lars_step(a, Queue{});
  else
    cpu::lars_step(a);
}

inline const char* const kMethods[] = {"sgd", "momentum", "nesterov", "adam", "adamw", "lars"};

// The constants are those of tests/golden/optim.py, exact in float. Where there are live numbers, others stand beside
// them, so that a step which takes those is wrong.
template <class T>
void step(const std::string& method, Problem<T>& p, int64_t t, const LiveStep* live = nullptr,
          const int32_t* finite = nullptr, int64_t* skipped = nullptr) {
  const std::vector<OptimSlot<T>> s = p.slots();
  const T lr = live != nullptr ? T(3) : T(0.125);
  if (live != nullptr) t = 77;
  if (method == "sgd" || method == "momentum" || method == "nesterov")
    route(SgdStep<T>{.slots = s,
                     .lr = lr,
                     .momentum = method == "sgd" ? T(0) : T(0.75),
                     .nesterov = method == "nesterov",
                     .step = t,
                     .live = live,
                     .finite = finite,
                     .skipped = skipped});
  if (method == "adam" || method == "adamw")
    route(AdamStep<T>{.slots = s,
                      .lr = lr,
                      .beta1 = T(0.875),
                      .beta2 = T(0.9375),
                      .eps = T(0x1p-20),
                      .decoupled = method == "adamw",
                      .step = t,
                      .live = live,
                      .finite = finite,
                      .skipped = skipped});
  if (method == "lars")
    route(LarsStep<T>{.slots = s,
                      .lr = lr,
                      .momentum = T(0.75),
                      .trust = T(0.03125),
                      .step = t,
                      .live = live,
                      .finite = finite,
                      .skipped = skipped});
}

// Sizes around the piece of 16384 and the 16 lanes of the norms; two tensors are empty or tiny.
inline Problem<float> several_tensors() {
  Problem<float> p;
  p.add(normal(16385, Seed{1}), 0.0625f);
  p.add({}, 0.5f);
  p.add(normal(1, Seed{2}), 0.f, false);
  p.add(normal(31, Seed{3}), 0.25f);
  p.add(normal(3 * 16384, Seed{4}), 0.0625f, false);
  p.add(std::vector<float>(40, 0.f), 0.0625f);  // zero weights: LARS does not adapt
  return p;
}

inline void draw_gradients(Problem<float>& p, uint64_t t) {
  for (size_t i = 0; i < p.g.size(); ++i) p.g[i] = normal(static_cast<int64_t>(p.g[i].size()), Seed{100 * t + i});
}

}  // namespace kith::test
