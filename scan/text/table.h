// Tables for terminals, in fixed width: the first column to the left, the others to the right.
#pragma once
#include <string>
#include <vector>

namespace kith {

struct Table {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;  // each as long as the header; Error otherwise
};

// One line per row with the given margin, a rule below the header. Widths count UTF-8 characters,
// not bytes. Control characters and bytes that are no UTF-8 become \xNN.
std::string to_text(const Table&, int margin = 2);

// A share as people read it: 0.6994 -> "69.9".
std::string percent(double share);

}  // namespace kith
