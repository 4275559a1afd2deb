// Free memory, read from a folder that looks like a machine's /proc and /sys.
#include "scan/preflight/resources.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <fstream>

#include "tests/scan/stages/stages_support.h"

namespace kith {
namespace {

namespace fs = std::filesystem;

class FreeMemory : public testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) {
    const fs::path file = root_.path() / path;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  void meminfo() { write("proc/meminfo", "MemTotal: 9000 kB\nMemAvailable: 4000 kB\nSwapFree: 500 kB\n"); }
  std::optional<int64_t> free() const { return free_host_bytes(root_.path()); }
  test::Folder root_{"resources"};
};

constexpr int64_t kAvailable = 4500 * 1024;

TEST_F(FreeMemory, IsWhatTheKernelCallsAvailableAndSwap) {
  EXPECT_FALSE(free());
  meminfo();
  EXPECT_EQ(free(), kAvailable);
  write("proc/self/cgroup", "0::/a\n");  // of which nothing is told
  EXPECT_EQ(free(), kAvailable);
}

TEST_F(FreeMemory, ObeysEveryGroupAboveInVersion2) {
  meminfo();
  write("proc/self/cgroup", "0::/a/b\n");
  write("sys/fs/cgroup/a/b/memory.max", "max\n");
  write("sys/fs/cgroup/a/b/memory.current", "100\n");
  EXPECT_EQ(free(), kAvailable);
  write("sys/fs/cgroup/a/memory.max", "1000000\n");
  write("sys/fs/cgroup/a/memory.current", "400000\n");
  EXPECT_EQ(free(), 600000);
  write("sys/fs/cgroup/a/memory.stat", "anon 7\ninactive_file 150000\n");  // makes way
  EXPECT_EQ(free(), 750000);
  write("sys/fs/cgroup/memory.max", "2000\n");
  write("sys/fs/cgroup/memory.current", "3000\n");
  EXPECT_EQ(free(), 0);
}

TEST_F(FreeMemory, ObeysTheMemoryGroupInVersion1) {
  meminfo();
  write("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/outside\n0::/\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "900000\n");  // a container sees its own as the topmost
  write("sys/fs/cgroup/memory/memory.usage_in_bytes", "300000\n");
  write("sys/fs/cgroup/memory/memory.stat", "total_inactive_file 100000\n");
  EXPECT_EQ(free(), 700000);
}

TEST_F(FreeMemory, ObeysTheLimitOfAddresses) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_AS, &before), 0);
  rlimit far = before;  // above what any process has mapped, a sanitizer's too
  far.rlim_cur = rlim_t{1} << 50;
  if (before.rlim_max < far.rlim_cur) GTEST_SKIP() << "a limit of addresses holds here";
  ASSERT_EQ(::setrlimit(RLIMIT_AS, &far), 0);
  meminfo();
  EXPECT_EQ(free(), kAvailable) << "what is mapped is not told";
  write("proc/self/status", fmt::format("Name: kith\nVmSize: {} kB\n", (int64_t{1} << 40) - 3000));
  EXPECT_EQ(free(), 3000 * 1024);
  write("proc/self/status", fmt::format("VmSize: {} kB\n", (int64_t{1} << 40) + 1));
  EXPECT_EQ(free(), 0);
  ASSERT_EQ(::setrlimit(RLIMIT_AS, &before), 0);
  EXPECT_EQ(free(), kAvailable) << "no limit";
}

TEST(FreeDisk, IsThatOfTheNearestFolderThatIsThere) {
  const auto here = free_disk_bytes(fs::temp_directory_path());
  ASSERT_TRUE(here);
  EXPECT_TRUE(free_disk_bytes(fs::temp_directory_path() / "not" / "there"));
}

}  // namespace
}  // namespace kith
