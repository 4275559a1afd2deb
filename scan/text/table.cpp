#include "scan/text/table.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/formats/text.h"
#include "kernels/core/check.h"

namespace kith {
namespace {

size_t width_of(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::string to_text(const Table& given, int margin) {
  Table table = given;
  for (std::string& cell : table.header) cell = data::printable(cell);
  for (auto& row : table.rows)
    for (std::string& cell : row) cell = data::printable(cell);
  const size_t columns = table.header.size();
  std::vector<size_t> width(columns);
  for (size_t j = 0; j < columns; ++j) width[j] = width_of(table.header[j]);
  for (const auto& row : table.rows) {
    check(row.size() == columns, "table: a row has another number of cells than the header");
    for (size_t j = 0; j < columns; ++j) width[j] = std::max(width[j], width_of(row[j]));
  }
  std::string out;
  const auto line = [&](const std::vector<std::string>& cells) {
    out.append(margin, ' ');
    for (size_t j = 0; j < columns; ++j) {
      const size_t pad = width[j] - width_of(cells[j]);
      if (j > 0) out.append(pad + 2, ' ');
      out += cells[j];
      if (j == 0 && columns > 1) out.append(pad, ' ');
    }
    out += '\n';
  };
  line(table.header);
  size_t total = columns == 0 ? 0 : 2 * (columns - 1);
  for (const size_t w : width) total += w;
  out.append(margin, ' ').append(total, '-') += '\n';
  for (const auto& row : table.rows) line(row);
  return out;
}

std::string percent(double share) {
  const std::string text = fmt::format("{:.1f}", 100 * share);
  return text == "-0.0" ? "0.0" : text;
}

}  // namespace kith
