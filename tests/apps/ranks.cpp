// Runs by several processes, started by --ranks: results, stopping, what a rank that dies leaves, refusals.
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <thread>

#include "apps/launch.h"
#include "kernels/core/check.h"
#include "nn/device/device_select.h"
#include "nn/device/ranks/mpi_ranks.h"
#include "nn/device/threads.h"
#include "tests/apps/run_fixture.h"

namespace kith::test {
namespace {

// Under the sanitizers, too: what the modules of Open MPI leak lies in libraries that are unloaded by the end.
const Environment kBusyMachine = {{"OMP_WAIT_POLICY", "passive"}, {"ASAN_OPTIONS", "detect_leaks=0"}};
const std::vector<std::string> kOften = {"--set", "checkpoint_seconds=0"};

class RanksRuns : public Runs {
 protected:
  void SetUp() override {
    if (mpi_version().empty()) GTEST_SKIP() << "no MPI in this build (KITH_MPI)";
    Runs::SetUp();
  }
  // With refinement, whose batches 2 ranks do not divide.
  const std::vector<std::string> refined_ = {"--set", "refine.enabled=true", "--set", "refine.epochs=2",
                                             "--set", "refine.batch=41",     "--set", "refine.labelled=9"};
  Outcome ranks(int count, const fs::path& out, std::vector<std::string> more = {}, Interruption interruption = {}) {
    more.insert(more.end(), {"--ranks", std::to_string(count)});
    return kith(command("run", out, more), std::move(interruption), nullptr, kBusyMachine);
  }
  // Until there is a checkpoint, which a run with --set checkpoint_seconds=0 writes after every step.
  Interruption once_saved(
      int signal, const fs::path& out, std::function<void()> before = [] {}) const {
    return {.signal = signal, .after_ms = 0, .ready = [this, out, before] {
              const bool there = fs::exists(root_ / out / "checkpoint_pretext.safetensors");
              if (there) before();
              return there;
            }};
  }
  void expect_same(const fs::path& a, const fs::path& b) const {
    for (const char* file : {"pretext.safetensors", "features_test.npy", "neighbours_train.npy", "cluster.safetensors",
                             "selflabel.safetensors", "refine.safetensors", "probabilities.npy", "confusion.csv"})
      EXPECT_TRUE(text_of(root_ / a / file) == text_of(root_ / b / file)) << file << " differs";
  }
};

int64_t lines_with(const std::string& text, const std::string& part) {
  int64_t count = 0;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) count += line.find(part) != std::string::npos ? 1 : 0;
  return count;
}

TEST_F(RanksRuns, GiveTheSameBitsAgainAndAfterAStop) {
  const Outcome whole = ranks(2, "a", refined_);
  ASSERT_EQ(whole.status, 0) << whole.err;
  EXPECT_EQ(lines_with(whole.out, "SCAN + self-labelling + refinement"), 1) << whole.out;  // said by one
  EXPECT_EQ(lines_with(whole.err, "refine: epoch 2/2"), 1) << whole.err;
  EXPECT_EQ(lines_with(whole.err, "pretext: epoch 1/3"), 1) << whole.err;
  EXPECT_EQ(lines_with(whole.err, "; 2 ranks, " + mpi_version()), 1) << whole.err;
  std::vector<std::string> often = refined_;
  often.insert(often.end(), kOften.begin(), kOften.end());
  const Outcome stopped = ranks(2, "b", often, once_saved(SIGINT, "b"));
  EXPECT_EQ(stopped.status, 130) << stopped.err;
  EXPECT_EQ(lines_with(stopped.err, "kith: stopping: saves first"), 1) << stopped.err;
  // No empty line before ours, where there is no terminal; Open MPI 5 ends with some of its own.
  EXPECT_EQ(stopped.err.find("\n\nkith: "), std::string::npos) << stopped.err;
  EXPECT_EQ(lines_with(stopped.err, "kith: stopped; the same command continues"), 1) << stopped.err;
  const Outcome rest = ranks(2, "b");
  ASSERT_EQ(rest.status, 0) << rest.err;
  EXPECT_EQ(lines_with(rest.err, "pretext: continues in epoch"), 1) << rest.err;
  expect_same("a", "b");
}

TEST_F(RanksRuns, RowsOfAnArrayAreMinedTogether) {
  ASSERT_EQ(run("a").status, 0);
  const std::string features = (root_ / "a" / "features_train.npy").string();
  const auto mined = [&](const std::string& out, const std::vector<std::string>& more, const std::string& k = "5") {
    std::vector<std::string> words = {"mine", "--features", features, "--k", k, "--out", (root_ / out).string()};
    words.insert(words.end(), more.begin(), more.end());
    return kith(words, {}, nullptr, kBusyMachine);
  };
  ASSERT_EQ(mined("one.npy", {"--threads", "1"}).status, 0);
  const Outcome two = mined("two.npy", {"--ranks", "2"});
  ASSERT_EQ(two.status, 0) << two.err;
  EXPECT_EQ(lines_with(two.out, "5 neighbours of each of 200 rows: "), 1) << two.out;
  EXPECT_EQ(lines_with(two.err, "; 2 ranks, " + mpi_version()), 1) << two.err;
  EXPECT_TRUE(text_of(root_ / "two.npy") == text_of(root_ / "one.npy"));
  const Outcome wrong = mined("three.npy", {"--ranks", "2"}, "200");
  EXPECT_EQ(wrong.status, 1);
  // Open MPI 5 has lines of its own around it.
  EXPECT_EQ(lines_with(wrong.err, "kith: error: "), 1) << wrong.err;
  EXPECT_EQ(lines_with(wrong.err, "kith: error: " + features + ": k is 200; expected 1..199 for 200 rows"), 1)
      << wrong.err;
  EXPECT_FALSE(fs::exists(root_ / "three.npy"));
  const Outcome device = mined("three.npy", {"--ranks", "2", "--device", "cuda"});
  EXPECT_EQ(device.status, 1);
  EXPECT_EQ(lines_with(device.err, "kith: error: --device cuda"), 1) << device.err;
}

// The process with that rank of the run in `out`; 0: none.
pid_t process_of_rank(int rank, const fs::path& out) {
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string variables = text_of(entry.path() / "environ"), words = text_of(entry.path() / "cmdline");
    if (words.find(out.string() + '\0') == std::string::npos) continue;
    if (variables.find(fmt::format("OMPI_COMM_WORLD_RANK={}", rank) + '\0') == std::string::npos) continue;
    return std::stoi(name);
  }
  return 0;
}

