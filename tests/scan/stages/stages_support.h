// A data set, a configuration and a reporter small enough to run every stage in a second.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/core/philox.h"
#include "scan/stages/stages.h"
#include "tests/support/error_of.h"

namespace kith::test {

// Three classes: bright top, bright middle, bright bottom, with noise.
inline data::Images striped(int64_t count, uint32_t salt, int channels) {
  data::Images images{.count = count, .height = 9, .width = 8, .channels = channels};
  std::vector<uint8_t> pixels(static_cast<size_t>(count * 9 * 8 * channels));
  images.labels.resize(static_cast<size_t>(count));
  size_t at = 0;
  for (int64_t i = 0; i < count; ++i) {
    Random random(17, salt, static_cast<uint64_t>(i), 0);
    images.labels[i] = static_cast<int32_t>(i % 3);
    for (int y = 0; y < 9; ++y)
      for (int x = 0; x < 8 * channels; ++x)
        pixels[at++] = static_cast<uint8_t>((y / 3 == i % 3 ? 160 : 40) + random.below(60));
  }
  images.pixels = std::move(pixels);
  return images;
}

inline data::Dataset striped_data(int channels = 1, int64_t train = 70, int64_t test = 40) {
  data::Dataset data{.spec = "striped:nowhere",
                     .class_names = {"top", "middle", "bottom"},
                     .splits = {{"train", data::Role::train, striped(train, 1, channels)},
                                {"test", data::Role::test, striped(test, 2, channels)}}};
  for (int c = 0; c < 3; ++c) data.mean[c] = 0.4f, data.std[c] = 0.25f;
  return data;
}

inline RunConfig tiny_config() {
  RunConfig c;
  c.seed = 5;
  c.data.spec = "striped:nowhere";
  c.checkpoint_seconds = 1000;
  c.model.width = 4;
  c.model.projection = 8;
  c.pretext.train.epochs = 3;
  c.pretext.train.batch = 16;
  c.pretext.train.optimizer.kind = OptimizerKind::adamw;
  c.pretext.train.schedule.kind = ScheduleKind::cosine;
  c.pretext.train.schedule.lr = 3e-3;
  c.pretext.train.schedule.per_step = true;
  c.pretext.tau = 0.2f;
  c.mine = {.k = 5, .k_test = 3};
  c.cluster.train.epochs = 3;
  c.cluster.train.batch = 16;
  c.cluster.train.optimizer.kind = OptimizerKind::adam;
  c.cluster.train.schedule.lr = 1e-2;
  c.cluster.augment.policy = kernels::AugmentPolicy::strong;
  c.cluster.augment.strong.cutout = 3;
  c.cluster.heads = 4;
  c.selflabel.train = c.cluster.train;
  c.selflabel.train.epochs = 2;
  c.selflabel.train.schedule.lr = 1e-3;
  c.selflabel.augment = c.cluster.augment;
  c.selflabel.share = 0.5f;
  c.refine.train.epochs = 2;
  c.refine.train.batch = 16;
  c.refine.augment.strong.cutout = 3;
  c.refine.labelled = 6;
  c.refine.neighbours = 5;
  c.refine.threshold = 0.4f;
  c.evaluate.knn_k = 5;
  c.evaluate.kmeans_restarts = 2;
  return c;
}

class Recorder : public Reporter {
 public:
  int64_t stop_after = std::numeric_limits<int64_t>::max();  // steps from now
  bool stop_at_begin = false;                                // of each stage, once, before its first step
  int64_t steps = 0;
  std::vector<std::string> notes, warnings;
  std::vector<nlohmann::json> lines;

  void begin(std::string_view stage, int64_t, int64_t) override {
    if (begun_.emplace(stage).second && stop_at_begin) stop_after = steps;
  }
  void step(int64_t) override { ++steps; }
  void end() override {}
  void metric(const nlohmann::json& line) override { lines.push_back(line); }
  void note(const std::string& text) override { notes.push_back(text); }
  void warn(const std::string& text) override { warnings.push_back(text); }
  bool stop_requested() const override { return steps >= stop_after; }

  bool warned(const std::string& part) const {
    for (const std::string& w : warnings)
      if (w.find(part) != std::string::npos) return true;
    return false;
  }

 private:
  std::set<std::string> begun_;
};

inline void flip_pixel(data::Images& images, size_t at) {
  std::vector<uint8_t> pixels(images.pixels.begin(), images.pixels.end());
  pixels[at] ^= 1;
  images.pixels = std::move(pixels);
}

// An empty directory that goes away.
class Folder {
 public:
  explicit Folder(const std::string& name)
      : path_(std::filesystem::temp_directory_path() / ("kith_stages_" + name + "_" + std::to_string(::getpid()))) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path << " cannot be read";
  return {std::istreambuf_iterator<char>(file), {}};
}

// A whole run, in a directory of its own.
struct TinyRun {
  explicit TinyRun(const std::string& name, RunConfig c = tiny_config(), data::Dataset d = striped_data())
      : folder(name), config(std::move(c)), data(std::move(d)) {}
  Folder folder;
  Context ctx{{.threads = 1}};  // waiting threads cost more than they bring at this size
  RunConfig config;
  data::Dataset data;
  Recorder report;

  nlohmann::json operator()() {
    Session s{ctx, config, data, folder.path(), report};
    return run(s);
  }
  std::filesystem::path file(const std::string& name) const { return folder.path() / name; }
};

inline const char* const kResults[] = {"pretext.safetensors",   "features_train.npy",  "features_test.npy",
                                       "neighbours_train.npy",  "neighbours_test.npy", "cluster.safetensors",
                                       "selflabel.safetensors", "assignments.npy",     "assignments_train.npy",
                                       "probabilities.npy",     "confusion.csv",       "prototypes.png"};

inline void expect_same_results(const TinyRun& a, const TinyRun& b) {
  for (const char* name : kResults) {
    if (!std::filesystem::exists(a.file(name)) && !std::filesystem::exists(b.file(name))) continue;
    EXPECT_TRUE(bytes_of(a.file(name)) == bytes_of(b.file(name))) << name << " differs";
  }
}

}  // namespace kith::test
