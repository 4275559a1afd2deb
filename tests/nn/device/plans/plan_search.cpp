#include "nn/device/plans/plan_search.h"

#include <gtest/gtest.h>

#include "kernels/core/check.h"

namespace kith {
namespace {

const ConvPlanKey kSought{.shape = {2, 8, 8, 16, 32, 3, 1, 1}};

std::vector<PlanChoice> proposals(int count) {
  std::vector<PlanChoice> v;
  for (int i = 0; i < count; ++i) v.push_back({.engine = i});
  return v;
}

// Each engine's time; a negative one refuses.
struct Library {
  std::vector<double> times;
  std::vector<int64_t> asked = {};
  PlanChoice operator()(const PlanChoice& choice) {
    asked.push_back(choice.engine);
    const double us = times.at(static_cast<size_t>(choice.engine));
    if (us < 0) throw Error("engine " + std::to_string(choice.engine) + " refuses");
    PlanChoice measured = choice;
    measured.microseconds = us, measured.workspace = 7;
    return measured;
  }
};

TEST(plan_search, the_fastest_wins_as_it_was_measured) {
  Library library{.times = {5, 3, 4, 3}};
  const PlanChoice best = fastest(kSought, proposals(4), std::ref(library));
  EXPECT_EQ(best, (PlanChoice{.engine = 1, .workspace = 7, .microseconds = 3}));
  EXPECT_EQ(library.asked, (std::vector<int64_t>{0, 1, 2, 3}));
}

TEST(plan_search, what_refuses_is_passed_over_and_not_counted) {
  Library library{.times = std::vector<double>(30, 9)};
  for (int i = 0; i < 5; ++i) library.times[static_cast<size_t>(2 * i)] = -1;
  library.times[5 + kTriedPlans] = 1;  // one more than are tried
  EXPECT_EQ(fastest(kSought, proposals(30), std::ref(library)).engine, 1);
  EXPECT_EQ(library.asked.size(), static_cast<size_t>(5 + kTriedPlans));
  library.times[4 + kTriedPlans] = 1;  // the last that is
  EXPECT_EQ(fastest(kSought, proposals(30), std::ref(library)).engine, 4 + kTriedPlans);
}

TEST(plan_search, without_a_plan_the_line_has_the_shape_and_the_last_refusal) {
  const auto line = [](int count) {
    Library library{.times = {-1, -1}};
    try {
      fastest(kSought, proposals(count), std::ref(library));
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_EQ(line(2), to_string(kSought) + ": engine 1 refuses");
  EXPECT_EQ(line(0), to_string(kSought) + ": no engine is proposed for it on this device");
}

TEST(plan_search, other_exceptions_pass) {
  EXPECT_THROW(fastest(kSought, proposals(2), [](const PlanChoice&) -> PlanChoice { throw std::bad_alloc(); }),
               std::bad_alloc);
}

}  // namespace
}  // namespace kith
