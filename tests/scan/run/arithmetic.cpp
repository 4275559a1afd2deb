#include "scan/run/arithmetic.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace kith {
namespace {

using nlohmann::json;

TEST(TrainedIn, NamesOneOrEveryStages) {
  const auto line = [](const char* stage, const char* precision) {
    return json{{"stage", stage}, {"precision", precision}};
  };
  EXPECT_EQ(trained_in({json{{"stage", "mine"}, {"finished", true}}}).text, "");  // of an earlier version
  const TrainedIn one = trained_in({line("pretext", "f32"), line("cluster", "f32")});
  EXPECT_EQ(one.text, "f32");
  EXPECT_FALSE(one.several);
  const TrainedIn two =
      trained_in({line("pretext", "f32"), line("pretext", "bf16"), line("pretext", "bf16"), line("cluster", "bf16")});
  EXPECT_EQ(two.text, "pretext f32 and bf16, cluster bf16");
  EXPECT_TRUE(two.several);
}

}  // namespace
}  // namespace kith
