// A run with a profiler on a CUDA device: the same numbers, every launch under the name of an operation, a row for each.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "nn/device/replay.h"
#include "scan/run/profiled.h"
#include "tests/scan/stages/cuda/support.h"

namespace kith::test {
namespace {

using nlohmann::json;

constexpr int64_t kSteps = 5;  // of each stage: two of warm-up, one listed, one captured, one replayed

class ProfileCuda : public OnCuda {
 protected:
  // What the run logs, the clock aside; and its ranges, which the runner alone records.
  static std::vector<json> run_in(const Folder& folder, bool profile, const std::filesystem::path& plans,
                                  [[maybe_unused]] std::vector<std::string>& ranges) {
    RunConfig config = tiny_config();
    for (TrainConfig* t : {&config.pretext.train, &config.cluster.train, &config.selflabel.train})
      t->batch = 4, t->epochs = 1;
    config.cluster.heads = 2;
    config.selflabel.ema = 0.9f;
    config.evaluate.kmeans_restarts = 1;
    const data::Dataset data = striped_data(3, 4 * kSteps, 8);
    Recorder report;
#ifdef KITH_SIMT
    simt::options().ranges = true;
#endif
    ContextOptions options = on_cuda(DType::bf16);
    options.math.plan_folder = plans;  // of both runs: a search by time may end elsewhere
    Context ctx(options);
    if (profile) ctx.profile({.bytes = 1e12, .f32 = 1e13, .bf16 = 1e14}, 1);
    Session session{ctx, config, data, folder.path(), report};
    run(session);
    for (json& line : report.lines)
      for (const char* clock : {"seconds", "images_per_second"}) line.erase(clock);
#ifdef KITH_SIMT
    ranges = std::exchange(simt::range_log(), {});
#endif
    return report.lines;
  }

