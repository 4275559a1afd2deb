#include "kernels/optim.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "tests/support/device.h"

namespace kith::test {
namespace {

using namespace kernels;

// Tensors below, at and above a chunk of 2,048 and around a vector of four, an empty one, and more of them than one launch
// takes.
const std::vector<int64_t> kSizes = [] {
  std::vector<int64_t> s{1, 255, 0, 2047, 2048, 2049, 5000};
  while (s.size() < 70) s.push_back(3 + static_cast<int64_t>(s.size()) % 3);
  return s;
}();

// How the numbers of a step arrive, and where the tensors start.
struct Placement {
  bool live = false;
  int64_t shift = 0, half_shift = 0;  // elements between an aligned address and a tensor, its copy: no vectors
};
const Placement kCases[] = {{}, {.live = true}, {.shift = 1}, {.half_shift = 2}};

// A tensor `shift` elements into its allocation.
template <class T>
struct Shifted {
  OnDevice<T> device;
  int64_t shift;
  Shifted(std::vector<T> values, int64_t at)
      : device((values.insert(values.begin(), static_cast<size_t>(at), T{}), values)), shift(at) {}
  std::span<T> span() const { return device.span().subspan(static_cast<size_t>(shift)); }
  std::vector<T> host() const {
    const std::vector<T> all = device.host();
    return {all.begin() + shift, all.end()};
  }
};

std::vector<uint16_t> bits(const std::vector<bf16>& values) {
  std::vector<uint16_t> b;
  for (const bf16 v : values) b.push_back(v.bits);
  return b;
}

class OptimCuda : public CudaKernel {
 protected:
  using Tensors = std::vector<std::unique_ptr<Shifted<float>>>;
  Tensors w_, g_, m_, v_;
  std::vector<std::unique_ptr<Shifted<bf16>>> half_;
  std::vector<OptimSlot<float>> slots_;

  // Every second tensor has a bf16 copy; states are NaN: step 1 writes them, it does not read them.
  void draw(int64_t shift, int64_t half_shift) {
    w_.clear(), g_.clear(), m_.clear(), v_.clear(), half_.clear(), slots_.clear();
    for (size_t i = 0; i < kSizes.size(); ++i) {
      const int64_t n = kSizes[i];
      w_.push_back(std::make_unique<Shifted<float>>(normal(n, Seed{10 + i}), shift));
      g_.push_back(std::make_unique<Shifted<float>>(normal(n, Seed{100 + i}), shift));
      m_.push_back(std::make_unique<Shifted<float>>(poison<float>(n), shift));
      v_.push_back(std::make_unique<Shifted<float>>(poison<float>(n), shift));
      half_.push_back(std::make_unique<Shifted<bf16>>(poison<bf16>(n), half_shift));
      slots_.push_back({.w = w_[i]->span(),
                        .g = g_[i]->span(),
                        .m = m_[i]->span(),
                        .v = v_[i]->span(),
                        .bf16_copy = i % 2 == 0 ? half_[i]->span() : std::span<bf16>(),
                        .weight_decay = i % 4 < 2 ? 0.f : 0.125f,
                        .adapt = i % 3 != 0});
    }
  }

  std::vector<std::vector<float>> host(const Tensors& tensors) const {
    std::vector<std::vector<float>> h;
    for (const auto& t : tensors) h.push_back(t->host());
    return h;
  }

  void expect_rounded_copies() const {
    for (size_t i = 0; i < w_.size(); i += 2) {
      std::vector<bf16> want;
      for (const float x : w_[i]->host()) want.push_back(narrow(x));
      EXPECT_EQ(bits(half_[i]->host()), bits(want)) << i;
    }
  }

