// Errors. Libraries throw Error; only apps print or exit.
#pragma once
#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>

namespace kith {

// One clear line for the user: what, where, what was expected.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Out of host or device memory. The caller may release caches and retry.
class OutOfMemory : public Error {
 public:
  using Error::Error;
};

// Contract check. On failure throws Error("<what> (<file>:<line>)"). Never compiled out.
void check(bool ok, std::string_view what, std::source_location at = std::source_location::current());

}  // namespace kith
