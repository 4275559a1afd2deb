#include "scan/report/page_svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>

#include "kernels/core/check.h"

namespace kith {
namespace {

constexpr size_t kMostPoints = 400;
constexpr size_t kMostNumberedColumns = 20;
constexpr size_t kMostReadable = 40;  // points of a line whose values can be read

// Neighbours averaged in runs of equal length, so that a long run's chart stays small and readable.
std::vector<std::pair<double, double>> thinned(const std::vector<std::pair<double, double>>& points) {
  std::vector<std::pair<double, double>> finite;
  for (const auto& p : points)
    if (std::isfinite(p.first) && std::isfinite(p.second)) finite.push_back(p);
  const size_t run = (finite.size() + kMostPoints - 1) / kMostPoints;
  if (run <= 1) return finite;
  std::vector<std::pair<double, double>> out;
  for (size_t i = 0; i < finite.size(); i += run) {
    const size_t end = std::min(i + run, finite.size());
    double x = 0, y = 0;
    for (size_t j = i; j < end; ++j) x += finite[j].first, y += finite[j].second;
    out.emplace_back(x / static_cast<double>(end - i), y / static_cast<double>(end - i));
  }
  return out;
}

// 12000 -> "12k", 0.0004 -> "0.0004", 0.00001 -> "1e-05"; with more digits where 4 miss the value by more than `off`.
std::string tick_label(double v, double off) {
  if (std::abs(v) < off) return "0";
  const double unit = std::abs(v) >= 10000 ? 1000 : 1;
  std::string text;
  for (int digits = 4; digits <= 17; ++digits) {
    text = fmt::format("{:.{}g}", v / unit, digits);
    if (std::abs(std::stod(text) * unit - v) <= off) break;
  }
  return text + (unit > 1 ? "k" : "");
}

// The plot area of a line chart inside its picture, and the map of values to it.
struct Frame {
  double width = 330, height = 210, left = 58, right = 12, top = 30, bottom = 40;
  double x0, x1, y0, y1;
  double x(double v) const { return left + (v - x0) / (x1 - x0) * (width - left - right); }
  double y(double v) const { return height - bottom - (v - y0) / (y1 - y0) * (height - top - bottom); }
};

// An axis of whole places reaches to the next ones; of one place, which is the first epoch or the only one, from the one before.
Frame frame_of(const std::vector<std::pair<double, double>>& points, const LineChart& chart) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  Frame f{.x0 = kInf, .x1 = -kInf, .y0 = kInf, .y1 = -kInf};
  for (const auto& [x, y] : points) {
    f.x0 = std::min(f.x0, x), f.x1 = std::max(f.x1, x);
    f.y0 = std::min(f.y0, y), f.y1 = std::max(f.y1, y);
  }
  // A range of nothing (one point, a constant) is opened; otherwise a little air above and below.
  const auto open = [](double& low, double& high, double air) {
    const double span = high - low;
    const double by = span > 0 ? air * span : std::max(std::abs(low) * 0.1, 1e-9);
    low -= by, high += by;
  };
  const bool whole = chart.places == LineChart::Places::whole;
  if (whole) f.x0 = std::floor(f.x0), f.x1 = std::ceil(f.x1);
  if (whole && !(f.x1 > f.x0)) f.x0 -= 1;
  if (!(f.x1 > f.x0)) open(f.x0, f.x1, 0);
  const double lowest = f.y0;
  open(f.y0, f.y1, 0.06);
  if (chart.range == LineChart::Range::from_zero) f.y0 = std::min(lowest, 0.0);
  return f;
}

// A label along the y axis reaches to 16, the texts of its ticks end 6 before the axis; digits are at most 7 wide at their size.
constexpr double kLabelWidth = 16 + 6 + 2;
double width_of_tick(const std::string& text) { return 7 * static_cast<double>(text.size()); }

std::vector<double> places_of(const Frame& f, LineChart::Places places) {
  std::vector<double> out = ticks(f.x0, f.x1, 4);
  if (places == LineChart::Places::whole)
    std::erase_if(out, [](double v) { return std::abs(v - std::round(v)) > 1e-9; });
  return out;
}

}  // namespace

std::string escape_html(const std::string& text) {
  std::string out;
  for (const char c : text) switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  return out;
}

