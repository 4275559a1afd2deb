#include "nn/device/threads.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>

namespace kith {
namespace {

constexpr const char* kPolicy = "OMP_WAIT_POLICY";
constexpr const char* kSpins = "GOMP_SPINCOUNT";
constexpr const char* kStartedAgain = "KITH_STARTED_AGAIN";

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// The name of this program's file, by which it is listed; /proc's link to it where the file has moved.
std::string own_file() {
  std::error_code failed;
  const std::filesystem::path link = "/proc/self/exe", file = std::filesystem::read_symlink(link, failed);
  return !failed && std::filesystem::equivalent(link, file, failed) ? file.string() : link.string();
}

// Quota of one group over its period; 0: none.
double quota_of(const std::filesystem::path& group) {
  std::string quota;
  double period = 0;
  if (std::ifstream file(group / "cpu.max"); file >> quota >> period) {
    if (quota == "max") return 0;
  } else {
    std::ifstream first(group / "cpu.cfs_quota_us"), second(group / "cpu.cfs_period_us");
    if (!(first >> quota) || !(second >> period)) return 0;
  }
  const double time = std::atof(quota.c_str());  // -1: none
  return time > 0 && period > 0 ? time / period : 0;
}

}  // namespace

std::string to_string(const ThreadWait& w) {
  std::string out;
  if (!w.policy.empty()) out = fmt::format("{}={}", kPolicy, w.policy);
  if (!w.spins.empty() && w.chosen) out += fmt::format("{}{}={}", out.empty() ? "" : ", ", kSpins, w.spins);
  if (!out.empty()) return out;
  return w.spins.empty() ? "as OpenMP's default has it" : fmt::format("spin {} times, then sleep", w.spins);
}

ThreadWait settle_thread_wait(char** argv) {
  const bool again = std::getenv(kStartedAgain) != nullptr;
  const ThreadWait found{.policy = variable(kPolicy), .spins = variable(kSpins), .chosen = !again};
  if (again) {
    unsetenv(kSpins);
    unsetenv(kStartedAgain);
    return found;
  }
  if (std::getenv(kPolicy) != nullptr || std::getenv(kSpins) != nullptr) return found;
  // Without a loader's address the loader is what was started, and the program its argument.
  if (getauxval(AT_BASE) == 0 || getauxval(AT_SECURE) != 0) return {};
  setenv(kSpins, kSpinCount, 1);
  setenv(kStartedAgain, "1", 1);
  execv(own_file().c_str(), argv);
  unsetenv(kSpins);
  unsetenv(kStartedAgain);
  return {};
}

double quota_of_groups(const std::filesystem::path& groups, const std::string& membership) {
  double least = 0;
  const auto take = [&](const std::filesystem::path& group) {
    if (const double quota = quota_of(group); quota > 0) least = least == 0 ? quota : std::min(least, quota);
  };
  std::istringstream lines(membership);
  for (std::string line; std::getline(lines, line);) {  // number:controllers:/path, no controllers in version 2
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = fmt::format(",{},", line.substr(first + 1, second - first - 1));
    if (controllers != ",," && controllers.find(",cpu,") == std::string::npos) continue;
    for (const char* mount : {"", "cpu", "cpu,cpuacct", "unified"}) {
      std::filesystem::path group = line.substr(second + 1);
      for (; group.has_relative_path(); group = group.parent_path()) take(groups / mount / group.relative_path());
      take(groups / mount);  // in a container the group's path is that of the outside, and this the group itself
    }
  }
  return least;
}

int available_processors() {
  int count = 0;
  for (int most = CPU_SETSIZE; count == 0 && most <= 1 << 20; most *= 2) {  // the kernel's mask may be longer
    const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> mask(CPU_ALLOC(most), [](cpu_set_t* m) { CPU_FREE(m); });
    const size_t bytes = CPU_ALLOC_SIZE(most);
    if (sched_getaffinity(0, bytes, mask.get()) == 0) count = CPU_COUNT_S(bytes, mask.get());
  }
  std::ifstream file("/proc/self/cgroup");
  const std::string membership{std::istreambuf_iterator<char>(file), {}};
  if (const double quota = quota_of_groups("/sys/fs/cgroup", membership); quota > 0)
    count = std::min(std::max(count, 1), static_cast<int>(std::ceil(std::min(quota, 1e6))));
  return std::max(count, 1);
}

}  // namespace kith