  // Three steps of `method` here and by the oracle, in every case.
  template <class Method>
  void expect_oracle(Method method) {
    for (const Placement& c : kCases) {
      SCOPED_TRACE(testing::Message() << "live " << c.live << ", shifts " << c.shift << ", " << c.half_shift);
      draw(c.shift, c.half_shift);
      std::vector<std::vector<double>> w, g, m, v;
      std::vector<OptimSlot<double>> slots;
      for (size_t i = 0; i < kSizes.size(); ++i) {
        w.push_back(widen(w_[i]->host())), g.push_back(widen(g_[i]->host()));
        m.emplace_back(w[i].size(), NAN), v.emplace_back(w[i].size(), NAN);
      }
      for (size_t i = 0; i < kSizes.size(); ++i)
        slots.push_back({.w = w[i],
                         .g = g[i],
                         .m = m[i],
                         .v = v[i],
                         .weight_decay = slots_[i].weight_decay,
                         .adapt = slots_[i].adapt});
      for (int64_t step = 1; step <= 3; ++step) {
        const OnDevice<LiveStep> live(std::vector<LiveStep>{{.lr = 0.25f, .step = step + 4}});
        const OnDevice<int32_t> finite(std::vector<int32_t>{1});
        const OnDevice<int64_t> skipped(std::vector<int64_t>{4});  // of the steps that the live number counts
        method(std::span<const OptimSlot<double>>(slots), 0.25, step);
        if (c.live)  // the numbers of the call are wrong
          method(std::span<const OptimSlot<float>>(slots_), 3.f, 77, live.data(), finite.data(), skipped.data());
        else
          method(std::span<const OptimSlot<float>>(slots_), 0.25f, step);
      }
      // Three steps of a dozen operations on numbers below 8, each rounded.
      const Tolerance tol = {.abs = 3 * 12 * 8 * kUnit};
      for (size_t i = 0; i < w.size(); ++i) {
        SCOPED_TRACE(i);
        if (w[i].empty()) continue;
        EXPECT_TRUE(close(w_[i]->host(), w[i], tol));
        if (!m[i].empty() && !std::isnan(m[i][0])) {
          EXPECT_TRUE(close(m_[i]->host(), m[i], tol));
        }
        if (!v[i].empty() && !std::isnan(v[i][0])) {
          EXPECT_TRUE(close(v_[i]->host(), v[i], tol));
        }
      }
      expect_rounded_copies();
    }
  }

  // A step that meets a gradient which is not finite: weights, copies and states stay as they were, and it is counted once.
  template <class Method>
  void expect_skipped(Method method) {
    const OnDevice<int32_t> no(std::vector<int32_t>{0});
    const OnDevice<int64_t> skipped(std::vector<int64_t>{5});
    const auto same_bits = [](const std::vector<std::vector<float>>& a, const std::vector<std::vector<float>>& b) {
      return std::ranges::equal(a, b, [](const std::vector<float>& x, const std::vector<float>& y) {
        return x.size() == y.size() && (x.empty() || std::memcmp(x.data(), y.data(), x.size() * sizeof(float)) == 0);
      });
    };
    for (const int64_t step : {1, 2}) {
      draw(0, 0);
      const auto w = host(w_);
      if (step == 2) method(std::span<const OptimSlot<float>>(slots_), 0.f, 1);  // states, and w as it was
      const auto m = host(m_), v = host(v_);
      const auto copy = bits(half_[6]->host());
      method(std::span<const OptimSlot<float>>(slots_), 0.25f, step, nullptr, no.data(), skipped.data());
      EXPECT_EQ(skipped.host()[0], 5 + step);
      EXPECT_EQ(host(w_), w);
      EXPECT_EQ(bits(half_[6]->host()), copy);
      EXPECT_TRUE(same_bits(host(m_), m));
      EXPECT_TRUE(same_bits(host(v_), v));
    }
  }

  // Calls the oracle for slots of double, the kernel for slots of float.
  template <template <class> class Step, class T>
  void run(void (*oracle)(const Step<double>&), void (*kernel)(const Step<float>&, Queue), const Step<T>& a) {
    if constexpr (std::is_same_v<T, double>)
      oracle(a);
    else
      kernel(a, queue);
  }