std::vector<double> ticks(double low, double high, int count) {
  if (!(high > low)) return {low};
  const double raw = (high - low) / std::max(count, 1), power = std::pow(10.0, std::floor(std::log10(raw)));
  const auto at_steps_of = [&](double step) {
    std::vector<double> out;
    const auto first = static_cast<int64_t>(std::ceil(low / step - 1e-9));
    for (int64_t i = first; static_cast<double>(i) * step <= high + 1e-9 * step; ++i)
      out.push_back(static_cast<double>(i) * step);
    return out;
  };
  constexpr std::array<double, 5> kNice = {0.5, 1, 2, 5, 10};
  size_t nice = 1;
  while (nice + 1 < kNice.size() && kNice[nice] * power < raw * 0.999) ++nice;
  std::vector<double> out = at_steps_of(kNice[nice] * power);
  // A single tick is no scale. Steps of half that size or less give two: of 1.6 or more there is one at least.
  return out.size() > 1 ? out : at_steps_of(kNice[nice - 1] * power);
}

std::vector<std::string> tick_labels(const std::vector<double>& ticks) {
  std::vector<std::string> out;
  const double step = ticks.size() > 1 ? ticks[1] - ticks[0] : std::abs(ticks.empty() ? 0 : ticks[0]);
  for (const double v : ticks) out.push_back(tick_label(v, std::max(step / 100, 1e-12)));
  return out;
}

std::string to_svg(const LineChart& chart) {
  const auto points = thinned(chart.points);
  if (points.empty()) return "";
  Frame f = frame_of(points, chart);
  const std::vector<double> heights = ticks(f.y0, f.y1, 4);
  const std::vector<std::string> of_heights = tick_labels(heights);
  for (const std::string& text : of_heights) f.left = std::max(f.left, kLabelWidth + width_of_tick(text));
  const std::vector<double> places = places_of(f, chart.places);
  const std::vector<std::string> of_places = tick_labels(places);
  const double base = f.height - f.bottom, end = f.width - f.right;
  std::string svg = fmt::format(
      "<svg class=\"chart\" viewBox=\"0 0 {:g} {:g}\" tabindex=\"0\" role=\"img\" aria-label=\"{}\">"
      "<text class=\"title\" x=\"{:g}\" y=\"16\">{}</text>"
      "<text class=\"read\" x=\"{:g}\" y=\"16\" text-anchor=\"end\"></text>",
      f.width, f.height, escape_html(chart.title), f.left, escape_html(chart.title), end);
  for (size_t i = 0; i < heights.size(); ++i)
    svg += fmt::format(
        "<line class=\"grid\" x1=\"{:g}\" x2=\"{:g}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>"
        "<text class=\"tick\" x=\"{:g}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>",
        f.left, end, f.y(heights[i]), f.y(heights[i]), f.left - 6, f.y(heights[i]) + 3.5, of_heights[i]);
  for (size_t i = 0; i < places.size(); ++i)
    svg += fmt::format("<text class=\"tick\" x=\"{:.1f}\" y=\"{:g}\" text-anchor=\"middle\">{}</text>", f.x(places[i]),
                       base + 14, of_places[i]);
  svg += fmt::format(
      "<line class=\"axis\" x1=\"{:g}\" x2=\"{:g}\" y1=\"{:g}\" y2=\"{:g}\"/>"
      "<text class=\"label\" x=\"{:g}\" y=\"{:g}\" text-anchor=\"middle\">{}</text>"
      "<text class=\"label\" transform=\"translate(12 {:g}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
      f.left, end, base, base, (f.left + end) / 2, f.height - 8, escape_html(chart.x_label), (f.top + base) / 2,
      escape_html(chart.y_label));
  std::string path;
  for (const auto& [x, y] : points) path += fmt::format("{}{:.1f},{:.1f}", path.empty() ? "" : " ", f.x(x), f.y(y));
  svg += fmt::format("<polyline class=\"line\" points=\"{}\"/>", path);
  // Values to read where the pointer rests, without the script of the page.
  const size_t stride = (points.size() + kMostReadable - 1) / kMostReadable;
  for (size_t i = 0; i < points.size(); i += stride)
    svg += fmt::format(
        "<circle class=\"value\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"6\"><title>{:.3g}: {:.4g}</title></circle>",
        f.x(points[i].first), f.y(points[i].second), points[i].first, points[i].second);
  const auto& [x, y] = points.back();
  svg +=
      fmt::format("<circle class=\"dot\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"><title>{} {:.5g}</title></circle></svg>\n",
                  f.x(x), f.y(y), escape_html(chart.title), y);
  return svg;
}

