// Rows as a method sees them, and their neighbours: in memory or from the file, in one piece or many.
#include "scan/features/rows.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "scan/features/neighbours.h"
#include "tests/scan/features/support.h"

namespace kith::test {
namespace {

TEST(FeatureRows, UnitRowsAndStandardisedColumns) {
  Context ctx;
  const HostMatrix<float> x = normal_rows(200, 6, Seed{2});
  const FeatureMatrix m = FeatureMatrix::of(x.view());
  const FeatureRows unit(ctx, m, fit_transform(m, true, Columns::as_given));
  const std::vector<float> rows = unit.block(0, 200).to_host();
  for (int64_t i = 0; i < 200; ++i) {
    double square = 0, product = 0, length = 0;
    for (int64_t d = 0; d < 6; ++d) {
      square += double{rows[i * 6 + d]} * rows[i * 6 + d];
      product += double{rows[i * 6 + d]} * x.values[i * 6 + d];
      length += double{x.values[i * 6 + d]} * x.values[i * 6 + d];
    }
    // Each element is rounded once: u relative, of a sum of squares of 1.
    EXPECT_NEAR(square, 1, 4 * kUnit);
    EXPECT_NEAR(product, std::sqrt(length), 4 * kUnit * std::sqrt(length));
  }
  for (const bool of_unit_rows : {false, true}) {
    const FeatureRows columns(ctx, m, fit_transform(m, of_unit_rows, Columns::standardised));
    const std::vector<float> standard = columns.block(0, 200).to_host();
    for (int64_t d = 0; d < 6; ++d) {
      double sum = 0, square = 0;
      for (int64_t i = 0; i < 200; ++i)
        sum += standard[i * 6 + d], square += double{standard[i * 6 + d]} * standard[i * 6 + d];
      // Three roundings of numbers up to 4: 12 u each.
      EXPECT_NEAR(sum / 200, 0, 16 * kUnit);
      EXPECT_NEAR(square / 200, 1, 32 * kUnit);
    }
  }
}

// Small numbers are no rounding of others; what changes by its own rounding alone keeps its scale.
TEST(FeatureRows, ColumnsOfAnyUnitAreStandardised) {
  Context ctx;
  constexpr int64_t kColumns = 6;
  HostMatrix<float> x = normal_rows(200, kColumns, Seed{2});
  const float unit[] = {1e-30f, 1e-9f, 1.f, 1e15f};
  for (int64_t i = 0; i < 200; ++i) {
    for (int64_t d = 0; d < 4; ++d) x.values[i * kColumns + d] *= unit[d];
    x.values[i * kColumns + 4] = i % 2 == 0 ? 0.1f : std::nextafter(0.1f, 1.f);
    x.values[i * kColumns + 5] = 0;
  }
  const FeatureMatrix m = FeatureMatrix::of(x.view());
  const RowTransform transform = fit_transform(m, false, Columns::standardised);
  EXPECT_EQ(transform.inverse[4], 1);
  EXPECT_EQ(transform.inverse[5], 1);
  const std::vector<float> standard = FeatureRows(ctx, m, transform).block(0, 200).to_host();
  for (int64_t d = 0; d < 4; ++d) {
    double square = 0;
    for (int64_t i = 0; i < 200; ++i) square += double{standard[i * kColumns + d]} * standard[i * kColumns + d];
    EXPECT_NEAR(square / 200, 1, 32 * kUnit) << d;  // as above
  }
}

TEST(FeatureRows, LengthsFromTheSmallestToTheLargestFloat) {
  HostMatrix<float> x(2, 3);
  x.values = {0, 3e-45f, 0, 3e38f, 3e38f, 0};
  RowTransform{.unit = true, .mean = {}, .inverse = {}}.apply(x.view());
  const float half = static_cast<float>(std::sqrt(0.5));
  EXPECT_EQ(x.values, (std::vector<float>{0, 1, 0, half, half, 0}));
}

TEST(FeatureRows, AreTheSameInMemoryAndFromTheFile) {
  Context ctx;
  const HostMatrix<float> x = normal_rows(300, 7, Seed{5});
  const FeatureMatrix m = FeatureMatrix::of(x.view());
  const RowTransform transform = fit_transform(m, true, Columns::standardised);
  const FeatureRows kept(ctx, m, transform), streamed(ctx, m, transform, 0);
  const std::vector<int64_t> index = {299, 3, 3, 128};
  EXPECT_EQ(kept.batch(index).to_host(), streamed.batch(index).to_host());
  EXPECT_EQ(kept.batch(index).to_host(), kept.host(index));
  EXPECT_EQ(kept.block(10, 50).to_host(), streamed.block(10, 50).to_host());
}

TEST(RowNeighbours, PiecesGiveTheListsOfTheWhole) {
  Context ctx;
  HostMatrix<float> x = normal_rows(500, 9, Seed{6});
  std::copy_n(x.values.begin(), 9, x.values.begin() + 9 * 444);  // a copy of row 0: a tie, across pieces
  const FeatureMatrix m = FeatureMatrix::of(x.view());
  const data::NpyArray<int64_t> whole = nearest_rows(ctx, m, 7, 500), pieces = nearest_rows(ctx, m, 7, 90);
  EXPECT_EQ(whole.shape, (std::vector<int64_t>{500, 7}));
  EXPECT_EQ(whole.values, pieces.values);
  EXPECT_EQ(whole.values[0], 444);
  EXPECT_EQ(whole.values[444 * 7], 0);
  for (int64_t i = 0; i < 500; ++i)
    for (int64_t j = 0; j < 7; ++j) EXPECT_NE(whole.values[i * 7 + j], i);
  EXPECT_NE(message_of([&] { nearest_rows(ctx, m, 500); }).find("expected 1..499"), std::string::npos);
}

// Rows that differ by a hundred thousandth of their length, which products of unit rows in f32 do not tell apart.
TEST(RowNeighbours, OfRowsWithinANarrowCone) {
  Context ctx;
  constexpr int64_t kRows = 200, kColumns = 12, kList = 5;
  HostMatrix<float> x = normal_rows(kRows, kColumns, Seed{8});
  for (float& v : x.values) v = 1 + 1e-5f * v;
  const FeatureMatrix m = FeatureMatrix::of(x.view());
  const auto cosine = [&](int64_t a, int64_t b) {
    long double ab = 0, aa = 0, bb = 0;
    for (int64_t d = 0; d < kColumns; ++d) {
      const long double p = x.values[a * kColumns + d], q = x.values[b * kColumns + d];
      ab += p * q, aa += p * p, bb += q * q;
    }
    return ab / std::sqrt(aa * bb);
  };
  const data::NpyArray<int64_t> lists = nearest_rows(ctx, m, kList), parts = nearest_rows(ctx, m, kList, 70);
  EXPECT_EQ(lists.values, parts.values);
  for (int64_t i = 0; i < kRows; ++i) {
    std::vector<long double> all;
    for (int64_t j = 0; j < kRows; ++j)
      if (j != i) all.push_back(cosine(i, j));
    std::ranges::sort(all, std::greater{});
    // Rows less their mean, of length 1e-5 or so, are rounded to u of that; what lies nearer by than that may change places.
    for (int64_t k = 0; k < kList; ++k)
      EXPECT_NEAR(static_cast<double>(1 - cosine(i, lists.values[i * kList + k])), static_cast<double>(1 - all[k]),
                  1e-5 * 16 * kUnit)
          << i << " " << k;
  }
}

}  // namespace
}  // namespace kith::test
