#include "kernels/optim.h"

#include <functional>

#include "tests/support/device.h"

namespace kith::test {
namespace {

using namespace kernels;

// Tensors below, at and above a chunk of 2,048, an empty one, and more of them than one launch takes.
const std::vector<int64_t> kSizes = [] {
  std::vector<int64_t> s{1, 255, 0, 2047, 2048, 2049, 5000};
  while (s.size() < 55) s.push_back(3);
  return s;
}();

class OptimCuda : public CudaKernel {
 protected:
  template <class Cpu, class Cuda>
  void expect_oracle(Cpu on_cpu, Cuda on_cuda) {
    std::vector<std::vector<double>> w, g, m, v;
    std::vector<std::unique_ptr<OnDevice<float>>> dw, dg, dm, dv;
    for (size_t i = 0; i < kSizes.size(); ++i) {
      const std::vector<float> wi = normal(kSizes[i], Seed{10 + i}), gi = normal(kSizes[i], Seed{100 + i});
      w.push_back(widen(wi)), g.push_back(widen(gi));
      m.emplace_back(wi.size(), NAN), v.emplace_back(wi.size(), NAN);  // step 1 writes the state, it does not read it
      dw.push_back(std::make_unique<OnDevice<float>>(wi)), dg.push_back(std::make_unique<OnDevice<float>>(gi));
      dm.push_back(std::make_unique<OnDevice<float>>(poison<float>(kSizes[i])));
      dv.push_back(std::make_unique<OnDevice<float>>(poison<float>(kSizes[i])));
    }
    std::vector<OptimSlot<double>> slots;
    std::vector<OptimSlot<float>> dslots;
    for (size_t i = 0; i < w.size(); ++i) {
      const float decay = i % 2 == 0 ? 0.f : 0.125f;
      slots.push_back({.w = w[i], .g = g[i], .m = m[i], .v = v[i], .weight_decay = decay, .adapt = i % 3 != 0});
      dslots.push_back({.w = dw[i]->span(),
                        .g = dg[i]->span(),
                        .m = dm[i]->span(),
                        .v = dv[i]->span(),
                        .weight_decay = decay,
                        .adapt = i % 3 != 0});
    }
    for (int64_t step = 1; step <= 3; ++step) {
      on_cpu(std::span<const OptimSlot<double>>(slots), step);
      on_cuda(std::span<const OptimSlot<float>>(dslots), step);
    }
    // Three steps of a dozen operations on numbers below 8, each rounded; a norm carries sqrt(n) more through LARS' rate.
    for (size_t i = 0; i < w.size(); ++i) {
      SCOPED_TRACE(i);
      EXPECT_TRUE(close(dw[i]->host(), w[i], {.abs = 3 * 12 * 8 * kUnit}));
      EXPECT_TRUE(
          close(dm[i]->host(), m[i], {.abs = std::isnan(m[i].empty() ? 0 : m[i][0]) ? 0 : 3 * 12 * 8 * kUnit}) ||
          m[i].empty() || std::isnan(m[i][0]));
    }
  }
};

TEST_F(OptimCuda, Sgd) {
  for (const bool nesterov : {false, true})
    for (const double momentum : {0.0, 0.75}) {
      SCOPED_TRACE(testing::Message() << nesterov << " " << momentum);
      expect_oracle(
          [&](auto slots, int64_t step) {
            cpu::sgd_step<double>(
                {.slots = slots, .lr = 0.25, .momentum = momentum, .nesterov = nesterov, .step = step});
          },
          [&](auto slots, int64_t step) {
            cuda::sgd_step({.slots = slots,
                            .lr = 0.25f,
                            .momentum = static_cast<float>(momentum),
                            .nesterov = nesterov,
                            .step = step},
                           queue);
          });
    }
}

TEST_F(OptimCuda, AdamAndAdamW) {
  // Betas that f32 holds exactly, so that both sides raise the same numbers to powers.
  for (const bool decoupled : {false, true})
    expect_oracle(
        [&](auto slots, int64_t step) {
          cpu::adam_step<double>({.slots = slots,
                                  .lr = 0.125,
                                  .beta1 = 0.875,
                                  .beta2 = 0.9375,
                                  .eps = 0x1p-20,
                                  .decoupled = decoupled,
                                  .step = step});
        },
        [&](auto slots, int64_t step) {
          cuda::adam_step({.slots = slots,
                           .lr = 0.125f,
                           .beta1 = 0.875f,
                           .beta2 = 0.9375f,
                           .eps = 0x1p-20f,
                           .decoupled = decoupled,
                           .step = step},
                          queue);
        });
}

TEST_F(OptimCuda, Lars) {
  expect_oracle(
      [&](auto slots, int64_t step) {
        cpu::lars_step<double>({.slots = slots, .lr = 0.25, .momentum = 0.75, .trust = 0.0625, .step = step});
      },
      [&](auto slots, int64_t step) {
        cuda::lars_step({.slots = slots, .lr = 0.25f, .momentum = 0.75f, .trust = 0.0625f, .step = step}, queue);
      });
}

TEST_F(OptimCuda, Ema) {
  const std::vector<float> w = normal(3000, Seed{1}), a = normal(3000, Seed{2});
  const OnDevice<float> d_w(w), d_a(a);
  const std::span<const float> weights[] = {d_w.span()};
  const std::span<float> averages[] = {d_a.span()};
  cuda::ema_step({.weights = weights, .averages = averages, .decay = 0.75f}, queue);
  std::vector<double> want(w.size());
  for (size_t i = 0; i < w.size(); ++i) want[i] = 0.75 * a[i] + 0.25 * w[i];
  EXPECT_TRUE(close(d_a.host(), want, {.abs = 3 * kUnit * 5}));
}

}  // namespace
}  // namespace kith::test
