#include "scan/report/page_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/core/check.h"
#include "scan/report/page_svg.h"
#include "scan/text/wrap.h"

namespace kith {
namespace {

constexpr const char* kColours[] = {"var(--gray)", "var(--orange)", "var(--blue)", "var(--green)"};  // of the page
constexpr double kInfinite = std::numeric_limits<double>::infinity();

// Characters, about 6.4 units wide each at the size of a name.
double width_of(const std::vector<std::string>& names, size_t most) {
  size_t longest = 0;
  for (const std::string& name : names) longest = std::max(longest, name.size());
  return 6.4 * static_cast<double>(std::min(longest, most));
}

std::string shortened(const std::string& name, size_t most) {
  return name.size() <= most ? name : beginning_of(name, most - 3);
}

std::string mark_svg(const DotChart::Mark& m, const char* colour, const std::string& about, double y, auto&& x) {
  std::string svg;
  if (m.deviation > 0)
    svg += fmt::format(
        "<line class=\"spread\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\" style=\"stroke:{}\" "
        "stroke-width=\"2\"/>",
        x(m.mean - m.deviation), x(m.mean + m.deviation), y, y, colour);
  for (const double v : m.values)
    svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.8\" style=\"fill:{}\"/>", x(v), y, colour);
  return svg + fmt::format(
                   "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4.5\" style=\"fill:{}\"><title>{}: {:.1f}</title></circle>",
                   x(m.mean), y, colour, escape_html(about), m.mean);
}

}  // namespace

std::string to_svg(const DotChart& chart) {
  constexpr size_t kLongest = 62, kAbreast = 2;  // characters of a name; series beside each other in the legend
  constexpr double kWidth = 460, kLegendRow = 22, kName = 20, kSeries = 13, kLeft = 10, kRight = 16;
  check(chart.marks.size() == chart.rows.size() && chart.series.size() <= std::size(kColours),
        "dot chart: marks of every row, of at most 4 series");
  double low = kInfinite, high = -kInfinite;
  for (const auto& row : chart.marks)
    for (const DotChart::Mark& m : row)
      for (const double v : m.values)
        low = std::min({low, v, m.mean - m.deviation}), high = std::max({high, v, m.mean + m.deviation});
  if (low > high) return "";
  const double air = high > low ? 0.05 * (high - low) : 1;
  low -= air, high += air;
  const size_t legend_rows = (chart.series.size() + kAbreast - 1) / kAbreast;
  const double row_height = kName + 8 + kSeries * static_cast<double>(chart.series.size()),
               top = 8 + kLegendRow * static_cast<double>(legend_rows),
               base = top + row_height * static_cast<double>(chart.rows.size());
  const auto x = [&](double v) { return kLeft + (v - low) / (high - low) * (kWidth - kLeft - kRight); };
  std::string svg = fmt::format(
      "<svg class=\"dots\" viewBox=\"0 0 {0:g} {1:g}\" style=\"max-width:{2:g}px\" role=\"img\" aria-label=\"{3}\">",
      kWidth, base + 44, 1.2 * kWidth, escape_html(chart.x_label));
  for (size_t s = 0; s < chart.series.size(); ++s) {
    const double at = kWidth / kAbreast * static_cast<double>(s % kAbreast),
                 y = 13 + kLegendRow * static_cast<double>(s / kAbreast);
    svg += fmt::format(
        "<circle cx=\"{:g}\" cy=\"{:g}\" r=\"4.5\" style=\"fill:{}\"/><text class=\"name\" x=\"{:g}\" "
        "y=\"{:g}\">{}</text>",
        at + 5, y, kColours[s], at + 14, y + 4, escape_html(chart.series[s]));
  }
  const std::vector<double> places = ticks(low, high, 6);
  const std::vector<std::string> labels = tick_labels(places);
  for (size_t i = 0; i < places.size(); ++i)
    svg += fmt::format(
        "<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:g}\" y2=\"{2:g}\"/>"
        "<text class=\"tick\" x=\"{0:.1f}\" y=\"{3:g}\" text-anchor=\"middle\">{4}</text>",
        x(places[i]), top, base, base + 15, labels[i]);
  for (size_t r = 0; r < chart.rows.size(); ++r) {
    const double first = top + row_height * static_cast<double>(r);
    svg += fmt::format(
        "<line class=\"grid\" x1=\"0\" x2=\"{0:g}\" y1=\"{1:g}\" y2=\"{1:g}\"/>"
        "<text class=\"name\" x=\"2\" y=\"{2:g}\">{3}</text>",
        kWidth, first, first + kName - 4, escape_html(shortened(chart.rows[r], kLongest)));
    for (size_t s = 0; s < chart.series.size(); ++s)
      if (const DotChart::Mark& m = chart.marks[r].at(s); !m.values.empty())
        svg += mark_svg(m, kColours[s], chart.rows[r] + ", " + chart.series[s],
                        first + kName + 6.5 + kSeries * static_cast<double>(s), x);
  }
  return svg + fmt::format(
                   "<line class=\"axis\" x1=\"{0:g}\" x2=\"{1:g}\" y1=\"{2:g}\" y2=\"{2:g}\"/>"
                   "<text class=\"label\" x=\"{3:g}\" y=\"{4:g}\" text-anchor=\"middle\">{5}</text></svg>\n",
                   kLeft, kWidth - kRight, base, kWidth / 2, base + 36, escape_html(chart.x_label));
}

