#include "scan/features/lost_in_f32.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernels/core/parallel.h"
#include "scan/features/each_piece.h"

namespace kith {
namespace {

struct ColumnInF32 {
  double mean = 0, deviation = 0;
  double off = 0;  // the most that a float is off one of its values
};

std::vector<ColumnInF32> columns_in_f32(const FeatureMatrix& m) {
  std::vector<ColumnInF32> out(static_cast<size_t>(m.cols()));
  const double n = static_cast<double>(m.rows());
  const auto each_value = [&](auto&& use) {
    each_piece<double>(m, [&](int64_t, std::span<const double> values) {
      for (size_t i = 0; i < values.size(); ++i) use(out[i % out.size()], values[i]);
    });
  };
  each_value([n](ColumnInF32& c, double v) { c.mean += v / n; });
  each_value([n](ColumnInF32& c, double v) {
    c.deviation += (v - c.mean) * (v - c.mean) / n;
    c.off = std::max(c.off, std::abs(v - static_cast<double>(static_cast<float>(v))));
  });
  for (ColumnInF32& c : out) c.deviation = std::sqrt(c.deviation);
  return out;
}

std::string digits_lost(const FeatureMatrix& m, const std::vector<ColumnInF32>& columns) {
  constexpr double kShare = 0.01;  // of a column's deviation
  const auto loses = [](const ColumnInF32& c) { return c.off > kShare * c.deviation && c.deviation > 0; };
  const auto first = std::ranges::find_if(columns, loses);
  if (first == columns.end()) return "";
  return fmt::format(
      "{}: rows are held in f32, in which {} of {} columns lose digits that tell rows apart (column {}: mean {:.6g}, "
      "deviation {:.3g}, values are off by up to {:.3g}); subtract a constant from such a column, or scale it",
      m.name(), std::ranges::count_if(columns, loses), m.cols(), first - columns.begin(), first->mean, first->deviation,
      first->off);
}

// Rows that differ in the file and are one in f32, though no column loses much beside its deviation.
std::string rows_made_equal(const FeatureMatrix& x) {
  const int64_t rows = x.rows(), cols = x.cols();
  struct Hashed {
    size_t narrow, stored;  // of the row in f32, and as it stands in the file
    int64_t row;
  };
  constexpr int64_t kGrain = 64;  // rows of a thread's
  std::vector<float> narrow;
  std::vector<Hashed> hashed(static_cast<size_t>(rows));
  const auto hash_of = [&](const auto& values, int64_t i) {
    using T = typename std::decay_t<decltype(values)>::value_type;
    return std::hash<std::string_view>()({reinterpret_cast<const char*>(values.data() + i * cols), cols * sizeof(T)});
  };
  each_piece<double>(x, [&](int64_t first, std::span<double> stored) {
    const int64_t count = static_cast<int64_t>(stored.size()) / cols;
    narrow.resize(stored.size());
    x.read(first, count, narrow.data());
    for (float& v : narrow) v += 0.f;  // of both zeros one
    for (double& v : stored) v += 0.;
    parallel_for(count, kGrain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        hashed[first + i] = {.narrow = hash_of(narrow, i), .stored = hash_of(stored, i), .row = first + i};
    });
  });
  // Two of a million rows that differ have one hash in one of 4e7 files: the numbers told are right.
  std::ranges::sort(hashed, {}, [](const Hashed& h) { return std::pair(h.narrow, h.row); });
  int64_t lost = 0;
  const Hashed *of = nullptr, *example = nullptr, *same = nullptr;  // of: the first of the rows that are one in f32
  for (const Hashed& h : hashed) {
    if (of == nullptr || h.narrow != of->narrow) of = &h;
    if (h.stored == of->stored) continue;
    ++lost;
    if (example == nullptr || h.row < example->row) example = &h, same = of;
  }
  if (lost == 0) return "";
  return fmt::format(
      "{}: {} of {} rows are equal to others in f32, which features are held in, and differ from them in "
      "{} (row {} from row {}); subtract a mean from the columns, or scale them",
      x.name(), lost, rows, x.number_name(), example->row, same->row);
}

}  // namespace

std::string lost_in_f32(const FeatureMatrix& m) {
  constexpr std::array<std::string_view, 5> kWider = {"f64", "i32", "i64", "u32", "u64"};
  if (std::ranges::find(kWider, m.number_name()) == kWider.end()) return "";
  const std::vector<ColumnInF32> columns = columns_in_f32(m);
  // Values beyond f32 are refused by who uses the rows.
  if (std::ranges::any_of(columns, [](const ColumnInF32& c) { return !std::isfinite(c.off); })) return "";
  const std::string digits = digits_lost(m, columns);
  return digits.empty() ? rows_made_equal(m) : digits;
}

}  // namespace kith
