// How often a text holds another, for tests of pages.
#pragma once
#include <cstdint>
#include <string>

namespace kith::test {

inline int64_t occurrences(const std::string& text, const std::string& part) {
  int64_t n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++n;
  return n;
}

}  // namespace kith::test
