#include "scan/report/page_figures.h"

#include <gtest/gtest.h>

#include "kernels/core/check.h"
#include "tests/scan/report/occurrences.h"

namespace kith::test {
namespace {

TEST(DotChart, ShowsEveryRunItsMeanAndTheDeviation) {
  const DotChart chart{.x_label = "ACC <%>",
                       .series = {"SCAN", "self-label"},
                       .rows = {"a & b", "c"},
                       .marks = {{{.values = {30, 34}, .mean = 32, .deviation = 2.8}, {}},
                                 {{.values = {40}, .mean = 40, .deviation = 0}, {.values = {50}, .mean = 50}}}};
  const std::string svg = to_svg(chart);
  EXPECT_EQ(occurrences(svg, "r=\"2.8\""), 4);           // runs
  EXPECT_EQ(occurrences(svg, "<title>"), 3);             // means
  EXPECT_EQ(occurrences(svg, "stroke-width=\"2\""), 1);  // one has a deviation
  EXPECT_EQ(occurrences(svg, "<title>a &amp; b, SCAN: 32.0</title>"), 1);
  EXPECT_EQ(occurrences(svg, "ACC &lt;%&gt;"), 2);
  EXPECT_EQ(occurrences(svg, "nan") + occurrences(svg, "inf"), 0);
  // Colours of the page, which are others in the dark.
  EXPECT_EQ(occurrences(svg, "style=\"fill:var(--gray)\""), 6);  // a legend, three runs, two means
  EXPECT_EQ(occurrences(svg, "=\"#"), 0);
}

TEST(DotChart, OfOneValueAndOfNone) {
  DotChart chart{.x_label = "x", .series = {"s"}, .rows = {"r"}, .marks = {{{.values = {5}, .mean = 5}}}};
  EXPECT_EQ(occurrences(to_svg(chart), "nan") + occurrences(to_svg(chart), "inf"), 0);
  chart.marks[0][0].values.clear();
  EXPECT_EQ(to_svg(chart), "");
  chart.marks.clear();
  EXPECT_THROW(to_svg(chart), Error);
}

TEST(DotChart, CutsALongNameBetweenCharacters) {
  const std::string name = std::string(58, 'a') + "\xC3\xA9\xC3\xA9\xC3\xA9";  // 64 bytes, of which 62 are shown
  const std::string svg =
      to_svg(DotChart{.x_label = "x", .series = {"s"}, .rows = {name}, .marks = {{{.values = {5}, .mean = 5}}}});
  EXPECT_NE(svg.find(std::string(58, 'a') + "...<"), std::string::npos) << svg;
}

TEST(ValueMap, ShadesFromTheLeastToTheLargest) {
  ValueMap map{.x_label = "k",
               .y_label = "lambda",
               .columns = {"5", "20"},
               .rows = {"1", "<2>"},
               .values = {0.25, 0.75, std::nullopt, 0.5},
               .texts = {"25.0", "75.0", "-", "50.0"}};
  const std::string svg = to_svg(map);
  EXPECT_EQ(occurrences(svg, "fill-opacity=\"0.050\""), 1);
  EXPECT_EQ(occurrences(svg, "fill-opacity=\"1.000\""), 1);
  EXPECT_EQ(occurrences(svg, "fill-opacity=\"0.000\""), 1);
  EXPECT_EQ(occurrences(svg, "on-dark"), 1);
  EXPECT_EQ(occurrences(svg, ">&lt;2&gt;<"), 1);
  map.values = {0.5, 0.5, 0.5, 0.5};  // no range
  EXPECT_EQ(occurrences(to_svg(map), "nan"), 0);
  map.values = {std::nullopt, std::nullopt, std::nullopt, std::nullopt};
  EXPECT_EQ(to_svg(map), "");
  map.texts.pop_back();
  EXPECT_THROW(to_svg(map), Error);
}

}  // namespace
}  // namespace kith::test
