// Figures that compare runs, as inline SVG in the style of page_svg.h.
#pragma once
#include <optional>
#include <string>
#include <vector>

namespace kith {

// A row per thing compared, under its name; in it, for each series, the single values as small dots, their mean and its deviation
// to both sides.
struct DotChart {
  struct Mark {
    std::vector<double> values;  // none: nothing is drawn
    double mean = 0, deviation = 0;
  };
  std::string x_label;
  std::vector<std::string> series;  // at most 4
  std::vector<std::string> rows;
  std::vector<std::vector<Mark>> marks;  // [rows][series]
};
// Empty without a value.
std::string to_svg(const DotChart&);

// Values by two quantities; the shade goes from the least to the largest value.
struct ValueMap {
  std::string x_label, y_label;
  std::vector<std::string> columns, rows;
  std::vector<std::optional<double>> values;  // [rows, columns]; without a value: an empty cell
  std::vector<std::string> texts;             // [rows, columns], in the cells
};
// Empty without a value.
std::string to_svg(const ValueMap&);

}  // namespace kith
