// Whole runs of the built program on a tiny data set: results, continuing, interruption, refusal.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "tests/apps/run_fixture.h"

namespace kith::test {
namespace {

TEST_F(Runs, EndInATableAndTheFilesThatAreDocumented) {
  const Outcome o = run("a");
  ASSERT_EQ(o.status, 0) << o.err;
  for (const char* row : {"k-means on pixels", "k-means on pretext features", "SCAN"})
    EXPECT_NE(o.out.find(row), std::string::npos) << row;
  for (const char* file : {"config.toml", "metrics.jsonl", "summary.json", "pretext.safetensors", "features_train.npy",
                           "features_test.npy", "neighbours_train.npy", "neighbours_test.npy", "cluster.safetensors",
                           "selflabel.safetensors", "assignments.npy", "probabilities.npy", "assignments_train.npy",
                           "confusion.csv", "prototypes.png", "report.html"})
    EXPECT_TRUE(fs::exists(root_ / "a" / file)) << file;
  const std::string page = text_of(root_ / "a" / "report.html");
  const size_t begin = page.find("<dt>Time</dt>");
  ASSERT_NE(begin, std::string::npos);
  const std::string times = page.substr(begin, page.find("</dd>", begin) - begin);
  size_t at = 0;  // the seconds of the stages, in the order they ran
  for (const char* stage : {"pretext ", ", mine ", ", cluster ", ", selflabel "}) {
    at = times.find(stage, at);
    ASSERT_NE(at, std::string::npos) << stage << times;
  }
  for (const char* fact : {"Made", "kith", "Processor", "Evaluated on"})
    EXPECT_NE(page.find(std::string("<dt>") + fact + "</dt>"), std::string::npos) << fact;
  for (const auto& entry : fs::directory_iterator(root_ / "a"))
    EXPECT_FALSE(entry.path().filename().string().starts_with("checkpoint_")) << entry.path();
  // Of gray images: pictures become so, but first of all they are there or not.
  const std::string a = (root_ / "a").string(), image = (root_ / "a" / "prototypes.png").string();
  EXPECT_EQ(kith({"predict", "--run", a, image, "nowhere.png"}).err, "kith: error: nowhere.png: no such file\n");
  EXPECT_NE(kith({"predict", "--run", a, image}).err.find("pictures become 0.299 R"), std::string::npos);
}

TEST_F(Runs, StageByStageEqualsAllAtOnce) {
  const Outcome whole = run("a");
  ASSERT_EQ(whole.status, 0) << whole.err;
  EXPECT_NE(whole.err.find("next: kith predict --run"), std::string::npos) << whole.err;
  for (const char* stage : {"pretext", "mine", "cluster", "selflabel", "evaluate"}) {
    const Outcome o = kith(command(stage, "b"));
    ASSERT_EQ(o.status, 0) << stage << ": " << o.err;
    const char* next = std::string_view(stage) == "pretext"   ? "mine"
                       : std::string_view(stage) == "mine"    ? "cluster"
                       : std::string_view(stage) == "cluster" ? "selflabel"
                                                              : "evaluate";
    EXPECT_EQ(o.err.find(std::string("next: kith ") + next + " --out ") == std::string::npos,
              std::string_view(stage) == "evaluate")
        << o.err;
  }
  for (const char* file : {"features_test.npy", "neighbours_train.npy", "probabilities.npy", "confusion.csv"})
    EXPECT_EQ(text_of(root_ / "a" / file), text_of(root_ / "b" / file)) << file;
  EXPECT_EQ(log_of(root_ / "a"), log_of(root_ / "b"));
}

TEST_F(Runs, JsonIsAllThatStandardOutputHolds) {
  const Outcome o = run("a", {"--json", "--quiet"});
  ASSERT_EQ(o.status, 0) << o.err;
  std::istringstream lines(o.out);
  json last;
  for (std::string line; std::getline(lines, line);) ASSERT_NO_THROW(last = json::parse(line)) << line;
  ASSERT_TRUE(last.contains("summary"));
  EXPECT_EQ(last["summary"]["table"].size(), 5u);
}

// SIGINT, SIGTERM and SIGHUP let the stage save; SIGKILL leaves whatever is there. The same command continues every time.
TEST_F(Runs, InterruptedAnywhereEndTheSame) {
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_EQ(run("whole").status, 0);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  Random random(5, 0, 0, 0);
  int interrupted = 0;
  Outcome o;
  for (const int signal : {2, 15, 9, 1, 15, 9, 2, 9}) {
    const int after_ms = static_cast<int>(took.count() * random.uniform(0.05f, 0.6f));
    o = kith(command("run", "cut"), {.signal = signal, .after_ms = after_ms});
    if (o.status == 0) break;
    ++interrupted;
    ASSERT_EQ(o.status, 128 + signal) << o.err;
    const bool was_asked = o.err.find("kith: stopping") != std::string::npos;  // not before it could listen
    EXPECT_EQ(o.err.find("the same command continues") != std::string::npos, was_asked) << o.err;
  }
  if (o.status != 0) o = run("cut");
  ASSERT_EQ(o.status, 0) << o.err;
  for (const char* file : {"pretext.safetensors", "features_train.npy", "neighbours_train.npy", "cluster.safetensors",
                           "selflabel.safetensors", "probabilities.npy", "confusion.csv"})
    EXPECT_EQ(text_of(root_ / "whole" / file), text_of(root_ / "cut" / file)) << file;
  EXPECT_EQ(log_of(root_ / "whole"), log_of(root_ / "cut"));
  if (interrupted == 0) GTEST_SKIP() << "the run was over before the first signal";
}

// Killed, or on a full disk, between a result and the line of the log that ends its stage.
class LogOfRuns : public Runs {
 protected:
  fs::path log() const { return root_ / "whole" / "metrics.jsonl"; }
  void write(const std::string& text) const { std::ofstream(log(), std::ios::binary) << text; }
  void take_out(const std::string& line) const {
    std::string text = text_of(log());
    ASSERT_NE(text.find(line), std::string::npos) << text;
    write(text.replace(text.find(line), line.size(), ""));
  }
  void set_age(int hours) const {
    fs::last_write_time(log(), fs::last_write_time(root_ / "whole" / "stages.json") - std::chrono::hours(hours));
  }
  const std::string end_ = R"({"finished":true,"lines":3,"stage":"selflabel"})"
                           "\n";
};

TEST_F(LogOfRuns, ThatLacksTheEndOfAStageIsCompleted) {
  ASSERT_EQ(run("whole").status, 0);
  std::vector<json> want = log_of(root_ / "whole");
  take_out(end_);
  for (int again = 0; again < 2; ++again) {
    ASSERT_EQ(run("whole").status, 0);
    EXPECT_EQ(log_of(root_ / "whole"), want);
  }
  // Without labels the search for neighbours has no other line than this.
  std::erase_if(want, [](const json& line) { return line.at("stage") == "mine"; });
  std::string rest;
  for (const json& line : want) rest += line.dump() + "\n";
  write(rest);
  const fs::path records = root_ / "whole" / "stages.json";
  json stages = json::parse(text_of(records));
  stages.at("mine").at("lines") = 0;
  std::ofstream(records) << stages.dump();
  want.push_back({{"stage", "mine"}, {"finished", true}, {"lines", 1}});
  for (int again = 0; again < 2; ++again) {
    ASSERT_EQ(run("whole").status, 0);
    EXPECT_EQ(log_of(root_ / "whole"), want);
  }
}

// Whether lines behind a finished result are another attempt's is told by their number: somebody may have set the clock.
TEST_F(LogOfRuns, IsCompletedWhateverTheClockSays) {
  ASSERT_EQ(run("whole").status, 0);
  const std::vector<json> want = log_of(root_ / "whole");
  std::ofstream(log(), std::ios::app) << R"({"stage":"selflabel","epoch":1})"
                                         "\n";
  set_age(24);
  ASSERT_EQ(run("whole").status, 0);
  EXPECT_EQ(log_of(root_ / "whole"), want);  // without the other attempt
  const json earlier = {{"stage", "selflabel"}, {"finished", true}};
  write(earlier.dump() + "\n" + text_of(log()));
  take_out(end_);
  const fs::path records = root_ / "whole" / "stages.json";
  json stages = json::parse(text_of(records));
  stages.at("selflabel").at("ends") = 1;  // as on record where that line was there before
  std::ofstream(records) << stages.dump();
  set_age(-24);
  ASSERT_EQ(run("whole").status, 0);
  std::vector<json> completed = log_of(root_ / "whole");
  EXPECT_EQ(completed.front(), earlier);
  completed.erase(completed.begin());
  EXPECT_EQ(completed, want);
}

TEST_F(Runs, AProfileIsATablePerStageAndAFile) {
  ASSERT_EQ(run("plain", {"--quiet", "--precision", "f32"}).status, 0);
  const Outcome o = run("profiled", {"--profile", "--precision", "f32"});
  ASSERT_EQ(o.status, 0) << o.err;
  const json profile = json::parse(text_of(root_ / "profiled" / "profile.json"));
  EXPECT_EQ(profile.size(), 5u);
  for (const auto& [stage, of_stage] : profile.items()) {
    EXPECT_NE(o.err.find("\n" + stage + ": profile of "), std::string::npos) << stage;
    EXPECT_EQ(of_stage.at("device"), "CPU, 1 thread, f32");
    for (const char* ceiling : {"bytes", "f32"}) EXPECT_GT(of_stage.at("ceilings").at(ceiling).get<double>(), 0);
  }
  EXPECT_EQ(profile.at("pretext").at("sections")[0].at("name"), "training step");
  EXPECT_EQ(profile.at("pretext").at("sections")[0].at("listed").at("runs"), 20);
  EXPECT_EQ(text_of(root_ / "plain" / "probabilities.npy"), text_of(root_ / "profiled" / "probabilities.npy"));
  EXPECT_EQ(log_of(root_ / "plain"), log_of(root_ / "profiled"));
  EXPECT_FALSE(fs::exists(root_ / "plain" / "profile.json"));

  const Outcome again = kith(command("mine", "profiled", {"--profile", "--quiet"}));  // a stage by itself
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(again.err, "");
  EXPECT_EQ(json::parse(text_of(root_ / "profiled" / "profile.json")).size(), 5u);
  EXPECT_EQ(kith({"mine", "--features", "F.npy", "--out", "I.npy", "--profile"}).status, 2);
}

// A pretext in bf16 that is killed, and continued on another number of threads, ends in the same bits.
TEST_F(Runs, Bf16OnTheCpuResumesToTheBit) {
  const Outcome whole = run("whole", {"--device", "cpu", "--precision", "bf16"});
  if (whole.err.find("AVX512_BF16") != std::string::npos) GTEST_SKIP() << "this processor does not multiply bf16";
  ASSERT_EQ(whole.status, 0) << whole.err;
  EXPECT_TRUE(whole.err.starts_with("CPU, 1 thread, bf16\n")) << whole.err;
  kith(command("run", "cut", {"--device", "cpu", "--precision", "bf16", "--set", "checkpoint_seconds=0.01"}),
       {.signal = 9, .after_ms = 300});
  std::vector<std::string> again = command("run", "cut", {"--device", "cpu", "--precision", "bf16"});
  *std::next(std::ranges::find(again, "--threads")) = "2";
  ASSERT_EQ(kith(again).status, 0);
  for (const char* file : {"pretext.safetensors", "features_train.npy", "cluster.safetensors", "selflabel.safetensors",
                           "probabilities.npy", "confusion.csv"})
    EXPECT_EQ(text_of(root_ / "whole" / file), text_of(root_ / "cut" / file)) << file;
}

// The directory records the precision it was begun in; another one is taken only by name, and not in silence.
TEST_F(Runs, KeepThePrecisionTheyWereBegunIn) {
  const Outcome first = kith(command("pretext", "a", {"--device", "cpu", "--precision", "f32"}));
  ASSERT_EQ(first.status, 0) << first.err;
  EXPECT_TRUE(first.err.starts_with("CPU, 1 thread, f32\n")) << first.err;
  const fs::path config = root_ / "a" / "config.toml";
  std::string text = text_of(config);
  ASSERT_NE(text.find("precision = \"f32\""), std::string::npos);
  text.replace(text.find("precision = \"f32\""), 17, "precision = \"bf16\"");  // as if a GPU had begun it
  std::ofstream(config, std::ios::binary) << text;
  // As on a processor that does not multiply bf16.
  const Outcome refused =
      kith(command("mine", "a", {"--device", "cpu"}), {}, nullptr, {{"DNNL_MAX_CPU_ISA", "AVX512_CORE"}});
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("--precision f32 runs here, and continues a run"), std::string::npos) << refused.err;
  const Outcome taken = kith(command("mine", "a", {"--device", "cpu", "--precision", "f32", "--quiet"}));
  EXPECT_EQ(taken.status, 0) << taken.err;
  EXPECT_NE(taken.err.find("kith: warning: precision was \"bf16\", now \"f32\": "), std::string::npos) << taken.err;
  EXPECT_NE(text_of(config).find("precision = \"f32\""), std::string::npos);
}

TEST_F(Runs, AnotherConfigurationIsRefused) {
  ASSERT_EQ(kith(command("pretext", "a")).status, 0);
  const Outcome o = run("a", {"--set", "pretext.tau=0.5"});
  EXPECT_EQ(o.status, 1);
  EXPECT_NE(o.err.find("(pretext.tau was 0.2, now 0.5)"), std::string::npos) << o.err;
}

TEST_F(Runs, FeaturesOfOtherImagesAreRefused) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  fs::copy_file(root_ / "a" / "features_test.npy", root_ / "a" / "features_train.npy",
                fs::copy_options::overwrite_existing);
  const std::pair<const char*, const char*> lines[] = {
      {"mine", "features_train.npy: 200 rows of features expected, one per train image; found shape"},
      {"evaluate", "neighbours_train.npy: features_train.npy has changed; run the mine stage first"}};
  for (const auto& [stage, line] : lines) {
    const Outcome o = kith(command(stage, "a", {"--quiet"}));
    EXPECT_EQ(o.status, 1) << stage;
    EXPECT_NE(o.err.find(line), std::string::npos) << o.err;
  }
}

