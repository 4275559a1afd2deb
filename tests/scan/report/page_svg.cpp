#include "scan/report/page_svg.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tests/scan/report/occurrences.h"

namespace kith::test {
namespace {

TEST(Svg, TicksAreRoundAndInside) {
  EXPECT_EQ(ticks(0, 10, 5), (std::vector<double>{0, 2, 4, 6, 8, 10}));
  EXPECT_EQ(ticks(-11.2, -8.4, 4), (std::vector<double>{-11, -10, -9}));
  EXPECT_EQ(ticks(3, 3, 4), (std::vector<double>{3}));
  EXPECT_EQ(ticks(31, 39.4, 4), (std::vector<double>{32, 34, 36, 38}));  // at steps of 5 there was 35 alone
  for (int i = 1; i < 400; ++i)
    for (const double low : {0., 0.37, 12.3, -7.1})
      EXPECT_GE(ticks(low, low + 0.0371 * i, 4).size(), 2u) << low << " " << i;
}

TEST(Svg, LabelsOfTicksDiffer) {
  using Labels = std::vector<std::string>;
  EXPECT_EQ(tick_labels({1.7845, 1.785, 1.7855, 1.786}), (Labels{"1.7845", "1.785", "1.7855", "1.786"}));
  EXPECT_EQ(tick_labels({-0.1 - 0.2, 0, 0.1 + 0.2}), (Labels{"-0.3", "0", "0.3"}));
  EXPECT_EQ(tick_labels({10000, 12500}), (Labels{"10k", "12.5k"}));
  EXPECT_EQ(tick_labels({1234567, 1234568}), (Labels{"1234.567k", "1234.568k"}));
  EXPECT_EQ(tick_labels({1e-5, 2e-5}), (Labels{"1e-05", "2e-05"}));
  EXPECT_EQ(tick_labels({3}), Labels{"3"});
  std::vector<std::pair<double, double>> points = {{0, 1.7849}, {1, 1.7861}};
  const std::string svg = to_svg(LineChart{.title = "t", .x_label = "x", .y_label = "y", .points = points});
  EXPECT_EQ(occurrences(svg, ">1.785<"), 1);
  EXPECT_EQ(occurrences(svg, ">1.7855<"), 1);
}

TEST(Svg, OfEpochsTicksAreWhole) {
  const auto ticks_of = [](std::vector<std::pair<double, double>> points) {
    const std::string svg = to_svg(LineChart{.title = "t",
                                             .x_label = "epoch",
                                             .y_label = "y",
                                             .points = std::move(points),
                                             .places = LineChart::Places::whole});
    std::string out;
    const std::string before = "text-anchor=\"middle\">";
    for (size_t at = svg.find("class=\"tick\""); at != svg.npos; at = svg.find("class=\"tick\"", at + 1)) {
      const std::string text = svg.substr(at, svg.find('<', at) - at);
      if (const size_t from = text.find(before); from != text.npos) out += text.substr(from + before.size()) + " ";
    }
    return out;
  };
  EXPECT_EQ(ticks_of({{1, 3}}), "0 1 ");  // the axis of one epoch begins where it began, and ends with it
  EXPECT_EQ(ticks_of({{0.02, 3}, {0.98, 2}}), "0 1 ");
  EXPECT_EQ(ticks_of({{1, 3}, {2, 2}}), "1 2 ");
  EXPECT_EQ(ticks_of({{1, 3}, {3, 2}}), "1 2 3 ");
  EXPECT_EQ(ticks_of({{1, 3}, {100, 2}}), "50 100 ");
}

// The label of the axis ends at 16; digits are at most 7 wide.
TEST(Svg, TicksLeaveRoomForTheLabelOfTheirAxis) {
  const std::string svg =
      to_svg(LineChart{.title = "t", .x_label = "x", .y_label = "step size", .points = {{0, 0.00025}, {1, 0.0015}}});
  EXPECT_EQ(occurrences(svg, ">0.0005<"), 1);
  const size_t at = svg.find("<text class=\"tick\" x=\"") + 22;
  EXPECT_GE(std::stod(svg.substr(at)) - 7 * 6, 16) << svg;
}

TEST(Svg, ChartsOfFewManyAndBrokenPoints) {
  const double kNan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(to_svg(LineChart{.title = "t", .x_label = "x", .y_label = "y", .points = {}}), "");
  EXPECT_EQ(to_svg(LineChart{.title = "t", .x_label = "x", .y_label = "y", .points = {{0, kNan}}}), "");
  const std::string one =
      to_svg(LineChart{.title = "t", .x_label = "x", .y_label = "y", .points = {{5, 7}, {6, kNan}}});
  EXPECT_EQ(occurrences(one, "nan"), 0);
  EXPECT_EQ(occurrences(one, "inf"), 0);
  std::vector<std::pair<double, double>> many;
  for (int i = 0; i < 10001; ++i) many.emplace_back(i, 2 * i);
  const std::string thin = to_svg(LineChart{.title = "t", .x_label = "x", .y_label = "y", .points = many});
  const size_t from = thin.find("points=\"") + 8;
  EXPECT_LE(occurrences(thin.substr(from, thin.find('"', from) - from), ","), 400);
}

}  // namespace
}  // namespace kith::test
