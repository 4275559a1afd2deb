#include "scan/ablate/grid_copy.h"

#include <fmt/format.h>

#include <string_view>

#include "data/formats/text.h"
#include "kernels/core/check.h"
#include "scan/config/config_text.h"

namespace kith {
namespace {

// f(line with its end).
template <class F>
void each_line_of(std::string_view text, F&& f) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n') == text.npos ? text.npos : text.find('\n') + 1);
    f(line);
    text.remove_prefix(line.size());
  }
}

}  // namespace

std::string copy_of_grid(const std::string& text) {
  std::string copy = std::string(kCopyBegins) + "\n";
  each_line_of(data::without_mark(text), [&](std::string_view line) {
    if (trimmed(line) != kCopyBegins && trimmed(line) != kCopyEnds) copy += line;
  });
  if (copy.back() != '\n') copy += '\n';
  return copy + kCopyEnds + "\n";
}

void expect_whole_copy(const std::string& text, const std::string& name) {
  bool begins = false, ends = false;
  each_line_of(text, [&](std::string_view line) {
    begins |= trimmed(line) == kCopyBegins;
    ends |= trimmed(line) == kCopyEnds;
  });
  if (begins == ends) return;
  throw Error(fmt::format(
      "{0}: has the line '{1}', as only the copy in a grid's folder does, but not the line '{2}': if the file was cut "
      "short, restore it, or give the full command of the grid (kith ablate FILE, or kith run --seeds with --data), "
      "which writes it anew; if it is a grid of your own, remove that line",
      name, begins ? kCopyBegins : kCopyEnds, begins ? kCopyEnds : kCopyBegins));
}

}  // namespace kith
