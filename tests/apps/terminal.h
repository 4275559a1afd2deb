// What a terminal of 80 columns shows.
#pragma once
#include <algorithm>
#include <cstddef>
#include <sstream>
#include <string>

namespace kith::test {

// Notes of several lines, each on one again.
inline std::string unwrapped(std::string text) {
  const std::string below = "\n  ";
  for (size_t at = text.find(below); at != std::string::npos; at = text.find(below, at))
    text.replace(at, below.size(), " ");
  return text;
}

// The first line that is wider and could be broken at a space; empty: there is none. Warnings and errors are one line each,
// however long.
inline std::string too_wide(const std::string& text) {
  constexpr size_t kColumns = 80;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("kith: warning: ") || line.starts_with("kith: error: ")) continue;
    const size_t word = std::min(line.find_first_not_of(' '), line.size());
    if (line.size() > kColumns && line.find(' ', word) != std::string::npos) return line;
  }
  return "";
}

}  // namespace kith::test
