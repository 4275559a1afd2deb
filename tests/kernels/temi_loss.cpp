#include "kernels/temi_loss.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include "kernels/core/check.h"
#include "tests/kernels/temi_loss_problem.h"
#include "tests/support/golden.h"

namespace kith::test {
namespace {

using namespace kernels;

TemiResult<float> run_temi(const TemiProblem<float>& p) {
  TemiResult<float> r(p);
  temi_teacher(teacher_pass(p, r), Queue{});
  temi_loss_forward(forward_pass(p, r), Queue{});
  temi_loss_backward(backward_pass(p, r), Queue{});
  return r;
}

TEST(TemiLoss, OracleGradientMatchesCentralDifferences) {
  const TemiProblem<float> p = draw_temi(2, 3, 4, 0.3f);
  const TemiResult<double> r = temi_oracle(p);
  const auto want = central_differences(widen(p.student), [&](const std::vector<double>& v) {
    TemiProblem<double> moved = widen(p);
    moved.student = v;
    TemiResult<double> out = r;  // teacher, weight and prior stay
    cpu::temi_loss_forward(forward_pass(moved, out));
    return out.loss[0] * moved.dloss[0] + out.loss[1] * moved.dloss[1];
  });
  EXPECT_TRUE(close(r.dstudent, want, {.abs = 1e-8, .rel = 1e-8}));
}

TEST(TemiLoss, OracleMatchesPyTorch) {
  const auto file = golden("losses");
  for (const std::string name : {"temi.plain", "temi.saturated"}) {
    SCOPED_TRACE(name);
    const auto& shape = file.arrays.at(name + ".student").shape;  // [2, heads, rows, classes]
    const auto input = [&](const char* what) {
      const auto v = values<float>(file, name + "." + what);
      return std::vector<float>(v.begin(), v.end());
    };
    TemiProblem<float> p(shape[1], shape[2], shape[3]);
    p.student = input("student"), p.teacher = input("teacher"), p.dloss = input("dloss"),
    p.prior.values = input("prior");
    p.student_temperature = input("options")[0], p.teacher_temperature = input("options")[1];
    p.beta = input("options")[2], p.momentum = input("options")[3];
    const TemiResult<double> r = temi_oracle(p);
    const auto expect = [&](const std::vector<double>& found, const char* what) {
      EXPECT_TRUE(
          close(std::span<const double>(found), values<double>(file, name + "." + what), {.abs = 1e-12, .rel = 1e-11}))
          << what;
    };
    expect(r.loss, "loss"), expect(r.weight, "weight"), expect(r.prior.values, "moved_prior");
    expect(r.dstudent, "dstudent");
  }
}

TEST(TemiLoss, MatchesTheOracle) {
  struct Shape {
    int64_t heads, rows, classes;
  };
  // Rows around a tile of 16 and a part of 128.
  for (const auto& [heads, rows, classes] :
       {Shape{1, 1, 2}, {16, 15, 10}, {2, 16, 3}, {3, 17, 33}, {1, 128, 7}, {2, 129, 100}, {5, 300, 10}, {1, 3, 4096}})
    for (const float scale : {0.1f, 1.f}) {
      const TemiProblem<float> p = draw_temi(heads, rows, classes, scale);
      expect_temi(p, run_temi(p));
    }
}

TEST(TemiLoss, TemperaturesBetaAndMomentumAreIndependent) {
  TemiProblem<float> p = draw_temi(3, 40, 10, 1.f);
  p.student_temperature = 0.5f, p.teacher_temperature = 0.07f, p.beta = 1.f, p.momentum = 0.25f;
  expect_temi(p, run_temi(p));
}

// Every logit +-80, which at a temperature of 0.1 are log probabilities down to -1600; agreeing and not.
TEST(TemiLoss, SaturatedLogits) {
  TemiProblem<float> p = draw_temi(2, 33, 10, 1.f);
  for (float& x : p.student) x = std::copysign(80.f, x);
  for (float& x : p.teacher) x = std::copysign(80.f, x);
  const TemiResult<float> r = run_temi(p);
  expect_temi(p, r);
  for (const float d : r.dstudent) EXPECT_TRUE(std::isfinite(d));
}

// A class that nobody enters: its prior has left f32, and counts as 2^-126.
TEST(TemiLoss, AnEmptyClassHasAFinitePrior) {
  TemiProblem<float> p = draw_temi(2, 20, 5, 1.f);
  p.momentum = 1.f;
  for (int64_t h = 0; h < 2; ++h) p.prior.view().row(h)[3] = h == 0 ? 0.f : 0x1p-140f;
  const TemiResult<float> r = run_temi(p);
  expect_temi(p, r);
  EXPECT_EQ(r.prior.values, p.prior.values);  // momentum 1
}

// All rows sure of one class, the classes in balance: w = 1, r = 1 / prior, so the loss is - log classes and flat.
TEST(TemiLoss, ConfidentBalancedClustersReachMinusLogClasses) {
  TemiProblem<float> p(1, 12, 4);
  p.momentum = 0.f, p.dloss = {1.f};
  p.student.assign(2 * 12 * 4, -80.f);
  for (size_t i = 0; i < 24; ++i) p.student[4 * i + i % 4] = 80.f;
  p.teacher = p.student;
  const TemiResult<float> r = run_temi(p);
  EXPECT_EQ(r.prior.values, std::vector<float>(4, 0.25f));
  EXPECT_EQ(r.weight, std::vector<float>(12, 1.f));
  // log_mass holds beta 1600, which cancels.
  EXPECT_NEAR(r.loss[0], -std::log(4.0), 4 * 0.6 * 1600 * kUnit);
  for (const float d : r.dstudent) EXPECT_NEAR(d, 0, 4 * 0.6 * 1600 * kUnit * 0.6 / (2 * 12 * 0.1));
}

TEST(TemiLoss, MomentumZeroLeavesTheMeanOfTheBatch) {
  TemiProblem<float> p = draw_temi(3, 50, 6, 0.2f);
  p.momentum = 0.f;
  std::ranges::fill(p.prior.values, std::numeric_limits<float>::quiet_NaN());
  const TemiResult<float> r = run_temi(p);
  for (int64_t h = 0; h < 3; ++h) {
    double sum = 0;
    for (const float q : r.prior.view().row(h)) sum += double{q};
    EXPECT_NEAR(sum, 1, 16 * kUnit);
  }
}

// Heads side by side in the rows of one product, views one below the other, and with views row by row.
TEST(TemiLoss, LogitsMayStandAnywhere) {
  const TemiProblem<float> p = draw_temi(3, 37, 10, 1.f);
  const TemiResult<float> want = run_temi(p);
  const int64_t width = p.heads * p.classes;
  for (const bool interleaved : {false, true}) {
    const auto place = [&](auto* data) {
      return TemiLogits{.data = data,
                        .view = interleaved ? width : p.rows * width,
                        .head = p.classes,
                        .row = interleaved ? 2 * width : width};
    };
    const auto moved = [&](const std::vector<float>& from) {
      std::vector<float> to(from.size());
      const auto at = place(to.data());
      for (int64_t v = 0; v < 2; ++v)
        for (int64_t h = 0; h < p.heads; ++h)
          for (int64_t i = 0; i < p.rows; ++i)
            std::copy_n(p.logits(from.data()).at(v, h, i), p.classes, at.at(v, h, i));
      return to;
    };
    const std::vector<float> student = moved(p.student), teacher = moved(p.teacher);
    TemiResult<float> r(p);
    TemiTeacher<float> first = teacher_pass(p, r);
    TemiLossForward<float> forward = forward_pass(p, r);
    TemiLossBackward<float> backward = backward_pass(p, r);
    first.teacher = forward.teacher = backward.teacher = place(teacher.data());
    forward.student = backward.student = place(student.data());
    backward.dstudent = place(r.dstudent.data());
    temi_teacher(first, Queue{}), temi_loss_forward(forward, Queue{}), temi_loss_backward(backward, Queue{});
    EXPECT_EQ(r.loss, want.loss);
    EXPECT_EQ(r.prior.values, want.prior.values);
    EXPECT_EQ(r.dstudent, moved(want.dstudent));
  }
}

TEST(TemiLoss, AStudentsNanStaysInItsRowAndHead) {
  TemiProblem<float> p = draw_temi(2, 20, 5, 0.3f);
  const int64_t bad = ((1 * p.heads + 0) * p.rows + 17) * p.classes;  // view 1, head 0, row 17
  p.student[static_cast<size_t>(bad + 2)] = std::numeric_limits<float>::quiet_NaN();
  const TemiResult<float> r = run_temi(p);
  EXPECT_TRUE(std::isnan(r.loss[0]));
  EXPECT_FALSE(std::isnan(r.loss[1]));
  for (int64_t j = 0; j < std::ssize(r.dstudent); ++j)
    EXPECT_EQ(std::isnan(r.dstudent[static_cast<size_t>(j)]), j >= bad && j < bad + p.classes) << j;
}

TEST(TemiLoss, ATeachersNanReachesEveryLossAndItsHeadsPrior) {
  TemiProblem<float> p = draw_temi(2, 20, 5, 0.3f);
  p.teacher[7] = std::numeric_limits<float>::quiet_NaN();  // view 0, head 0, row 1
  const TemiResult<float> r = run_temi(p);
  for (size_t i = 0; i < 20; ++i) EXPECT_EQ(std::isnan(r.weight[i]), i == 1) << i;
  for (size_t c = 0; c < 10; ++c) EXPECT_EQ(std::isnan(r.prior.values[c]), c < 5) << c;
  EXPECT_TRUE(std::isnan(r.loss[0]) && std::isnan(r.loss[1]));
}

TEST(TemiLoss, AddsTwiceAndRepeatsBitForBit) {
  const TemiProblem<float> p = draw_temi(3, 300, 10, 1.f);
  const TemiResult<float> once = run_temi(p);
  TemiResult<float> twice = run_temi(p);
  EXPECT_EQ(once.loss, twice.loss);
  EXPECT_EQ(once.prior.values, twice.prior.values);
  EXPECT_EQ(once.dstudent, twice.dstudent);
  TemiLossBackward<float> again = backward_pass(p, twice);
  again.write = Write::add;
  temi_loss_backward(again, Queue{});
  for (size_t i = 0; i < once.dstudent.size(); ++i) EXPECT_EQ(twice.dstudent[i], 2 * once.dstudent[i]);
}

TEST(TemiLoss, RejectsWrongArguments) {
  const TemiProblem<float> p = draw_temi(2, 5, 4, 1.f);
  TemiResult<float> r(p);
  EXPECT_NO_THROW(run_temi(p));
  const auto expect_rejected = [&](auto args, auto change, auto entry) {
    change(args);
    EXPECT_THROW(entry(args, Queue{}), Error);
  };
  const auto teacher = [&](auto change) { expect_rejected(teacher_pass(p, r), change, temi_teacher); };
  const auto forward = [&](auto change) { expect_rejected(forward_pass(p, r), change, temi_loss_forward); };
  const auto backward = [&](auto change) { expect_rejected(backward_pass(p, r), change, temi_loss_backward); };
  std::vector<float> few(1);
  teacher([](auto& a) { a.rows = 0; });
  teacher([](auto& a) { a.heads = 0; });
  teacher([](auto& a) { a.heads = 65536; });
  teacher([](auto& a) { a.classes = 1; });
  teacher([](auto& a) { a.classes = (1 << 24) + 1; });
  teacher([](auto& a) { a.temperature = 0; });
  teacher([](auto& a) { a.momentum = 1.5f; });
  teacher([](auto& a) { a.momentum = std::numeric_limits<float>::quiet_NaN(); });
  teacher([](auto& a) { a.teacher.data = nullptr; });
  teacher([](auto& a) { a.teacher.row = 3; });
  teacher([](auto& a) { a.prior.cols = 5; });
  teacher([&](auto& a) { a.log_sum = few; });
  teacher([&](auto& a) { a.weight = few; });
  forward([](auto& a) { a.beta = 0; });
  forward([](auto& a) { a.student_temperature = -1; });
  forward([](auto& a) { a.teacher_temperature = std::numeric_limits<float>::quiet_NaN(); });
  forward([](auto& a) { a.student.head = 0; });
  forward([&](auto& a) { a.loss = few; });
  forward([&](auto& a) { a.teacher_log_sum = few; });
  forward([&](auto& a) { a.log_mass = few; });
  backward([&](auto& a) { a.dloss = few; });
  backward([&](auto& a) { a.log_sum = few; });
  backward([&](auto& a) { a.weight = few; });
  backward([](auto& a) { a.dstudent.data = nullptr; });
  backward([](auto& a) { a.dstudent.view = 0; });
}

}  // namespace
}  // namespace kith::test
