// A launcher that is stopped before its ranks listen: a shell stands for mpirun, its children for ranks.
#include "apps/launcher.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

namespace kith::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr milliseconds kShort(50), kForever(std::chrono::hours(1));

class Launcher : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "kith_launcher_" + testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path pids() const { return folder_ / "pids"; }

  // A shell that notes its own number and that of a child, and waits for it.
  std::vector<std::string> shell(const std::string& first, const std::string& last = "wait") const {
    return {"/bin/sh", "-c",
            fmt::format("{0}; (trap '' TERM HUP USR1; exec sleep 20) & echo $$ $! > {1}.new; mv {1}.new {1}; {2}",
                        first, pids().string(), last)};
  }
  // This process, which is its own for the test, gets a signal once the shell's child is there; then says how all ended.
  [[noreturn]] void stop_and_say(const std::vector<std::string>& words, LauncherPatience patience,
                                 bool listening) const {
    std::thread stop([this, listening] {
      while (!fs::exists(pids())) std::this_thread::sleep_for(milliseconds(5));
      if (listening) say_ranks_listen();
      ::kill(::getpid(), SIGTERM);
    });
    const LauncherEnd end = run_launcher(words, patience);
    stop.join();
    fmt::print(stderr, "status {}, given up {}, {} left", end.status, end.given_up, left());
    std::_Exit(0);
  }
  int left() const {
    std::ifstream file(pids());
    int alive = 0;
    for (pid_t process = 0; file >> process;) alive += ::kill(process, 0) == 0 ? 1 : 0;
    return alive;
  }
  fs::path folder_;
};
using LauncherDeathTest = Launcher;

TEST_F(LauncherDeathTest, IsGivenUpBeforeRanksListenAndLeavesNothing) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  // Ranks do not listen. A launcher that ends at SIGTERM and leaves a child that does not; one that ends at nothing but SIGKILL.
  EXPECT_EXIT(stop_and_say(shell("true"), {.listen = kShort, .end = kForever}, false), testing::ExitedWithCode(0),
              "^status 143, given up true, 0 left$");
  fs::remove(pids());
  EXPECT_EXIT(stop_and_say(shell("trap '' TERM"), {.listen = kShort, .end = kShort}, false), testing::ExitedWithCode(0),
              "^status 143, given up true, 0 left$");
}

// Ranks that begin to listen while they are given up: it is said once that they stopped, by them or by the launcher's parent.
TEST_F(LauncherDeathTest, IsGivenUpAsRanksBeginToListen) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto late = [&](bool rank_says) {
    const fs::path asked = folder_ / "asked", spoken = folder_ / "spoken";
    std::thread rank([=] {
      while (!fs::exists(asked)) std::this_thread::sleep_for(milliseconds(5));
      say_ranks_listen();
      if (rank_says) say_ranks_stopped();
      std::ofstream(spoken).put('\n');
    });
    rank.detach();
    const std::string on_term = fmt::format("trap 'touch {}; while [ ! -e {} ]; do sleep 0.01; done; exit 143' TERM",
                                            asked.string(), spoken.string());
    stop_and_say(shell(on_term), {.listen = kShort, .end = kForever}, false);
  };
  EXPECT_EXIT(late(false), testing::ExitedWithCode(0), "status 143, given up true, 0 left$");
  for (const char* name : {"pids", "asked", "spoken"}) fs::remove(folder_ / name);
  EXPECT_EXIT(late(true), testing::ExitedWithCode(0), "status 143, given up false, 0 left$");
}

TEST_F(LauncherDeathTest, PassesASignalOnOnceRanksListen) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(stop_and_say(shell("trap '' TERM; trap 'exit 138' USR1"), {.listen = kForever, .end = kForever}, true),
              testing::ExitedWithCode(0), "status 143, given up false, 0 left$");
  fs::remove(pids());  // Ranks that were done before they could stop.
  EXPECT_EXIT(stop_and_say(shell("trap '' TERM; trap 'exit 0' USR1"), {.listen = kForever, .end = kForever}, true),
              testing::ExitedWithCode(0), "status 0, given up false, 0 left$");
}

// Ranks that are about to save, and take their time: a second signal ends them, and nothing of them is left when that is said.
// The launcher has time to put its own files away; one that does not end is killed.
TEST_F(LauncherDeathTest, ASecondSignalEndsRanksAtOnce) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const fs::path tidy = folder_ / "tidy", asked = folder_ / "asked";
  const auto twice = [&](const std::string& on_term, LauncherPatience patience) {
    std::thread again([&] {
      while (!fs::exists(asked)) std::this_thread::sleep_for(milliseconds(5));
      ::kill(::getpid(), SIGINT);
    });
    again.detach();
    stop_and_say(
        shell(fmt::format("trap 'touch {}' USR1; trap '{}' TERM", asked.string(), on_term), "while :; do wait; done"),
        patience, true);
  };
  EXPECT_EXIT(
      twice(fmt::format("touch {}; exit 1", tidy.string()), {.listen = kForever, .end = kForever, .tidy = kForever}),
      testing::ExitedWithCode(0), "status 143, given up false, 0 left$");
  EXPECT_TRUE(fs::exists(tidy));
  for (const fs::path& file : {pids(), asked}) fs::remove(file);
  EXPECT_EXIT(twice("", {.listen = kForever, .end = kForever, .tidy = kShort}), testing::ExitedWithCode(0),
              "status 143, given up false, 0 left$");
}

}  // namespace
}  // namespace kith::test
