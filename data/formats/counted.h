// Numbers of things in messages: "1 picture is", "2 pictures are".
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace kith::data {

// The number with its noun. `many`: the plural, where it is not `one` with an s.
inline std::string counted(int64_t n, std::string_view one, std::string_view many = {}) {
  std::string noun(n == 1 || many.empty() ? one : many);
  if (n != 1 && many.empty()) noun += 's';
  return std::to_string(n) + " " + noun;
}

inline std::string_view is_or_are(int64_t n) { return n == 1 ? "is" : "are"; }

}  // namespace kith::data
