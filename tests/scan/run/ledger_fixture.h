// A short run that is made in one directory again and again.
#pragma once
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "data/formats/npy.h"
#include "scan/train/checkpoint.h"
#include "tests/scan/stages/stages_support.h"

namespace kith::test {

inline RunConfig short_config() {
  RunConfig c = tiny_config();
  c.pretext.train.epochs = c.cluster.train.epochs = c.selflabel.train.epochs = 1;
  return c;
}

// Runs in a directory again and again, with what was said since the last time.
struct Again : TinyRun {
  explicit Again(const std::string& name) : TinyRun(name, short_config()) { (*this)(); }

  Session session() { return {ctx, config, data, folder.path(), report}; }
  void forget() {
    report.steps = 0;
    report.notes.clear();
    report.warnings.clear();
  }
  // The stages that run() makes anew, by their first letter: p(retext) m(ine) c(luster) s(elflabel).
  std::string rerun() {
    forget();
    (*this)();
    std::string made;
    for (const char* stage : {"pretext", "mine", "cluster", "selflabel"})
      if (!noted(std::string(stage) + ": done earlier")) made += stage[0];
    return made;
  }
  std::string refused() {
    forget();
    const auto before = contents();
    const std::string error = error_of([&] { (*this)(); });
    EXPECT_TRUE(contents() == before) << "a refused command changed the directory";
    EXPECT_EQ(error.find('\n'), std::string::npos);
    return error;
  }
  bool noted(const std::string& part) const {
    return std::ranges::any_of(report.notes, [&](const std::string& n) { return n.find(part) != std::string::npos; });
  }
  int64_t warnings_of_files() const {  // the method has some of its own
    return std::ranges::count_if(
        report.warnings, [](const std::string& w) { return w.find("not what the stage") != std::string::npos; });
  }
  std::map<std::string, std::string> contents() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
      all[entry.path().filename().string()] = bytes_of(entry.path());
    return all;
  }
  void write_lists(int64_t shift) const {  // other neighbours than mining found
    std::vector<int64_t> lists(70 * 5);
    for (int64_t i = 0; i < 350; ++i) lists[static_cast<size_t>(i)] = (i / 5 + i % 5 + shift) % 70;
    data::write_npy<int64_t>(file("neighbours_train.npy"), lists, {70, 5});
  }
};

}  // namespace kith::test
