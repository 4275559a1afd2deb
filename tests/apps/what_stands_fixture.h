// Commands that must be refused, and leave everything as it is.
#pragma once
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "tests/apps/run_fixture.h"

namespace kith::test {

class WhatStands : public Runs {
 protected:
  std::string path(const std::string& name) const { return (root_ / name).string(); }
  std::map<std::string, std::string> everything() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(root_))
      all[entry.path().string()] = entry.is_regular_file() ? text_of(entry.path()) : "";
    return all;
  }
  // The line of a command that must fail and leave every file as it is.
  std::string refused(const std::vector<std::string>& words) const {
    const auto before = everything();
    const Outcome o = kith(words);
    EXPECT_EQ(o.status, 1) << o.out << o.err;
    EXPECT_EQ(std::ranges::count(o.err, '\n'), 1) << o.err;
    EXPECT_TRUE(everything() == before) << "files changed: " << o.err;
    return o.err;
  }
};

}  // namespace kith::test
