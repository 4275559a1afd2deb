#include "scan/report/page_map.h"

#include "kernels/core/check.h"
#include "tests/scan/report/occurrences.h"
#include "tests/support/compare.h"

namespace kith::test {
namespace {

data::Images images_of(int64_t count, int side, int channels) {
  data::Images out{.count = count, .height = side, .width = side, .channels = channels};
  out.pixels = std::vector<uint8_t>(static_cast<size_t>(count * side * side * channels), 77);
  return out;
}

TEST(PageMap, HasAPointPerImageInItsClustersGroup) {
  const data::Images images = images_of(3, 2, 1);
  const std::vector<MapPoint> points = {{.image = 0, .x = -1, .y = 0, .cluster = 0, .about = "image 0"},
                                        {.image = 2, .x = 1, .y = 1, .cluster = 2, .about = "<2>"},
                                        {.image = 1, .x = 0, .y = -1, .cluster = 0, .about = "image 1"}};
  const std::string svg = map_figure(points, &images, {"0: a", "1: b", "2: <c>"});
  EXPECT_EQ(occurrences(svg, "<circle"), 3);
  EXPECT_EQ(occurrences(svg, "<g data-c="), 2);  // none for a cluster without points
  EXPECT_EQ(occurrences(svg, "<button data-c="), 2);
  EXPECT_EQ(occurrences(svg, "data-i=\"1\"><title>2: &lt;c&gt;, &lt;2&gt;</title>"), 1);
  EXPECT_EQ(occurrences(svg, "data:image/png;base64,"), 1);
  // Points 2 wide and 2 high on a plot of 732 x 532: 266 to a unit, in the middle; y grows downwards.
  EXPECT_EQ(occurrences(svg, "cx=\"114.0\" cy=\"280.0\""), 1);
  EXPECT_EQ(occurrences(svg, "cx=\"646.0\" cy=\"14.0\""), 1);
  EXPECT_EQ(occurrences(svg, "nan") + occurrences(svg, "inf"), 0);
}

TEST(PageMap, OfPointsInOnePlaceAndOfNone) {
  const data::Images images = images_of(2, 2, 3);
  const std::string svg = map_figure({{.image = 0, .about = "a"}, {.image = 1, .about = "b"}}, &images, {"all"});
  EXPECT_EQ(occurrences(svg, "nan") + occurrences(svg, "inf"), 0);
  EXPECT_EQ(map_figure({}, &images, {"all"}), "");
  EXPECT_THROW(map_figure({{.image = 2, .about = ""}}, &images, {"all"}), Error);
  EXPECT_THROW(map_figure({{.image = 1, .cluster = 1, .about = ""}}, &images, {"all"}), Error);
}

TEST(PageMap, OfRowsHasNoPictures) {
  const std::string svg =
      map_figure({{.image = 70, .about = "row 70"}, {.image = 3, .x = 1, .about = "row 3"}}, nullptr, {"cluster 0"});
  EXPECT_EQ(occurrences(svg, "<circle"), 2);
  EXPECT_EQ(occurrences(svg, "<title>cluster 0, row 70</title>"), 1);
  EXPECT_EQ(occurrences(svg, "Map of 2 rows;"), 1);
  EXPECT_EQ(occurrences(svg, "<img"), 0);
}

TEST(PageMap, KeepsThePageSmall) {
  EXPECT_EQ(most_map_points(images_of(1, 14, 1)), 2000);
  EXPECT_EQ(most_map_points(images_of(1, 96, 3)), 1736);  // 3 MB of 24 x 24 x 3
  const int64_t n = most_map_points(images_of(1, 96, 3));
  std::vector<uint8_t> pixels(static_cast<size_t>(n * 24 * 24 * 3));
  uint32_t state = 1;
  for (uint8_t& p : pixels) p = static_cast<uint8_t>((state = state * 1664525u + 1013904223u) >> 24);
  data::Images noise = images_of(n, 24, 3);
  noise.pixels = std::move(pixels);
  std::vector<MapPoint> points;
  for (int64_t i = 0; i < n; ++i)
    points.push_back({.image = i, .x = static_cast<float>(i), .y = 0, .cluster = 0, .about = "image"});
  EXPECT_LT(map_figure(points, &noise, {"all"}).size(), 5'000'000u);  // pixels that cannot be packed
}

}  // namespace
}  // namespace kith::test
