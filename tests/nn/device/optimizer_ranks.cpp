// An optimiser of several ranks sums its whole gradient once a step, before its norm.
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "nn/device/ranks/collective.h"
#include "nn/model/initialise.h"
#include "nn/model/optimizer.h"
#include "tests/nn/device/ranks.h"
#include "tests/nn/support.h"

namespace kith {
namespace {

using Values = std::vector<float>;

// A rank that notes what it is asked to sum.
class Noted final : public Collective {
 public:
  explicit Noted(std::shared_ptr<Collective> own) : own_(std::move(own)) {}
  std::string engine() const override { return own_->engine(); }
  struct Call {
    const float* start;
    size_t count;
    bool operator==(const Call&) const = default;
  };
  const std::vector<Call>& calls() const { return calls_; }

 private:
  int place() const override { return own_->rank(); }
  int places() const override { return own_->size(); }
  void meet() override { own_->barrier(); }
  void reduce(std::span<float> x, Queue queue) override {
    calls_.push_back({x.data(), x.size()});
    own_->all_reduce(x, queue);
  }
  void gather(std::span<std::byte>, std::span<const int64_t>, Queue) override { throw Error("not part of this test"); }
  void send(std::span<std::byte>, int, Queue) override { throw Error("not part of this test"); }

  std::shared_ptr<Collective> own_;
  std::vector<Call> calls_;
};

struct Learner {
  Context ctx;
  Linear first, second;
  StateView view;
  Optimizer optimizer;
  Values norms;
  std::vector<int32_t> finite;

  explicit Learner(std::shared_ptr<Collective> collective)
      : ctx({.threads = 1, .collective = std::move(collective)}),
        first(make_linear(ctx, 7, 5, 1, "first")),
        second(make_linear(ctx, 5, 3, 1, "second")),
        view(state()),
        optimizer(ctx, view.parameters, {.kind = OptimizerKind::adam}) {}
  StateView state() {
    StateView v;
    first.list(v, "first.");
    second.list(v, "second.");
    return v;
  }
  // What a backward of a rank's own images leaves.
  void backward(const std::function<Values(size_t parameter, int64_t count)>& gradient) {
    optimizer.zero_grad();
    for (size_t i = 0; i < view.parameters.size(); ++i) {
      Parameter& p = *view.parameters[i].parameter;
      p.grad.copy_from(gradient(i, p.value.size()));
      p.fresh = false;
    }
  }
  void step(bool with_norm) {
    if (!with_norm) return optimizer.step(0.01f);
    const Optimizer::Gradients gradients = optimizer.gradients();
    norms.push_back(gradients.norm.to_host()[0]);
    finite.push_back(gradients.finite.to_host()[0]);
    optimizer.step(0.01f);
  }
  std::vector<Values> weights() const {
    std::vector<Values> all;
    for (const NamedParameter& p : view.parameters) all.push_back(p.parameter->value.to_host());
    return all;
  }
};

constexpr int kSteps = 3;
Values gradient_of(int rank, int step, size_t parameter, int64_t count) {
  return test::normal(count, {static_cast<uint64_t>(1000 * rank + 10 * step) + parameter});
}
Values sum_of_gradients(int step, size_t parameter, int64_t count) {
  Values sum = gradient_of(0, step, parameter, count);
  const Values other = gradient_of(1, step, parameter, count);
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += other[i];
  return sum;
}

TEST(OptimizerRanks, TheWholeGradientIsSummedOnceAStepBeforeTheNorm) {
  for (const bool with_norm : {true, false}) {
    Learner alone(nullptr);
    for (int step = 0; step < kSteps; ++step) {
      alone.backward([&](size_t p, int64_t count) { return sum_of_gradients(step, p, count); });
      alone.step(with_norm);
    }
    test::on_thread_ranks(2, [&](std::shared_ptr<Collective> own) {
      const auto noted = std::make_shared<Noted>(std::move(own));
      Learner learner(noted);
      for (int step = 0; step < kSteps; ++step) {
        learner.backward([&](size_t p, int64_t count) { return gradient_of(noted->rank(), step, p, count); });
        learner.step(with_norm);
      }
      EXPECT_EQ(learner.weights(), alone.weights());
      EXPECT_EQ(learner.norms, alone.norms);
      const std::span<float> whole = learner.optimizer.flat().grads().span();
      EXPECT_EQ(noted->calls(), std::vector(kSteps, Noted::Call{whole.data(), whole.size()}));
    });
  }
}

TEST(OptimizerRanks, AGradientThatIsNotFiniteIsSoOnEveryRank) {
  test::on_thread_ranks(2, [](const std::shared_ptr<Collective>& own) {
    Learner learner(own);
    const float bad = own->rank() == 1 ? std::numeric_limits<float>::quiet_NaN() : 1.f;
    learner.backward([&](size_t p, int64_t count) { return Values(static_cast<size_t>(count), p == 3 ? bad : 1.f); });
    const std::vector<Values> before = learner.weights();
    const Array<LiveStep> live(learner.ctx, 1);
    const auto step = [&](int64_t number) {
      const LiveStep now{.lr = 0.01f, .epoch = 0, .step = number};
      live.copy_from({&now, 1});
      const Optimizer::Gradients gradients = learner.optimizer.gradients();
      learner.optimizer.step(live.data(), gradients.finite.data());
      return gradients.finite.to_host()[0];
    };
    EXPECT_EQ(step(1), 0);
    EXPECT_EQ(learner.weights(), before);
    // The next step is the first on every rank: the same as that of one that never met such a gradient.
    Learner other(own);
    for (Learner* l : {&learner, &other})
      l->backward([&](size_t p, int64_t count) { return gradient_of(own->rank(), 0, p, count); });
    EXPECT_EQ(step(2), 1);
    other.step(false);
    EXPECT_EQ(learner.weights(), other.weights());
  });
}

}  // namespace
}  // namespace kith