TEST_F(RanksRuns, ARankThatIsKilledLeavesTheLastCheckpoint) {
  ASSERT_EQ(ranks(2, "a").status, 0);
  for (const int rank : {0, 1}) {
    const fs::path out = fmt::format("b{}", rank);
    const Outcome killed = ranks(2, out, kOften, once_saved(SIGCONT, out, [&] {
                                   if (const pid_t process = process_of_rank(rank, root_ / out); process > 0)
                                     ::kill(process, SIGKILL);
                                 }));
    EXPECT_EQ(killed.status, 1) << killed.err;
    EXPECT_NE(killed.err.find("kith: error: a rank was ended by signal 9 "), std::string::npos) << killed.err;
    EXPECT_EQ(lines_with(killed.err, "kith: stopping"), 0) << killed.err;  // nobody can save now
    ASSERT_FALSE(fs::exists(root_ / out / "summary.json"));
    const Outcome rest = ranks(2, out);
    ASSERT_EQ(rest.status, 0) << rest.err;
    EXPECT_EQ(lines_with(rest.err, "pretext: continues in epoch"), 1) << rest.err;
    expect_same("a", out);
  }
}

// Processes that have the run's folder among their words: the program, its launcher, ranks.
int processes_of(const fs::path& out) {
  int count = 0;
  for (const auto& entry : fs::directory_iterator("/proc"))
    count += text_of(entry.path() / "cmdline").find(out.string() + '\0') != std::string::npos ? 1 : 0;
  return count;
}

// Whatever they have come to: ranks save and stop once they can, or the start is given up.
TEST_F(RanksRuns, AStopWhileTheyStartIsHeard) {
  for (const int after_ms : {0, 60, 150, 300, 600}) {
    const std::string out = fmt::format("a{}", after_ms);
    const auto launched = [&] { return processes_of(root_ / out) > 1; };
    const Outcome o =
        ranks(2, out, {"--set", "pretext.epochs=100000"}, {.signal = SIGINT, .after_ms = after_ms, .ready = launched});
    EXPECT_EQ(o.status, 130) << o.err;
    EXPECT_EQ(lines_with(o.err, "kith: stopped"), 1) << after_ms << " ms: " << o.err;
    EXPECT_EQ(lines_with(o.err, "kith: error"), 0) << o.err;
    EXPECT_EQ(processes_of(root_ / out), 0) << after_ms << " ms";
  }
}

