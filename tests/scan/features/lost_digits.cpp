// Numbers of the files that f32 does not hold.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "data/formats/npy.h"
#include "kernels/core/philox.h"
#include "tests/scan/features/support.h"

namespace kith::test {
namespace {

// Floats next to 1e8 are 8 apart: values are off by up to 4.
TEST_F(RowRuns, DigitsThatTellRowsApartAndThatF32DoesNotHoldAreNamed) {
  const auto warned = [&](double offset, double unit, auto number) {
    using Number = decltype(number);
    std::vector<Number> values;
    for (uint64_t i = 0; i < 60 * 3; ++i) {
      const double spread = 3 * static_cast<double>(i / 3 % 3) + Random(5, 0, i, 0).uniform(-1.f, 1.f);
      values.push_back(static_cast<Number>(std::round(1000 * spread) / 1000 * unit + (i % 3 == 1 ? offset : 0)));
    }
    const std::string name = fmt::format("{}-{}{}", offset, std::is_integral_v<Number> ? "i" : "f", sizeof(Number));
    data::write_npy<Number>(root / (name + ".npy"), values, {60, 3});
    report = {};
    run(clustering(name, "kmeans", {FeatureMatrix::open((root / (name + ".npy")).string())}));
    return std::ranges::count_if(report.warnings, [](const auto& w) {
      return w.find("in which 1 of 3 columns lose digits that tell rows apart (column 1: mean 1e+08") != w.npos;
    });
  };
  EXPECT_EQ(warned(1e8, 1, double{}), 1);
  EXPECT_EQ(warned(1e4, 1, double{}), 0);
  EXPECT_EQ(warned(1e8, 1000, int64_t{}), 0);  // 4 of a deviation of 2,500
  EXPECT_EQ(warned(1e8, 1, float{}), 0);       // the file's own numbers
}

}  // namespace
}  // namespace kith::test
