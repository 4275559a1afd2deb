// Every file that kith reads but pictures: a small valid one, and what reads it. For tests that damage them.
#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "tests/support/mutator.h"

namespace kith::test {

struct Reader {
  std::string name;  // of the file, whose ending counts for some
  File valid;
  std::function<void(const std::filesystem::path&)> read;  // throws std::runtime_error of one line
};

// `folder` is there; some readers want other files beside theirs, which are written there now.
std::vector<Reader> readers(const std::filesystem::path& folder);

}  // namespace kith::test
