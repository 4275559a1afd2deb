#include "scan/run/made.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>

#include "kernels/core/check.h"
#include "nn/tensor/context.h"

namespace kith::test {
namespace {

// A variable of the environment for as long as this lives.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* const before = std::getenv(name)) before_ = before;
    ::setenv(name, value, 1);
    ::tzset();
  }
  ~Variable() {
    if (before_.empty())
      ::unsetenv(name_);
    else
      ::setenv(name_, before_.c_str(), 1);
    ::tzset();
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::string before_;
};

TEST(Made, SaysTheLocalTimeAndHowFarItIsFromUtc) {
  const Variable zone("TZ", "XYZ-5:30");  // ahead of UTC
  EXPECT_EQ(local_time(0), "1970-01-01 05:30:00 +0530");
  EXPECT_EQ(local_time(1790000000), "2026-09-21 19:43:20 +0530");
}

TEST(Made, IsOfTheGivenTimeByThisKithOnThisMachine) {
  const Variable zone("TZ", "XYZ-5:30"), date("SOURCE_DATE_EPOCH", "86399");
  const Context ctx({.threads = 3});
  const auto facts = made_facts(ctx);
  ASSERT_EQ(facts.size(), 4u);
  EXPECT_EQ(facts[0], (std::pair<std::string, std::string>{"Made", "1970-01-01 23:59:59 +0000"}));
  EXPECT_EQ(facts[1].first, "kith");
  EXPECT_EQ(std::ranges::count(facts[1].second, '.'), 2) << facts[1].second;
  EXPECT_EQ(facts[2], (std::pair<std::string, std::string>{"Processor", processor_name()}));
  EXPECT_FALSE(facts[2].second.empty());
  EXPECT_EQ(facts[3], (std::pair<std::string, std::string>{"Evaluated on", "CPU, 3 threads, f32"}));
}

// A page that evaluates nothing has no device.
TEST(Made, WithoutADeviceItIsTheRest) {
  const Variable zone("TZ", "XYZ-5:30"), date("SOURCE_DATE_EPOCH", "86399");
  auto facts = made_facts(Context({.threads = 1}));
  facts.pop_back();
  EXPECT_EQ(made_facts(), facts);
}

TEST(Made, RefusesATimeThatIsNone) {
  for (const char* bad : {"", "now", "12x"}) {
    const Variable date("SOURCE_DATE_EPOCH", bad);
    EXPECT_THROW(made_facts(Context({.threads = 1})), Error) << bad;
  }
}

}  // namespace
}  // namespace kith::test
