// A finished run on pictures, and the commands that ask it.
#pragma once
#include <sstream>
#include <string>
#include <vector>

#include "data/formats/png.h"
#include "tests/apps/run_fixture.h"

namespace kith::test {

// A run on pictures of 3 channels: three colours, each image a file of its own too.
class Answers : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    root_ = fs::path(testing::TempDir()) / ("kith_answers_" + std::to_string(getpid()));
    fs::remove_all(root_);
    fs::create_directories(root_ / "cifar");
    fs::create_directories(root_ / "pictures");
    write_records("train.bin", 60, 1), write_records("test.bin", 12, 2);
    std::ofstream(root_ / "cifar" / "class_names.txt") << "red\ngreen/ish\nblue\n";
    for (int i = 0; i < 9; ++i) {
      data::Picture p{.height = 32, .width = 32, .channels = 3};
      p.pixels = pixels(i % 3, 3, static_cast<uint64_t>(i));
      data::write_png(root_ / "pictures" / ("p" + std::to_string(i) + ".png"), p);
    }
    const Outcome o = kith({"run",
                            "--data",
                            "cifar-format:" + path("cifar"),
                            "--out",
                            path("run"),
                            "--threads",
                            "1",
                            "--quiet",
                            "--set",
                            "data.size=8",
                            "--set",
                            "model.width=4",
                            "--set",
                            "model.projection=8",
                            "--set",
                            "pretext.epochs=3",
                            "--set",
                            "pretext.batch=20",
                            "--set",
                            "pretext.augment.size=0",
                            "--set",
                            "pretext.augment.simclr.jitter=0",
                            "--set",
                            "pretext.augment.simclr.grayscale=0",
                            "--set",
                            "mine.k=5",
                            "--set",
                            "cluster.epochs=10",
                            "--set",
                            "cluster.heads=3",
                            "--set",
                            "selflabel.epochs=1",
                            "--set",
                            "evaluate.kmeans_restarts=2",
                            "--set",
                            "selflabel.augment.strong.cutout=2"});
    ASSERT_EQ(o.status, 0) << o.err;
  }
  static void TearDownTestSuite() { fs::remove_all(root_); }

  static std::vector<uint8_t> pixels(int colour, uint32_t salt, uint64_t i) {  // [32, 32, 3]
    Random random(7, salt, i, 0);
    std::vector<uint8_t> out;
    for (int at = 0; at < 32 * 32; ++at)
      for (int c = 0; c < 3; ++c) out.push_back(static_cast<uint8_t>((c == colour ? 190 : 30) + random.below(40)));
    return out;
  }
  static void write_records(const std::string& name, int count, uint32_t salt) {
    std::ofstream out(root_ / "cifar" / name, std::ios::binary);
    for (int i = 0; i < count; ++i) {
      const std::vector<uint8_t> p = pixels(i % 3, salt, static_cast<uint64_t>(i));
      out.put(static_cast<char>(i % 3));
      for (int c = 0; c < 3; ++c)
        for (size_t at = 0; at < 32 * 32; ++at) out.put(static_cast<char>(p[3 * at + static_cast<size_t>(c)]));
    }
  }
  static std::string path(const std::string& name) { return (root_ / name).string(); }
  static std::vector<std::string> pictures() {
    std::vector<std::string> files;
    for (int i = 0; i < 9; ++i) files.push_back(path("pictures/p" + std::to_string(i) + ".png"));
    return files;
  }
  static Outcome ask(const std::string& command, std::vector<std::string> more, const std::string& run = "run") {
    std::vector<std::string> words = {command, "--run", path(run), "--threads", "1"};
    words.insert(words.end(), more.begin(), more.end());
    return kith(words);
  }
  static Outcome ask_files(const std::string& command, std::vector<std::string> more = {}) {
    for (const std::string& file : pictures()) more.push_back(file);
    return ask(command, more);
  }
  static std::vector<std::vector<std::string>> table(const std::string& text) {  // of fields without commas
    std::vector<std::vector<std::string>> rows;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
      rows.emplace_back();
      std::istringstream fields(line + ",");
      for (std::string field; std::getline(fields, field, ',');) rows.back().push_back(field);
    }
    return rows;
  }

  static inline fs::path root_;
};

}  // namespace kith::test