  static void expect_steps(const json& profile) {
    for (const char* stage : {"pretext", "cluster", "selflabel"}) {
      const json& sections = profile.at(stage).at("sections");
      const auto step = std::ranges::find(sections, "training step", [](const json& s) { return s.at("name"); });
      ASSERT_NE(step, sections.end()) << stage;
      EXPECT_EQ(step->at("warm_up").at("runs"), Replay::kWarmUp + 1) << stage;
      EXPECT_EQ(step->at("listed").at("runs"), 1) << stage;
      EXPECT_EQ(step->at("later").at("runs"), kSteps - Replay::kWarmUp - 2) << stage;
      double seconds = 0;
      for (const json& op : step->at("operations")) {
        seconds += op.at("seconds").get<double>();
        EXPECT_GT(op.at("bytes").get<double>(), 0) << stage << ": " << op;
        EXPECT_GT(op.at("bound_seconds").get<double>(), 0) << stage << ": " << op;
      }
      // Sums of events' milliseconds, which are f32.
      EXPECT_LE(seconds, step->at("listed").at("seconds").get<double>() * (1 + 0x1p-20)) << stage;
    }
  }
};

#ifdef KITH_SIMT
std::vector<std::string> parts_of(const std::string& path) {
  std::vector<std::string> parts;
  for (size_t begin = 0, end = 0; begin <= path.size(); begin = end + 1) {
    end = std::min(path.find('/', begin), path.size());
    parts.push_back(path.substr(begin, end - begin));
  }
  return parts;
}

// The rows of each section, by "stage" or "stage/section", and how often each was called.
using Rows = std::map<std::string, std::map<std::string, int64_t>>;
Rows rows_of(const json& profile) {
  Rows rows;
  for (const auto& [stage, of_stage] : profile.items())
    for (const json& section : of_stage.at("sections")) {
      const std::string name = section.at("name");
      std::map<std::string, int64_t>& of_section = rows[name == stage ? stage : stage + "/" + name];
      for (const json& op : section.at("operations")) of_section[op.at("name")] = op.at("calls");
    }
  return rows;
}

// Every range is a stage, a section of it, "backward", an operation that is a row there, or a launch in an operation; or to_bf16.
// Counts how often operations were begun, by "stage/section|operation".
std::map<std::string, int64_t> begun_operations(const std::vector<std::string>& ranges, const Rows& rows) {
  std::map<std::string, int64_t> begun;
  int64_t launches = 0;
  for (const std::string& path : ranges) {
    const std::vector<std::string> parts = parts_of(path);
    std::string section = parts[0];
    size_t at = 1;
    if (parts.size() > at && rows.contains(section + "/" + parts[at])) section += "/" + parts[at++];
    EXPECT_TRUE(rows.contains(section)) << path;
    const bool backward = parts.size() > at && parts[at] == "backward";
    at += backward ? 1 : 0;
    if (parts.size() <= at || !rows.contains(section)) continue;
    if (parts[at] == "to_bf16") continue;  // copies of weights that were loaded or drawn: outside of any operation
    const std::map<std::string, int64_t>& known = rows.at(section);
    EXPECT_TRUE(backward ? known.contains(parts[at] + " backward") || known.contains(parts[at] + " weights")
                         : known.contains(parts[at]))
        << path;
    EXPECT_LE(parts.size(), at + 2) << path;
    if (parts.size() == at + 2) ++launches;
    if (parts.size() == at + 1 && !backward) ++begun[section + "|" + parts[at]];
  }
  EXPECT_GT(launches, 1000);
  return begun;
}
#endif

TEST_F(ProfileCuda, AProfiledRunIsTheSameRunAndNamesEveryLaunch) {
  const Folder plain("profile_plain"), profiled("profile_profiled"), plans("profile_plans");
  std::vector<std::string> ranges, ranges_of_plain;
  EXPECT_EQ(run_in(profiled, true, plans.path(), ranges), run_in(plain, false, plans.path(), ranges_of_plain));
  for (const char* file : {"pretext.safetensors", "cluster.safetensors", "selflabel.safetensors", "probabilities.npy"})
    EXPECT_TRUE(bytes_of(plain.path() / file) == bytes_of(profiled.path() / file)) << file;
  const json profile = json::parse(bytes_of(profiled.path() / "profile.json"));
  expect_steps(profile);
#ifdef KITH_SIMT
  const Rows rows = rows_of(profile);
  const auto with = begun_operations(ranges, rows), without = begun_operations(ranges_of_plain, rows);
  for (const char* stage : {"pretext", "cluster", "selflabel"}) {
    const std::string step = stage + std::string("/training step");
    // One step is listed; the others that are not replayed begin the same ranges, the captured one included. The copy of
    // the feed stands outside of the replayed work.
    for (const auto& [op, calls] : rows.at(step)) {
      if (op.ends_with(" backward") || op.ends_with(" weights") || op.ends_with(" data")) continue;
      const int64_t eager = op == "feed" ? kSteps : Replay::kWarmUp + 2;
      EXPECT_EQ(with.at(step + "|" + op), eager * calls) << step << ", " << op;
      EXPECT_EQ(without.at(step + "|" + op), (op == "feed" ? kSteps : Replay::kWarmUp + 1) * calls)
          << step << ", " << op;
    }
    for (const auto& [op, calls] : rows.at(stage))
      EXPECT_EQ(with.at(stage + std::string("|") + op), calls) << stage << ", " << op;
  }
#endif
}

TEST_F(ProfileCuda, CeilingsAreMeasuredInBothFormats) {
  Context ctx(on_cuda());
  const int64_t held = ctx.pool_bytes();
  const Ceilings c = measure_ceilings(ctx, {.copy_bytes = 1 << 16, .extent = 32});
  for (const double rate : {c.bytes, c.f32, c.bf16}) EXPECT_GT(rate, 0);
  EXPECT_EQ(ctx.pool_bytes(), held);
}

}  // namespace
}  // namespace kith::test
