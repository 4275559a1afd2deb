#include "kernels/optim.h"

#include <omp.h>

#include <functional>

#include "kernels/core/check.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"

namespace kith::test {
namespace {

using namespace kernels;

// Weights, gradients and states of several tensors. States start as NaN: step 1 must not read them.
template <class T>
struct Problem {
  std::vector<std::vector<T>> w, g, m, v;
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
      s.push_back({.w = w[i], .g = g[i], .m = m[i], .v = v[i], .weight_decay = decay[i], .adapt = adapt[i]});
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

const char* const kMethods[] = {"sgd", "momentum", "nesterov", "adam", "adamw", "lars"};

// The constants are those of tests/golden/optim.py, exact in float.
template <class T>
void step(const std::string& method, Problem<T>& p, int64_t t) {
  const std::vector<OptimSlot<T>> s = p.slots();
  const T lr = T(0.125);
  if (method == "sgd") route(SgdStep<T>{.slots = s, .lr = lr, .momentum = T(0), .step = t});
  if (method == "momentum") route(SgdStep<T>{.slots = s, .lr = lr, .momentum = T(0.75), .step = t});
  if (method == "nesterov") route(SgdStep<T>{.slots = s, .lr = lr, .momentum = T(0.75), .nesterov = true, .step = t});
  if (method == "adam" || method == "adamw")
    route(AdamStep<T>{.slots = s,
                      .lr = lr,
                      .beta1 = T(0.875),
                      .beta2 = T(0.9375),
                      .eps = T(0x1p-20),
                      .decoupled = method == "adamw",
                      .step = t});
  if (method == "lars") route(LarsStep<T>{.slots = s, .lr = lr, .momentum = T(0.75), .trust = T(0.03125), .step = t});
}

TEST(Optim, OracleMatchesGoldenSteps) {
  const SafeTensors file = golden("optim");
  const auto array = [&](const std::string& name) {
    const std::span<const double> v = values<double>(file, name);
    return std::vector<double>(v.begin(), v.end());
  };
  for (const std::string method : kMethods) {
    Problem<double> p;
    p.add(array("w0.0"), 0.0625);
    p.add(array("w0.1"), 0, false);
    std::vector<std::vector<double>> average = p.w;
    for (int t = 0; t < 4; ++t) {
      for (size_t i = 0; i < 2; ++i) p.g[i] = array("g." + std::to_string(t) + "." + std::to_string(i));
      step(method, p, t + 1);
      const std::vector<std::span<const double>> live = {p.w[0], p.w[1]};
      const std::vector<std::span<double>> averages = {average[0], average[1]};
      cpu::ema_step(EmaStep<double>{.weights = live, .averages = averages, .decay = 0.875});
      for (size_t i = 0; i < 2; ++i) {
        const std::string at = "." + std::to_string(t) + "." + std::to_string(i);
        // About 20 roundings a step, values below 8.
        const Tolerance tol = {.abs = 8 * 20 * (t + 1) * 0x1p-53};
        EXPECT_TRUE(close(p.w[i], array(method + at), tol)) << method << at;
        if (method != "lars") continue;
        EXPECT_TRUE(close(average[i], array("ema" + at), tol)) << at;
      }
    }
  }
}

// Sizes around the piece of 16384 and the 16 lanes of the norms; two tensors are empty or tiny.
Problem<float> several_tensors() {
  Problem<float> p;
  p.add(normal(16385, Seed{1}), 0.0625f);
  p.add({}, 0.5f);
  p.add(normal(1, Seed{2}), 0.f, false);
  p.add(normal(31, Seed{3}), 0.25f);
  p.add(normal(3 * 16384, Seed{4}), 0.0625f, false);
  p.add(std::vector<float>(40, 0.f), 0.0625f);  // zero weights: LARS does not adapt
  return p;
}

void draw_gradients(Problem<float>& p, uint64_t t) {
  for (size_t i = 0; i < p.g.size(); ++i) p.g[i] = normal(static_cast<int64_t>(p.g[i].size()), Seed{100 * t + i});
}

TEST(Optim, FloatMatchesTheOracle) {
  for (const std::string method : kMethods) {
    Problem<float> p = several_tensors();
    Problem<double> want;
    for (size_t i = 0; i < p.w.size(); ++i) want.add(widen(p.w[i]), p.decay[i], p.adapt[i]);
    for (int t = 1; t <= 3; ++t) {
      draw_gradients(p, static_cast<uint64_t>(t));
      for (size_t i = 0; i < p.g.size(); ++i) want.g[i] = widen(p.g[i]);
      step(method, p, t);
      step(method, want, t);
      // Values stay below 8 and a step makes about 10 roundings of such values; errors of earlier steps carry on. The
      // quotient m / sqrt(v) of Adam is at most 1 / sqrt(1 - beta2) = 4, with relative errors of the same count.
      for (size_t i = 0; i < p.w.size(); ++i)
        EXPECT_TRUE(close(p.w[i], want.w[i], {.abs = 8 * 10 * t * kUnit})) << method << " step " << t << " slot " << i;
    }
  }
}

TEST(Optim, AverageMatchesTheOracle) {
  std::vector<float> w = normal(40000, Seed{5}), average = normal(40000, Seed{6});
  std::vector<double> w64 = widen(w), want = widen(average);
  const std::vector<std::span<const float>> live = {w, {}};
  const std::vector<std::span<float>> averages = {average, {}};
  ema_step({.weights = live, .averages = averages, .decay = 0.9990234375f}, Queue{});
  const std::vector<std::span<const double>> live64 = {w64};
  const std::vector<std::span<double>> averages64 = {want};
  cpu::ema_step(EmaStep<double>{.weights = live64, .averages = averages64, .decay = 0.9990234375});
  EXPECT_TRUE(close(average, want, {.abs = 3 * 8 * kUnit}));  // three roundings of values below 8
}

TEST(Optim, BitEqualForAnyNumberOfThreads) {
  const int threads = omp_get_max_threads();
  for (const std::string method : kMethods) {
    std::vector<std::vector<float>> first;
    for (int n : {1, 2, 3}) {
      omp_set_num_threads(n);
      Problem<float> p = several_tensors();
      for (int t = 1; t <= 2; ++t) {
        draw_gradients(p, static_cast<uint64_t>(t));
        step(method, p, t);
      }
      if (n == 1) first = p.w;
      EXPECT_EQ(p.w, first) << method << ", " << n << " threads";
    }
  }
  omp_set_num_threads(threads);
}

std::string message(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(Optim, ErrorsNameTheSlot) {
  for (const std::string method : kMethods) {
    Problem<float> p = several_tensors();
    p.g[3].pop_back();
    EXPECT_PRED2(contains, message([&] { step(method, p, 1); }), "slot 3: g has 30 elements, expected 31");
  }
  Problem<float> p = several_tensors();
  p.v[2].clear();
  EXPECT_PRED2(contains, message([&] { step("adam", p, 1); }), "slot 2: v has 0 elements, expected 1");
  step("momentum", p, 1);  // v is Adam's
  p.m[2].clear();
  step("sgd", p, 1);  // without momentum there is no velocity
  EXPECT_PRED2(contains, message([&] { step("momentum", p, 1); }), "slot 2: m");
  EXPECT_THROW(step("sgd", p, 0), Error);
  std::vector<float> w(3), average(2);
  const std::vector<std::span<const float>> live = {w};
  const std::vector<std::span<float>> averages = {average};
  EXPECT_PRED2(contains, message([&] { ema_step({.weights = live, .averages = averages, .decay = 0.5f}, Queue{}); }),
               "slot 0: average has 2 elements, expected 3");
}

}  // namespace
}  // namespace kith::test
