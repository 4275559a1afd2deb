#include <omp.h>

#include <functional>

#include "kernels/core/check.h"
#include "tests/kernels/optim_problem.h"
#include "tests/support/error_of.h"
#include "tests/support/golden.h"

namespace kith::test {
namespace {

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
        EXPECT_TRUE(p.w[i].empty() || close(p.w[i], want.w[i], {.abs = 8 * 10 * t * kUnit}))
            << method << " step " << t << " slot " << i;
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

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(Optim, ErrorsNameTheSlot) {
  for (const std::string method : kMethods) {
    Problem<float> p = several_tensors();
    p.g[3].pop_back();
    EXPECT_PRED2(contains, error_of([&] { step(method, p, 1); }), "slot 3: g has 30 elements, expected 31");
  }
  Problem<float> p = several_tensors();
  p.v[2].clear();
  EXPECT_PRED2(contains, error_of([&] { step("adam", p, 1); }), "slot 2: v has 0 elements, expected 1");
  step("momentum", p, 1);  // v is Adam's
  p.m[2].clear();
  step("sgd", p, 1);  // without momentum there is no velocity
  EXPECT_PRED2(contains, error_of([&] { step("momentum", p, 1); }), "slot 2: m");
  EXPECT_THROW(step("sgd", p, 0), Error);
  const LiveStep none{.lr = 0.5f, .step = 0};
  EXPECT_THROW(step("sgd", p, 1, &none), Error);
  p.bf16_copy.assign(p.w.size(), {});
  p.bf16_copy[1].resize(2);
  EXPECT_PRED2(contains, error_of([&] { step("sgd", p, 1); }), "slot 1: bf16_copy has 2 elements, expected 0");
  std::vector<float> w(3), average(2);
  const std::vector<std::span<const float>> live = {w};
  const std::vector<std::span<float>> averages = {average};
  EXPECT_PRED2(contains, error_of([&] { ema_step({.weights = live, .averages = averages, .decay = 0.5f}, Queue{}); }),
               "slot 0: average has 2 elements, expected 3");
}

}  // namespace
}  // namespace kith::test