std::string to_svg(const ValueMap& map) {
  constexpr size_t kLongest = 40;
  constexpr double kCellHeight = 38, kTop = 48;
  const size_t columns = map.columns.size();
  check(map.values.size() == map.rows.size() * columns && map.texts.size() == map.values.size(),
        "value map: a value and a text per cell");
  double low = kInfinite, high = -kInfinite;
  for (const auto& v : map.values)
    if (v) low = std::min(low, *v), high = std::max(high, *v);
  if (low > high) return "";
  const double cell = std::max(84.0, 16 + width_of(map.columns, kLongest)), left = 40 + width_of(map.rows, kLongest);
  const double grid_width = cell * static_cast<double>(columns),
               grid_height = kCellHeight * static_cast<double>(map.rows.size());
  std::string svg = fmt::format(
      "<svg class=\"values\" viewBox=\"0 0 {0:g} {1:g}\" style=\"max-width:{0:g}px;--width:{0:g}px\" role=\"img\" "
      "aria-label=\"{2} by "
      "{3}\">"
      "<text class=\"label\" x=\"{4:g}\" y=\"14\" text-anchor=\"middle\">{3}</text>"
      "<text class=\"label\" transform=\"translate(13 {5:g}) rotate(-90)\" text-anchor=\"middle\">{2}</text>",
      left + grid_width + 4, kTop + grid_height + 4, escape_html(map.y_label), escape_html(map.x_label),
      left + grid_width / 2, kTop + grid_height / 2);
  for (size_t j = 0; j < columns; ++j)
    svg += fmt::format("<text class=\"name\" x=\"{:g}\" y=\"{:g}\" text-anchor=\"middle\">{}</text>",
                       left + cell * (static_cast<double>(j) + 0.5), kTop - 9,
                       escape_html(shortened(map.columns[j], kLongest)));
  for (size_t i = 0; i < map.values.size(); ++i) {
    const double y = kTop + kCellHeight * static_cast<double>(i / columns),
                 x = left + cell * static_cast<double>(i % columns);
    if (i % columns == 0)
      svg += fmt::format("<text class=\"name\" x=\"{:g}\" y=\"{:g}\" text-anchor=\"end\">{}</text>", left - 9,
                         y + kCellHeight / 2 + 4, escape_html(shortened(map.rows[i / columns], kLongest)));
    const double share = !map.values[i] ? 0 : high > low ? (*map.values[i] - low) / (high - low) : 0.5;
    svg += fmt::format(
        "<rect class=\"shade\" x=\"{:g}\" y=\"{:g}\" width=\"{:g}\" height=\"{:g}\" fill-opacity=\"{:.3f}\"/>"
        "<text class=\"count{}\" x=\"{:g}\" y=\"{:g}\" text-anchor=\"middle\">{}</text>",
        x, y, cell - 2, kCellHeight - 2, map.values[i] ? kFaintest + (1 - kFaintest) * share : 0,
        share > 0.5 ? " on-dark" : "", x + cell / 2 - 1, y + kCellHeight / 2 + 3, escape_html(map.texts[i]));
  }
  return svg + "</svg>\n";
}

}  // namespace kith