  auto sgd(bool nesterov, double momentum) {
    return [=, this]<class T>(std::span<const OptimSlot<T>> slots, T lr, int64_t step, const LiveStep* live = nullptr,
                              const int32_t* finite = nullptr, int64_t * skipped = nullptr) {
      run(cpu::sgd_step<double>, cuda::sgd_step,
          SgdStep<T>{.slots = slots,
                     .lr = lr,
                     .momentum = static_cast<T>(momentum),
                     .nesterov = nesterov,
                     .step = step,
                     .live = live,
                     .finite = finite,
                     .skipped = skipped});
    };
  }
  // Betas that f32 holds exactly, so that both sides raise the same numbers to powers.
  auto adam(bool decoupled) {
    return [=, this]<class T>(std::span<const OptimSlot<T>> slots, T lr, int64_t step, const LiveStep* live = nullptr,
                              const int32_t* finite = nullptr, int64_t * skipped = nullptr) {
      run(cpu::adam_step<double>, cuda::adam_step,
          AdamStep<T>{.slots = slots,
                      .lr = lr,
                      .beta1 = T(0.875),
                      .beta2 = T(0.9375),
                      .eps = T(0x1p-20),
                      .decoupled = decoupled,
                      .step = step,
                      .live = live,
                      .finite = finite,
                      .skipped = skipped});
    };
  }
  auto lars() {
    return [this]<class T>(std::span<const OptimSlot<T>> slots, T lr, int64_t step, const LiveStep* live = nullptr,
                           const int32_t* finite = nullptr, int64_t * skipped = nullptr) {
      run(cpu::lars_step<double>, cuda::lars_step,
          LarsStep<T>{.slots = slots,
                      .lr = lr,
                      .momentum = T(0.75),
                      .trust = T(0.0625),
                      .step = step,
                      .live = live,
                      .finite = finite,
                      .skipped = skipped});
    };
  }
};

TEST_F(OptimCuda, Sgd) {
  for (const bool nesterov : {false, true})
    for (const double momentum : {0.0, 0.75}) {
      SCOPED_TRACE(testing::Message() << nesterov << " " << momentum);
      expect_oracle(sgd(nesterov, momentum));
    }
  expect_skipped(sgd(false, 0.75));
  expect_skipped(sgd(false, 0));
}

TEST_F(OptimCuda, AdamAndAdamW) {
  for (const bool decoupled : {false, true}) expect_oracle(adam(decoupled));
  expect_skipped(adam(true));
}

TEST_F(OptimCuda, Lars) {
  expect_oracle(lars());
  expect_skipped(lars());
}

// A late step: powers of the betas by squaring are those of the oracle. With zero states the step is
// lr c1 (1 - beta1) g / (sqrt((1 - beta2)) |g| c2 + eps), which the corrections alone decide.
TEST_F(OptimCuda, CorrectionsOfALateStep) {
  for (const int64_t step : {2, 3, 10, 37, 100, 4099}) {
    SCOPED_TRACE(step);
    std::vector<double> w{0}, g{1}, m{0}, v{0};
    const OnDevice<float> dw({0.f}), dg({1.f}), dm({0.f}), dv({0.f});
    const OptimSlot<double> slot{.w = w, .g = g, .m = m, .v = v};
    const OptimSlot<float> device{.w = dw.span(), .g = dg.span(), .m = dm.span(), .v = dv.span()};
    const float beta1 = 0.9f, beta2 = 0.999f;  // exact in both formats as the f32 numbers they are
    cpu::adam_step<double>(
        {.slots = {&slot, 1}, .lr = 1, .beta1 = beta1, .beta2 = beta2, .eps = 0x1p-30, .step = step});
    cuda::adam_step({.slots = {&device, 1}, .lr = 1.f, .beta1 = beta1, .beta2 = beta2, .eps = 0x1p-30f, .step = step},
                    queue);
    EXPECT_TRUE(close(dw.host(), w, {.rel = 8 * kUnit}));  // eight roundings of f32 make it
  }
}

TEST_F(OptimCuda, Ema) {
  for (const int64_t shift : {0, 1}) {
    const std::vector<float> w = normal(3001, Seed{1}), a = normal(3001, Seed{2});
    const Shifted<float> d_w(w, shift), d_a(a, 0);
    const std::span<const float> weights[] = {d_w.span()};
    const std::span<float> averages[] = {d_a.span()};
    cuda::ema_step({.weights = weights, .averages = averages, .decay = 0.75f}, queue);
    std::vector<double> want(w.size());
    for (size_t i = 0; i < w.size(); ++i) want[i] = 0.75 * a[i] + 0.25 * w[i];
    EXPECT_TRUE(close(d_a.host(), want, {.abs = 3 * kUnit * 5}));
  }
}

TEST_F(OptimCuda, NormOfAllGradients) {
  draw(0, 0);
  const OnDevice<float> norm({NAN});
  const OnDevice<int32_t> finite({-1});
  const auto expect_norm = [&](std::span<const std::span<const float>> grads, double sum, int32_t is_finite) {
    cuda::grad_norm({.grads = grads, .norm = norm.span(), .finite = finite.span()}, queue);
    EXPECT_EQ(finite.host()[0], is_finite);
    if (is_finite) {
      EXPECT_TRUE(close(norm.host(), std::vector<double>{std::sqrt(sum)}, {.rel = 2 * kUnit}));
    }
  };
  std::vector<std::span<const float>> grads;
  double sum = 0;
  for (const auto& g : g_) {
    grads.push_back(g->span());
    for (const double x : widen(g->host())) sum += x * x;
  }
  expect_norm(grads, sum, 1);
  std::vector<float> odd = normal(2050, Seed{3});
  odd[2049] = 3e38f;  // its square is beyond f32
  const OnDevice<float> large(odd);
  grads[40] = large.span();
  expect_norm(grads, double{3e38f} * double{3e38f}, 1);
  for (const float bad : {NAN, INFINITY}) {
    odd[2049] = bad;
    const OnDevice<float> broken(odd);
    grads[40] = broken.span();
    expect_norm(grads, 0, 0);
  }
  expect_norm({}, 0, 1);
  const OnDevice<float> two({2.f});  // more chunks than one block has threads
  expect_norm(std::vector<std::span<const float>>(300, two.span()), 1200, 1);
}

}  // namespace
}  // namespace kith::test
