// Errors. Libraries throw Error; only apps print or exit.
#pragma once
#include <source_location>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace kith {

// The text in one line that a terminal shows as it is: control characters, which names in files may hold, as \xNN.
std::string one_line(std::string_view);

// One clear line for the user: what, where, what was expected.
class Error : public std::runtime_error {
 public:
  explicit Error(std::string_view what) : std::runtime_error(one_line(what)) {}

  // "HEAD:" and a line for each, indented.
  static Error of_list(std::string_view head, std::span<const std::string> each);

 private:
  struct AsItIs {};
  Error(AsItIs, const std::string& lines) : std::runtime_error(lines) {}
};

// Out of host or device memory. The caller may release caches and retry.
class OutOfMemory : public Error {
 public:
  using Error::Error;
};

// Contract check. On failure throws Error("<what> (<file>:<line>)"). Never compiled out.
void check(bool ok, std::string_view what, std::source_location at = std::source_location::current());

}  // namespace kith