TEST_F(Runs, WhatCannotStartSaysWhy) {
  const auto error = [](const std::vector<std::string>& arguments) {
    const Outcome o = kith(arguments);
    EXPECT_EQ(o.status, 1);
    return o.err;
  };
  EXPECT_EQ(error({"run", "--out", (root_ / "a").string()}), "kith: error: no data set: --data NAME:DIR\n");
  EXPECT_FALSE(fs::exists(root_ / "a"));
  std::ofstream(root_ / "file") << "x";
  EXPECT_EQ(error({"run", "--out", (root_ / "file").string(), "--data", "fashion-mnist:" + (root_ / "data").string()}),
            "kith: error: " + (root_ / "file").string() + ": is a file, expected a folder\n");
  EXPECT_EQ(kith({"run", "--out", "x", "--device", "gpu"}).status, 2);
  const std::string data = "fashion-mnist:" + (root_ / "data").string(), begun = (root_ / "b").string();
  const std::string below = (root_ / "file" / "x").string(), fresh = (root_ / "c").string();
  EXPECT_EQ(error({"run", "--out", below, "--data", data}),
            "kith: error: " + below + ": cannot create: Not a directory\n");
  EXPECT_NE(error({"evaluate", "--out", fresh, "--data", data, "--quiet"})
                .find("pretext.safetensors: missing; run the pretext stage first\n"),
            std::string::npos);
  EXPECT_EQ(
      error({"run", "--out", begun, "--data", data, "--device", "cuda:9999"}).find("kith: error: --device cuda:9999: "),
      0u);
  EXPECT_EQ(error({"run", "--out", begun, "--data", data, "--device", "cuda:9999", "--dry-run"})
                .find("kith: error: --device cuda:9999: "),
            0u);
  EXPECT_EQ(error({"run", "--out", begun, "--data", "fashion-mnist:/nowhere", "--device", "cpu"}).find("kith: error: "),
            0u);
  EXPECT_FALSE(fs::exists(begun)) << "a command that could not start began the directory";
  fs::create_directory(fresh);
  std::ofstream(fs::path(fresh) / "metrics.jsonl") << "";
  EXPECT_NE(error({"run", "--out", fresh}).find("ended before it had saved anything"), std::string::npos);
  std::ofstream(fs::path(fresh) / "config.toml") << "";
  EXPECT_NE(error({"run", "--out", fresh}).find("config.toml: has no data.spec, as every run writes it; restore"),
            std::string::npos);
}

}  // namespace
}  // namespace kith::test
