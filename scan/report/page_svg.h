// Figures of a page as inline SVG: no font file, no second file, and all of them there without a script.
//
// No chart library draws the curves. uPlot (MIT, 50 kB) was weighed: it draws on a canvas, which is dots on paper, has no values
// for a screen reader and nothing for the keyboard, and must be drawn again for the dark. A vector picture of 50 lines has the
// page's style in every light; a script of 35 (page_shell.cpp) reads its points out under a pointer, a finger and arrow keys.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace kith {

// Text as HTML and SVG content or attribute value: & < > " ' escaped.
std::string escape_html(const std::string&);

// Round tick positions that cover [low, high] from within, about `count` of them; one tick when the range is empty.
std::vector<double> ticks(double low, double high, int count);

// Texts of ticks() that read back as the ticks to a hundredth of their distance: 12000 is "12k".
std::vector<std::string> tick_labels(const std::vector<double>& ticks);

struct LineChart {
  enum class Range : uint8_t { data, from_zero };  // of the y axis
  enum class Places : uint8_t { any, whole };      // of the ticks of the x axis: of epochs there are only whole ones
  std::string title, x_label, y_label;             // labels carry the unit
  std::vector<std::pair<double, double>> points;   // x ascending; points that are not finite are left out
  Range range = Range::data;
  Places places = Places::any;
};
// Beyond 400 points, neighbours are averaged; the values of 40 can be read. Empty without a finite point.
std::string to_svg(const LineChart&);

// Opacity of the shade of a cell that holds nothing; a full one has 1.
inline constexpr double kFaintest = 0.05;

struct HeatMap {
  std::string x_label, y_label;
  std::vector<std::string> columns, rows;
  std::vector<int64_t> counts;  // [rows, columns]; the shade is the share of the row
};
// Counts are printed in the cells up to 20 columns.
std::string to_svg(const HeatMap&);

}  // namespace kith
