#include <algorithm>

#include "kernels/core/check.h"
#include "tests/kernels/optim_problem.h"

namespace kith::test {
namespace {

std::vector<std::vector<uint16_t>> bits(const std::vector<std::vector<bf16>>& halves) {
  std::vector<std::vector<uint16_t>> b;
  for (const std::vector<bf16>& h : halves) {
    b.emplace_back();
    for (const bf16 x : h) b.back().push_back(x.bits);
  }
  return b;
}

// Every weight rounded, by the definition of rounding.
std::vector<std::vector<uint16_t>> rounded(const std::vector<std::vector<float>>& weights) {
  std::vector<std::vector<bf16>> r;
  for (const std::vector<float>& w : weights) {
    r.emplace_back();
    for (const float x : w) r.back().push_back(narrow(x));
  }
  return bits(r);
}

TEST(Optim, LiveNumbersReplaceThoseOfTheCallAndCopiesAreTheRoundedWeights) {
  for (const std::string method : kMethods) {
    Problem<float> want = several_tensors(), p = several_tensors();
    for (const std::vector<float>& w : p.w) p.bf16_copy.emplace_back(w.size(), bf16{0xFFFF});
    for (int t = 1; t <= 3; ++t) {
      draw_gradients(want, static_cast<uint64_t>(t));
      p.g = want.g;
      const LiveStep live{.lr = 0.125f, .step = t};
      step(method, want, t);
      step(method, p, 0, &live);
      EXPECT_EQ(p.w, want.w) << method << " step " << t;
      EXPECT_EQ(bits(p.bf16_copy), rounded(p.w)) << method << " step " << t;
    }
  }
}

// What torch.amp.GradScaler leaves of such a step: nothing, not even in what Adam's corrections count.
TEST(Optim, NoStepWithoutFiniteGradients) {
  const int32_t yes = 1, no = 0;
  for (const std::string method : kMethods) {
    int64_t skipped = 0;
    Problem<float> p = several_tensors();
    for (const std::vector<float>& w : p.w) p.bf16_copy.emplace_back(w.size(), bf16{0xFFFF});
    const std::vector<std::vector<uint16_t>> untouched = bits(p.bf16_copy);
    const std::vector<std::vector<float>> start = p.w;
    draw_gradients(p, 1);
    step(method, p, 1, nullptr, &no, &skipped);
    EXPECT_EQ(skipped, 1) << method;
    EXPECT_EQ(p.w, start) << method;
    EXPECT_EQ(bits(p.bf16_copy), untouched) << method;
    // The second step is the first that happens: it reads no state.
    Problem<float> want = several_tensors();
    want.g = p.g;
    step(method, want, 1);
    step(method, p, 2, nullptr, &yes, &skipped);
    EXPECT_EQ(p.w, want.w) << method;
    const std::vector<std::vector<float>> m = p.m, v = p.v;
    step(method, p, 3, nullptr, &no, &skipped);
    EXPECT_EQ(skipped, 2) << method;
    EXPECT_EQ(p.w, want.w) << method;
    if (method != "sgd") {  // which keeps none
      EXPECT_EQ(p.m, m) << method;
    }
    if (method.starts_with("adam")) {
      EXPECT_EQ(p.v, v) << method;
    }
    // And the fourth the second, by a live number too.
    const LiveStep live{.lr = 0.125f, .step = 4};
    step(method, want, 2);
    step(method, p, 0, &live, &yes, &skipped);
    EXPECT_EQ(p.w, want.w) << method;
    EXPECT_EQ(skipped, 2) << method;
    EXPECT_THROW(step(method, p, 5, nullptr, &yes), Error) << method;
  }
}

TEST(Optim, NormOfAllGradients) {
  Problem<float> p = several_tensors();
  draw_gradients(p, 1);
  p.g[4][7] = 3e38f;  // its square is beyond f32
  float norm = NAN;
  int32_t finite = -1;
  const auto measure = [&] {
    const std::vector<std::span<const float>> grads(p.g.begin(), p.g.end());
    grad_norm({.grads = grads, .norm = {&norm, 1}, .finite = {&finite, 1}}, Queue{});
  };
  double sum = 0;
  for (const std::vector<float>& g : p.g)
    for (const float x : g) sum += static_cast<double>(x) * static_cast<double>(x);
  measure();
  EXPECT_NEAR(norm, std::sqrt(sum), 2 * kUnit * std::sqrt(sum));  // f64, rounded once
  EXPECT_EQ(finite, 1);
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    p.g[3][30] = bad;
    measure();
    EXPECT_EQ(finite, 0) << bad;
  }
  p.g.clear();
  measure();
  EXPECT_EQ(norm, 0.f);
  EXPECT_EQ(finite, 1);
  EXPECT_THROW(grad_norm({.grads = {}, .norm = {}, .finite = {&finite, 1}}, Queue{}), Error);
}

}  // namespace
}  // namespace kith::test
