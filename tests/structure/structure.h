// The rules of the house that a machine can check: which layer may include which, and how long a file may be.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace kith::test {

struct Findings {
  std::vector<std::string> violations;  // "file:line: what is wrong"
  std::vector<std::string> long_files;  // above the budget, not yet above the limit
  int files = 0, includes = 0;          // looked at
};

inline constexpr int kLineBudget = 300, kLineLimit = 320;

// Reads every source file below root's layers, tests and bench. Comments do not count as includes.
Findings inspect(const std::filesystem::path& root);

// Whether a file of layer `from` may include a header of layer `to`.
bool may_include(const std::string& from, const std::string& to);

}  // namespace kith::test
