#include "scan/features/lost_in_f32.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

namespace kith {
namespace {

struct ColumnInF32 {
  double mean = 0, deviation = 0;
  double off = 0;  // the most that a float is off one of its values
};

std::vector<ColumnInF32> columns_in_f32(const FeatureMatrix& m) {
  std::vector<ColumnInF32> out(static_cast<size_t>(m.cols()));
  const double n = static_cast<double>(m.rows());
  const int64_t piece = std::clamp<int64_t>((int64_t{1} << 20) / m.cols(), 1, m.rows());
  std::vector<double> rows(static_cast<size_t>(piece * m.cols()));
  const auto each_value = [&](auto&& use) {
    for (int64_t first = 0; first < m.rows(); first += piece) {
      const int64_t count = std::min(piece, m.rows() - first);
      m.read(first, count, rows.data());
      for (int64_t i = 0; i < count * m.cols(); ++i) use(out[static_cast<size_t>(i % m.cols())], rows[i]);
    }
  };
  each_value([n](ColumnInF32& c, double v) { c.mean += v / n; });
  each_value([n](ColumnInF32& c, double v) {
    c.deviation += (v - c.mean) * (v - c.mean) / n;
    c.off = std::max(c.off, std::abs(v - static_cast<double>(static_cast<float>(v))));
  });
  for (ColumnInF32& c : out) c.deviation = std::sqrt(c.deviation);
  return out;
}

}  // namespace

std::string lost_in_f32(const FeatureMatrix& m) {
  constexpr std::array<std::string_view, 5> kWider = {"f64", "i32", "i64", "u32", "u64"};
  constexpr double kShare = 0.01;  // of a column's deviation
  if (std::ranges::find(kWider, m.number_name()) == kWider.end()) return "";
  const std::vector<ColumnInF32> columns = columns_in_f32(m);
  const auto loses = [](const ColumnInF32& c) { return c.off > kShare * c.deviation && c.deviation > 0; };
  const auto first = std::ranges::find_if(columns, loses);
  if (first == columns.end()) return "";
  return fmt::format(
      "{}: rows are held in f32, in which {} of {} columns lose digits that tell rows apart (column {}: mean {:.6g}, "
      "deviation {:.3g}, values are off by up to {:.3g}); subtract a constant from such a column, or scale it",
      m.name(), std::ranges::count_if(columns, loses), m.cols(), first - columns.begin(), first->mean, first->deviation,
      first->off);
}

}  // namespace kith
