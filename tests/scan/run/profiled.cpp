// Stages with a profiler: what the tables say, what is written, and that nothing else changes.
#include "scan/run/profiled.h"

#include <gtest/gtest.h>

#include <map>

#include "scan/preflight/work_estimate.h"
#include "tests/scan/stages/stages_support.h"

namespace kith::test {
namespace {

using nlohmann::json;

constexpr Ceilings kCeilings{.bytes = 20e9, .f32 = 200e9, .bf16 = 0};
constexpr int kListed = 2;

std::vector<SectionProfile> example() {
  const OpProfile convolution{
      .name = "conv2d", .calls = 40, .seconds = 0.3, .cost = {.flops = 45e9, .bytes = 3e9}, .bound_seconds = 0.24};
  const OpProfile loss{.name = "ntxent backward", .calls = 2, .seconds = 0.09, .cost = {}, .bound_seconds = 0};
  const OpProfile tiny{.name = "mean", .calls = 2, .seconds = 0.0002, .cost = {}, .bound_seconds = 0};
  const OpProfile search{.name = "topk", .calls = 1, .seconds = 0.5, .cost = {}, .bound_seconds = 0};
  return {{.name = "training step",
           .warm_up = {3, 1.0},
           .listed = {2, 0.4},
           .later = {10, 1.9},
           .ops = {tiny, loss, convolution}},
          {.name = "inference batch", .warm_up = {2, 0.1}, .listed = {}, .later = {}, .ops = {}},
          {.name = "pretext", .warm_up = {}, .listed = {1, 0.6}, .later = {}, .ops = {search}}};
}

TEST(profiled, tables_for_people) {
  EXPECT_EQ(profile_text("pretext", kCeilings, example()),
            R"(pretext: profile of 4 s. Ceilings: 20.0 GB/s copied, 200 GFLOP/s f32 multiplied

    part             runs  seconds  share %
    ---------------------------------------
    training step      15     3.30     82.5
    inference batch     2    0.100      2.5
    the rest            1    0.600     15.0

  training step: 2 runs listed, 200 ms each; 10 later ones, 190 ms each. Per run

    operation        calls     ms  share %  GB/s  GFLOP/s  of ceiling %
    -------------------------------------------------------------------
    conv2d              20    150     75.0  10.0      150            80
    ntxent backward      1   45.0     22.5     -        -             -
    smaller ones         1  0.100      0.1     -        -             -
    between them             4.90      2.5     -        -             -

  inference batch: 2 runs, all of them warm-up, none listed

  the rest

    operation     calls   ms  share %  GB/s  GFLOP/s  of ceiling %
    --------------------------------------------------------------
    topk              1  500     83.3     -        -             -
    between them         100     16.7     -        -             -
)");
}

TEST(profiled, the_same_for_programs) {
  const json j = profile_json(kCeilings, example());
  EXPECT_EQ(j["ceilings"], (json{{"bytes", 20e9}, {"f32", 200e9}}));
  ASSERT_EQ(j["sections"].size(), 3u);
  const json& step = j["sections"][0];
  EXPECT_EQ(step["later"], (json{{"runs", 10}, {"seconds", 1.9}}));
  EXPECT_EQ(step["operations"][2], (json{{"name", "conv2d"},
                                         {"calls", 40},
                                         {"seconds", 0.3},
                                         {"bytes", 3e9},
                                         {"flops", 45e9},
                                         {"bound_seconds", 0.24}}));
}

json profile_of(const Folder& folder) { return json::parse(bytes_of(folder.path() / "profile.json")); }

const json& named(const json& list, const std::string& name) {
  for (const json& item : list)
    if (item.at("name") == name) return item;
  throw Error("no " + name + " in " + list.dump());
}

class ProfiledRun : public testing::Test {
 protected:
  static RunConfig config() {
    RunConfig c = tiny_config();
    c.selflabel.ema = 0.9f;
    return c;
  }
  static void run_in(const Folder& folder, Recorder& report, bool profile) {
    Context ctx({.threads = 1});
    if (profile) ctx.profile(kCeilings, kListed);
    const data::Dataset data = striped_data();
    const RunConfig c = config();
    Session session{ctx, c, data, folder.path(), report};
    run(session);
  }
};

TEST_F(ProfiledRun, ComputesWhatARunComputes) {
  const Folder plain("plain"), profiled("profiled");
  Recorder a, b;
  run_in(plain, a, false);
  run_in(profiled, b, true);
  for (const char* file : {"pretext.safetensors", "features_train.npy", "neighbours_train.npy", "cluster.safetensors",
                           "selflabel.safetensors", "probabilities.npy"})
    EXPECT_TRUE(bytes_of(plain.path() / file) == bytes_of(profiled.path() / file)) << file;
  ASSERT_EQ(a.lines.size(), b.lines.size());
  for (size_t i = 0; i < a.lines.size(); ++i) {
    for (const char* clock : {"seconds", "images_per_second"}) a.lines[i].erase(clock), b.lines[i].erase(clock);
    EXPECT_EQ(a.lines[i], b.lines[i]);
  }
  EXPECT_FALSE(std::filesystem::exists(plain.path() / "profile.json"));
}

TEST_F(ProfiledRun, ListsWhatTheStagesDo) {
  const Folder folder("lists");
  Recorder report;
  run_in(folder, report, true);
  const json all = profile_of(folder);
  const RunConfig c = config();
  const auto operations = [&](const char* stage, const char* section) {
    std::map<std::string, int64_t> calls;
    const json s = named(all.at(stage).at("sections"), section);
    double seconds = 0;
    for (const json& op : s.at("operations")) {
      calls[op.at("name")] = op.at("calls");
      seconds += op.at("seconds").get<double>();
    }
    EXPECT_LE(seconds, s.at("listed").at("seconds").get<double>() * (1 + 1e-9)) << stage << ", " << section;
    return calls;
  };
  EXPECT_EQ(all.size(), 5u);

  // 70 images in batches of 16: 4 steps an epoch.
  const json step = named(all.at("pretext").at("sections"), "training step");
  EXPECT_EQ(step.at("warm_up").at("runs"), 3);
  EXPECT_EQ(step.at("listed").at("runs"), kListed);
  EXPECT_EQ(step.at("later").at("runs"), 3 * 4 - 3 - kListed);
  const auto pretext = operations("pretext", "training step");
  EXPECT_EQ(pretext.at("augment"), kListed);
  EXPECT_EQ(pretext.at("conv2d"), 20 * kListed);
  EXPECT_EQ(pretext.at("conv2d data"), 19 * kListed);
  EXPECT_EQ(pretext.at("adam_step"), kListed);
  EXPECT_EQ(pretext.at("grad_norm"), kListed);
  EXPECT_EQ(pretext.at("terms"), kListed);
  const double flops = backbone_flops(c.model, 9, 8, 1);  // counted elsewhere, another way
  EXPECT_DOUBLE_EQ(named(step.at("operations"), "conv2d").at("flops").get<double>(), flops * 2 * 16 * kListed);

  EXPECT_EQ(operations("pretext", "inference batch").at("conv2d"), 2 * 20);  // one batch of each split
  EXPECT_EQ(operations("mine", "mine").at("topk"), 2);
  const auto cluster = operations("cluster", "training step");
  EXPECT_EQ(cluster.at("conv2d"), 2 * 20 * kListed);  // anchors and neighbours
  EXPECT_EQ(cluster.at("linear_heads"), 2 * kListed);
  EXPECT_EQ(cluster.at("scan_loss backward"), kListed);
  EXPECT_EQ(operations("cluster", "cluster").at("scan_loss"), c.cluster.train.epochs * c.mine.k_test);  // validation
  const auto selflabel = operations("selflabel", "training step");
  EXPECT_EQ(selflabel.at("conv2d"),
            (c.selflabel.share > 0 ? 1 : 2) * 20 * kListed);  // targets by share are of the epoch
  EXPECT_EQ(selflabel.at("conv2d weights"), 20 * kListed);    // of the strong view alone
  EXPECT_EQ(selflabel.at("ema_step"), kListed);
  EXPECT_EQ(operations("evaluate", "evaluate").at("kmeans"), 2);

  int tables = 0;
  for (const std::string& note : report.notes) tables += note.find(": profile of ") != std::string::npos ? 1 : 0;
  EXPECT_EQ(tables, 5);
}

TEST_F(ProfiledRun, AnInterruptedStageTellsWhatItHas) {
  const Folder folder("interrupted");
  Recorder report;
  report.stop_after = 5;
  EXPECT_THROW(run_in(folder, report, true), Interrupted);
  const json all = profile_of(folder);
  EXPECT_EQ(named(all.at("pretext").at("sections"), "training step").at("listed").at("runs"), kListed);
  EXPECT_TRUE(report.notes.back().starts_with("pretext: profile of ")) << report.notes.back();
}

}  // namespace
}  // namespace kith::test