std::string to_svg(const HeatMap& map) {
  const size_t rows = map.rows.size(), columns = map.columns.size();
  check(map.counts.size() == rows * columns, "heat map: one count per cell");
  size_t longest_row = 0, longest_column = 0;
  for (const std::string& name : map.rows) longest_row = std::max(longest_row, name.size());
  for (const std::string& name : map.columns) longest_column = std::max(longest_column, name.size());
  const bool numbered = columns <= kMostNumberedColumns;
  const double cell_width = numbered ? 46 : 14, cell_height = numbered ? 28 : 14;
  const double left = 34 + 6.4 * static_cast<double>(std::min<size_t>(longest_row, 40));
  const double top = 34 + 4.6 * static_cast<double>(std::min<size_t>(longest_column, 40));
  const double grid_width = cell_width * static_cast<double>(columns),
               grid_height = cell_height * static_cast<double>(rows);
  // Slanted names of the last columns stick out to the right.
  const double width = left + grid_width + 5 * static_cast<double>(longest_column) + 8;
  // The label of the rows runs along them, and needs its length where they are few; it is centred on the whole height.
  const double label = 6.2 * static_cast<double>(map.y_label.size()),
               height = std::max(top + grid_height + 8, label + 8);
  const double middle = std::max(top + grid_height / 2, label / 2 + 4);
  std::string svg = fmt::format(
      "<svg class=\"heat\" viewBox=\"0 0 {0:g} {1:g}\" style=\"max-width:{0:g}px;--width:{0:g}px\" role=\"img\" "
      "aria-label=\"{2} by {3}\">"
      "<text class=\"label\" x=\"{4:g}\" y=\"14\" text-anchor=\"middle\">{3}</text>"
      "<text class=\"label\" transform=\"translate(13 {5:g}) rotate(-90)\" text-anchor=\"middle\">{2}</text>",
      width, height, escape_html(map.y_label), escape_html(map.x_label), left + grid_width / 2,
      std::min(middle, height - label / 2 - 4));
  for (size_t j = 0; j < columns; ++j)
    svg += fmt::format("<text class=\"name\" transform=\"translate({:g} {:g}) rotate(-40)\">{}</text>",
                       left + cell_width * (static_cast<double>(j) + 0.5), top - 6, escape_html(map.columns[j]));
  for (size_t i = 0; i < rows; ++i) {
    const double y = top + cell_height * static_cast<double>(i);
    svg += fmt::format("<text class=\"name\" x=\"{:g}\" y=\"{:g}\" text-anchor=\"end\">{}</text>", left - 7,
                       y + cell_height / 2 + 4, escape_html(map.rows[i]));
    int64_t total = 0;
    for (size_t j = 0; j < columns; ++j) total += map.counts[i * columns + j];
    for (size_t j = 0; j < columns; ++j) {
      const int64_t count = map.counts[i * columns + j];
      const double share = total == 0 ? 0 : static_cast<double>(count) / static_cast<double>(total);
      const double x = left + cell_width * static_cast<double>(j);
      svg += fmt::format(
          "<rect class=\"shade\" x=\"{:g}\" y=\"{:g}\" width=\"{:g}\" height=\"{:g}\" "
          "fill-opacity=\"{:.3f}\"><title>{}, "
          "{}: {} ({:.1f} %)</title></rect>",
          x, y, cell_width - 1.5, cell_height - 1.5, kFaintest + (1 - kFaintest) * share, escape_html(map.rows[i]),
          escape_html(map.columns[j]), count, 100 * share);
      if (numbered && count > 0)
        svg += fmt::format("<text class=\"count{}\" x=\"{:g}\" y=\"{:g}\" text-anchor=\"middle\">{}</text>",
                           share > 0.5 ? " on-dark" : "", x + cell_width / 2 - 1, y + cell_height / 2 + 3.5, count);
    }
  }
  return svg + "</svg>\n";
}

}  // namespace kith
