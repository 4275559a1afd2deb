// How the program's threads wait, and that results do not depend on how many there are.
#include "nn/device/threads.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/apps/program.h"
#include "tests/apps/tiny_data.h"

namespace kith::test {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class ProgramThreads : public testing::Test {
 protected:
  void SetUp() override {
    root_ = testing::TempDir() + "kith_threads_" + testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }
  fs::path root_;
};

// What libgomp itself says that it took, the last time that it started, and what kith says.
void expect_spins(const Environment& variables, const std::string& in_force, const nlohmann::json& said) {
  Environment all = {{"OMP_WAIT_POLICY", ""}, {"GOMP_SPINCOUNT", ""}, {"OMP_DISPLAY_ENV", "verbose"}};
  for (const auto& [name, value] : variables)
    for (auto& change : all)
      if (change.first == name) change.second = value;
  const Outcome o = kith({"info", "--json"}, {}, nullptr, all);
  ASSERT_EQ(o.status, 0) << o.err;
  const std::string name = "GOMP_SPINCOUNT = '";
  const size_t last = o.err.rfind(name);
  ASSERT_NE(last, std::string::npos) << o.err;
  const size_t at = last + name.size();
  EXPECT_EQ(o.err.substr(at, o.err.find('\'', at) - at), in_force);
  EXPECT_EQ(nlohmann::json::parse(o.out).at("wait"), said);
}

TEST_F(ProgramThreads, SpinForABoundedTimeUnlessTheUserSaysOtherwise) {
  expect_spins({}, kSpinCount, {{"policy", ""}, {"spins", kSpinCount}, {"chosen", false}});
  expect_spins({{"GOMP_SPINCOUNT", "77"}}, "77", {{"policy", ""}, {"spins", "77"}, {"chosen", true}});
  expect_spins({{"OMP_WAIT_POLICY", "passive"}}, "0", {{"policy", "passive"}, {"spins", ""}, {"chosen", true}});
  expect_spins({{"OMP_WAIT_POLICY", "active"}, {"GOMP_SPINCOUNT", "9"}}, "9",
               {{"policy", "active"}, {"spins", "9"}, {"chosen", true}});
}

TEST_F(ProgramThreads, LeaveNothingInTheEnvironmentOfOtherPrograms) {
  const fs::path programs = root_ / "programs", seen = root_ / "seen";
  fs::create_directories(programs);
  for (const char* name : {"curl", "npm", "apt-get"}) {
    std::ofstream(programs / name) << "#!/bin/sh\n/usr/bin/env >> '" << seen.string() << "'\nexit 1\n";
    fs::permissions(programs / name, fs::perms::owner_all);
  }
  // Fashion-MNIST may be there as a package of Debian.
  const Outcome o = kith({"data", "fetch", "cifar10", "--root", (root_ / "data").string()}, {}, nullptr,
                         {{"OMP_WAIT_POLICY", ""}, {"GOMP_SPINCOUNT", ""}, {"PATH", programs.string()}});
  EXPECT_EQ(o.status, 1);
  const std::string variables = text_of(seen);
  EXPECT_NE(variables.find("PATH="), std::string::npos) << o.err;
  EXPECT_EQ(variables.find("GOMP_SPINCOUNT"), std::string::npos) << variables;
  EXPECT_EQ(variables.find("KITH_STARTED_AGAIN"), std::string::npos) << variables;
}

TEST_F(ProgramThreads, ChangeNoBitOfARun) {
  write_tiny_fashion_mnist(root_ / "data", 200, 60, 8);
  const auto run = [&](const std::string& threads) {
    std::vector<std::string> words = {"run",       "--quiet",
                                      "--device",  "cpu",
                                      "--threads", threads,
                                      "--out",     (root_ / threads).string(),
                                      "--data",    "fashion-mnist:" + (root_ / "data").string()};
    for (const char* field : {"data.size=0", "model.width=4", "model.projection=16", "pretext.epochs=2",
                              "pretext.batch=50", "mine.k=5", "cluster.epochs=2", "cluster.batch=50", "cluster.heads=3",
                              "selflabel.epochs=1", "selflabel.batch=40", "evaluate.kmeans_restarts=2"})
      words.insert(words.end(), {"--set", field});
    const Outcome o = kith(words, {}, nullptr, {{"OMP_WAIT_POLICY", "passive"}});
    EXPECT_EQ(o.status, 0) << o.err;
  };
  run("1");
  for (const char* threads : {"2", "3", "4"}) {
    run(threads);
    for (const char* file : {"pretext.safetensors", "features_train.npy", "neighbours_train.npy", "cluster.safetensors",
                             "selflabel.safetensors", "assignments.npy", "probabilities.npy"}) {
      const std::string one = text_of(root_ / "1" / file);
      EXPECT_FALSE(one.empty()) << file;
      EXPECT_TRUE(text_of(root_ / threads / file) == one) << file << " of " << threads << " threads";
    }
  }
}

}  // namespace
}  // namespace kith::test