TEST_F(RanksRuns, WhatCannotBeSharedIsRefusedInOneLine) {
  const auto refused = [&](int count, std::vector<std::string> more, const std::string& line, int status = 1) {
    const Outcome o = ranks(count, "refused", std::move(more));
    EXPECT_EQ(o.status, status);
    EXPECT_EQ(lines_with(o.err, "kith: error: "), 1) << o.err;
    EXPECT_NE(o.err.find("kith: error: " + line), std::string::npos) << o.err;
    EXPECT_FALSE(fs::exists(root_ / "refused"));
  };
  refused(2, {"--set", "pretext.task=moco"},
          "pretext.moco.shards: each of 2 ranks has some; expected a multiple of 2, or --sync-bn and 1; found 1\n");
  refused(3, {"--set", "pretext.batch=5"},
          "pretext.batch: 5 images leave one of 3 ranks with fewer than 2; expected at least 6\n");
  const int processors = available_processors(), most = most_ranks(processors);
  refused(most + 1, {},
          fmt::format("--ranks {}: {} processors may be used here; expected at most {} ranks (on more machines: mpirun "
                      "--hostfile)\n",
                      most + 1, processors, most));
  refused(2, {"--device", "cuda"}, "--device cuda");  // no card, or not two of them
  refused(2, {"--device", "cuda:1"}, "--device cuda:1: several ranks take a card each, rank 0 cuda:0; expected cuda\n");
  refused(2, {"--device", "cuda", "--sync-bn"},
          "--sync-bn: ranks on cards normalise shares of their own; expected --device cpu\n");
  refused(2, {"--device", "cuda", "--stream", "yes"},
          "--stream yes: ranks on cards keep the images there; expected auto or no\n");
  refused(2, {"--device", "cuda", "--set", "pretext.task=moco"},
          "pretext.task: several ranks train moco on CPUs; expected --device cpu\n");
  refused(2, {"--set", "data.spec=fashion-mnist:/nowhere"}, "--data and --set data.spec=", 2);
}

TEST_F(RanksRuns, NormaliseTheWholeBatchWhereTheyAreTold) {
  const Outcome o = ranks(2, "a", {"--sync-bn", "--set", "pretext.batch=3", "--set", "selflabel.enabled=false"});
  ASSERT_EQ(o.status, 0) << o.err;  // of 3 images a rank has one
  EXPECT_EQ(lines_with(o.err, "; 2 ranks, " + mpi_version() + "; batch norm of the whole batch"), 1) << o.err;
}

TEST_F(RanksRuns, ADryRunPredictsStepsAndMining) {
  const Outcome o = ranks(2, "a", {"--dry-run"});
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_EQ(lines_with(o.out, "ranks      " + mpi_version() + ", measured now: "), 1) << o.out;
  EXPECT_EQ(lines_with(o.out, "2 ranks  "), 1) << o.out;
  EXPECT_EQ(lines_with(o.out, "PREDICTION"), 7) << o.out;
  EXPECT_FALSE(fs::exists(root_ / "a"));
  const Outcome j = ranks(2, "a", {"--dry-run", "--json"});
  ASSERT_EQ(j.status, 0) << j.err;
  const json whole = json::parse(j.out).at("plan");
  // What all ranks do together, in the time that one of them takes for its share.
  EXPECT_NEAR(whole.at("flops_per_second").get<double>(),
              2 * whole.at("ranks").at("measured").at("flops_per_second").get<double>(), 1);
  const json plan = whole.at("ranks");
  EXPECT_EQ(plan.at("measured").at("ranks"), 2);
  EXPECT_EQ(plan.at("gpus_predicted_not_measured").size(), 7u);
  for (const char* stage : {"pretext", "cluster", "selflabel"})
    EXPECT_GT(plan.at("measured").at("steps").at(stage).at("compute").get<double>(), 0) << stage;
  EXPECT_GT(plan.at("measured").at("mining").at("talk").get<double>(), 0);
}

TEST_F(RanksRuns, AnErrorOfAllIsSaidOnce) {
  const Outcome o = ranks(3, "nan", {"--set", "pretext.schedule.lr=1e30"});
  EXPECT_NE(o.status, 0);
  EXPECT_EQ(lines_with(o.err, "kith: error: "), 1) << o.err;
  EXPECT_NE(o.err.find("kith: error: rank 0 of 3: pretext: "), std::string::npos) << o.err;
}

TEST_F(Runs, SigUsr1SavesAndStopsWithoutAWord) {
  const Outcome o = kith(command("run", "a", {"--set", "checkpoint_seconds=0"}),
                         {.signal = SIGUSR1, .after_ms = 0, .ready = [this] {
                            return fs::exists(root_ / "a" / "checkpoint_pretext.safetensors");
                          }});
  EXPECT_EQ(o.status, 128 + SIGUSR1) << o.err;
  EXPECT_EQ(o.err.find("kith: stopping"), std::string::npos) << o.err;
  EXPECT_TRUE(o.err.ends_with("kith: stopped; the same command continues\n")) << o.err;
  EXPECT_EQ(run("a").status, 0);
}

}  // namespace
}  // namespace kith::test
