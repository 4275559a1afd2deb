// Learning-rate schedules.
#include "nn/model/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "kernels/core/check.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"

namespace kith {
namespace {

using test::close;

TEST(schedule, matches_pytorch_epoch_by_epoch) {
  const SafeTensors file = test::golden("schedules");
  const ScheduleConfig cosine{.kind = ScheduleKind::cosine, .lr = 0.4, .milestones = {}};
  const ScheduleConfig step{.kind = ScheduleKind::step, .lr = 0.4, .milestones = {4, 9}};
  std::vector<double> cosines, steps;
  for (int64_t epoch = 0; epoch < 12; ++epoch) {
    cosines.push_back(learning_rate(cosine, epoch, 5, 10, 12));  // the step within the epoch changes nothing
    steps.push_back(learning_rate(step, epoch, 5, 10, 12));
  }
  // PyTorch's chained form multiplies twelve factors: 12 roundings of f64.
  const test::Tolerance tol{.rel = 0x1p-48};
  EXPECT_TRUE(close(std::span<const double>(cosines), test::values<double>(file, "cosine"), tol));
  EXPECT_TRUE(close(std::span<const double>(cosines), test::values<double>(file, "authors_cosine"), tol));
  EXPECT_TRUE(close(std::span<const double>(steps), test::values<double>(file, "step"), tol));
}

// FixMatch's: 7/16 of a half wave, whose end is a fifth of the beginning.
TEST(schedule, part_cosine) {
  const ScheduleConfig c{.kind = ScheduleKind::part_cosine, .lr = 0.03, .per_step = true, .milestones = {}};
  EXPECT_EQ(learning_rate(c, 0, 0, 4, 8), 0.03);
  EXPECT_NEAR(learning_rate(c, 4, 0, 4, 8), 0.03 * 0.77301045336273696, 1e-16);
  EXPECT_NEAR(learning_rate(c, 7, 3, 4, 8), 0.03 * std::cos(7 * std::numbers::pi / 16 * 31 / 32), 1e-16);
}

TEST(schedule, warms_up_and_follows_steps_when_asked) {
  ScheduleConfig c{
      .kind = ScheduleKind::cosine, .lr = 1, .final_ratio = 0, .warmup_epochs = 2, .per_step = true, .milestones = {}};
  EXPECT_DOUBLE_EQ(learning_rate(c, 0, 0, 4, 10), 1.0 / 8);
  EXPECT_DOUBLE_EQ(learning_rate(c, 1, 3, 4, 10), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate(c, 2, 0, 4, 10), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate(c, 6, 0, 4, 10), 0.5);
  EXPECT_GT(learning_rate(c, 9, 3, 4, 10), 0.0);
  c.per_step = false;
  EXPECT_DOUBLE_EQ(learning_rate(c, 0, 3, 4, 10), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate(c, 1, 0, 4, 10), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate({.lr = 0.3, .milestones = {}}, 7, 1, 4, 10), 0.3);
  EXPECT_THROW(learning_rate(c, 0, 4, 4, 10), Error);
  EXPECT_THROW(learning_rate(c, -1, 0, 4, 10), Error);
}

}  // namespace
}  // namespace kith
