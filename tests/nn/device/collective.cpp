// Ranks: what one does alone, and that an optimiser of several reduces its whole gradient once a step, before its norm.
#include "nn/device/collective.h"

#include <gtest/gtest.h>

#include <array>
#include <barrier>
#include <cstring>
#include <functional>
#include <limits>
#include <thread>

#include "nn/model/initialise.h"
#include "nn/model/optimizer.h"
#include "tests/nn/support.h"

namespace kith {
namespace {

using test::error_of;
using Values = std::vector<float>;

TEST(Collective, OneRankLeavesEverythingAsItIs) {
  Context ctx;
  Collective& alone = ctx.collective();
  EXPECT_EQ(alone.rank(), 0);
  EXPECT_EQ(alone.size(), 1);
  const Values before{1.5f, -0.f, std::numeric_limits<float>::quiet_NaN(), 0x1p-149f};
  Values x = before;
  alone.all_reduce(x, Reduction::sum, ctx.queue());
  alone.all_reduce(x, Reduction::mean, ctx.queue());
  alone.all_gather(std::as_writable_bytes(std::span(x)), ctx.queue());
  alone.broadcast(std::as_writable_bytes(std::span(x)), 0, ctx.queue());
  alone.barrier();
  EXPECT_EQ(std::memcmp(x.data(), before.data(), before.size() * sizeof(float)), 0);
  EXPECT_EQ(error_of([&] { alone.broadcast({}, 1, ctx.queue()); }), "broadcast: from rank 1, expected 0 .. 0");
  EXPECT_EQ(error_of([&] { alone.broadcast({}, -1, ctx.queue()); }), "broadcast: from rank -1, expected 0 .. 0");
}

// Two ranks of one process, a thread each.
struct Meeting {
  std::barrier<> both{2};
  std::array<std::span<float>, 2> x;
};
class OfTwo final : public Collective {
 public:
  OfTwo(int rank, Meeting& meeting) : rank_(rank), meeting_(meeting) {}
  int rank() const override { return rank_; }
  int size() const override { return 2; }
  void barrier() override { meeting_.both.arrive_and_wait(); }
  struct Call {
    const float* start;
    size_t count;
    Reduction reduction;
    bool operator==(const Call&) const = default;
  };
  const std::vector<Call>& calls() const { return calls_; }

 private:
  void reduce(std::span<float> x, Reduction reduction, Queue) override {
    calls_.push_back({x.data(), x.size(), reduction});
    meeting_.x[static_cast<size_t>(rank_)] = x;
    barrier();
    Values total(x.size());
    for (size_t i = 0; i < x.size(); ++i)
      total[i] = (meeting_.x[0][i] + meeting_.x[1][i]) / (reduction == Reduction::mean ? 2.f : 1.f);
    barrier();  // both have read
    std::ranges::copy(total, x.begin());
  }
  void gather(std::span<std::byte>, Queue) override { throw Error("not part of this test"); }
  void send(std::span<std::byte>, int, Queue) override { throw Error("not part of this test"); }

  int rank_;
  Meeting& meeting_;
  std::vector<Call> calls_;
};

TEST(Collective, ArgumentsAreChecked) {
  Meeting meeting;
  OfTwo rank(0, meeting);
  std::array<std::byte, 3> x{};
  EXPECT_EQ(error_of([&] { rank.all_gather(x, {}); }), "all_gather: 3 bytes are not 2 equal parts");
  EXPECT_EQ(error_of([&] { rank.broadcast(x, 2, {}); }), "broadcast: from rank 2, expected 0 .. 1");
}

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
Values mean_gradient(int step, size_t parameter, int64_t count) {
  Values mean = gradient_of(0, step, parameter, count);
  const Values other = gradient_of(1, step, parameter, count);
  for (size_t i = 0; i < mean.size(); ++i) mean[i] = (mean[i] + other[i]) / 2;
  return mean;
}

TEST(Collective, AnOptimizerReducesItsWholeGradientOnceAStepBeforeTheNorm) {
  for (const bool with_norm : {true, false}) {
    Meeting meeting;
    const std::array ranks{std::make_shared<OfTwo>(0, meeting), std::make_shared<OfTwo>(1, meeting)};
    Learner one(ranks[0]), other(ranks[1]), alone(nullptr);
    const auto train = [&](Learner& learner, int rank) {
      for (int step = 0; step < kSteps; ++step) {
        learner.backward([&](size_t p, int64_t count) { return gradient_of(rank, step, p, count); });
        learner.step(with_norm);
      }
    };
    std::thread beside([&] { train(other, 1); });
    train(one, 0);
    beside.join();
    for (int step = 0; step < kSteps; ++step) {
      alone.backward([&](size_t p, int64_t count) { return mean_gradient(step, p, count); });
      alone.step(with_norm);
    }
    EXPECT_EQ(one.weights(), alone.weights());
    EXPECT_EQ(other.weights(), alone.weights());
    EXPECT_EQ(one.norms, alone.norms);
    EXPECT_EQ(other.norms, alone.norms);
    for (const auto& [learner, rank] : {std::pair{&one, ranks[0]}, {&other, ranks[1]}}) {
      const std::span<float> whole = learner->optimizer.flat().grads().span();
      EXPECT_EQ(rank->calls(), std::vector(kSteps, OfTwo::Call{whole.data(), whole.size(), Reduction::mean}));
    }
  }
}

TEST(Collective, AGradientThatIsNotFiniteIsSoOnEveryRank) {
  Meeting meeting;
  const std::array ranks{std::make_shared<OfTwo>(0, meeting), std::make_shared<OfTwo>(1, meeting)};
  Learner one(ranks[0]), other(ranks[1]);
  const auto train = [](Learner& learner, float bad) {
    learner.backward([&](size_t p, int64_t count) { return Values(static_cast<size_t>(count), p == 3 ? bad : 1.f); });
    learner.step(true);
  };
  std::thread beside([&] { train(other, std::numeric_limits<float>::quiet_NaN()); });
  train(one, 1.f);
  beside.join();
  EXPECT_EQ(one.finite, std::vector<int32_t>{0});
  EXPECT_EQ(other.finite, std::vector<int32_t>{0});
}

}  // namespace
}  // namespace kith
