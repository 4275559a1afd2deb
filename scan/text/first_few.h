// Lists in messages: a line of hundreds of names is read by nobody.
#pragma once
#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

namespace kith {

// The first `most` of them with `between` between, and how many more there are: "a; b; and 5 more".
inline std::string first_few(const std::vector<std::string>& items, size_t most, const std::string& between = ", ") {
  std::string out;
  for (size_t i = 0; i < std::min(most, items.size()); ++i) out += (i == 0 ? "" : between) + items[i];
  if (items.size() > most) out += between + "and " + std::to_string(items.size() - most) + " more";
  return out;
}

}  // namespace kith
