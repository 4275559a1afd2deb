// How many processors a process may keep busy: control groups made of files, and the affinity mask.
#include "nn/device/threads.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <fstream>

namespace kith {
namespace {

namespace fs = std::filesystem;

class Processors : public testing::Test {
 protected:
  void SetUp() override {
    groups_ = testing::TempDir() + "kith_groups_" + testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(groups_);
  }
  void TearDown() override { fs::remove_all(groups_); }
  void write(const fs::path& file, const std::string& text) {
    fs::create_directories((groups_ / file).parent_path());
    std::ofstream(groups_ / file) << text << "\n";
  }
  double quota(const std::string& membership) { return quota_of_groups(groups_, membership); }
  fs::path groups_;
};

TEST_F(Processors, AreLimitedByTheGroupOfVersionTwoAndThoseAbove) {
  write("a/b/cpu.max", "150000 100000");
  EXPECT_EQ(quota("0::/a/b\n"), 1.5);
  EXPECT_EQ(quota("0::/a\n"), 0);
  write("a/b/cpu.max", "max 100000");
  EXPECT_EQ(quota("0::/a/b\n"), 0);
  write("a/cpu.max", "50000 100000");
  EXPECT_EQ(quota("0::/a/b\n"), 0.5);
}

TEST_F(Processors, AreLimitedByTheGroupOfVersionOne) {
  write("cpu,cpuacct/c/cpu.cfs_quota_us", "300000");
  write("cpu,cpuacct/c/cpu.cfs_period_us", "100000");
  const std::string membership = "5:memory:/m\n3:cpu,cpuacct:/c\n0::/\n";
  EXPECT_EQ(quota(membership), 3);
  EXPECT_EQ(quota("5:memory:/c\n"), 0);
  write("cpu,cpuacct/c/cpu.cfs_quota_us", "-1");
  EXPECT_EQ(quota(membership), 0);
}

TEST_F(Processors, OfAContainerAreThoseOfTheRootThatItSees) {
  write("cpu.max", "200000 100000");
  EXPECT_EQ(quota("0::/of/the/outside\n"), 2);
}

TEST_F(Processors, WithoutGroupsHaveNoQuota) {
  EXPECT_EQ(quota(""), 0);
  EXPECT_EQ(quota("nonsense\n0:\n0::/a\n"), 0);
  write("a/cpu.max", "nonsense");
  EXPECT_EQ(quota("0::/a\n"), 0);
}

TEST_F(Processors, AreThoseOfTheAffinityMask) {
  cpu_set_t before, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
  const int count = available_processors();
  EXPECT_GE(count, 1);
  EXPECT_LE(count, CPU_COUNT(&before));
  CPU_ZERO(&one);
  for (int i = 0; i < CPU_SETSIZE; ++i)
    if (CPU_ISSET(i, &before)) {
      CPU_SET(i, &one);
      break;
    }
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  EXPECT_EQ(available_processors(), 1);
  ASSERT_EQ(sched_setaffinity(0, sizeof(before), &before), 0);
}

}  // namespace
}  // namespace kith
