#include "scan/preflight/resources.h"

#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

#include "nn/device/accelerator.h"
#include "nn/device/ranks/collective.h"

namespace kith {
namespace {

namespace fs = std::filesystem;
using Bytes = std::optional<int64_t>;

// The number after `key` in a file of lines "key 123" or "key: 123 kB".
Bytes number_of(const fs::path& file, std::string_view key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string name, unit;
    int64_t value = 0;
    if (!(words >> name >> value)) continue;
    if (name != key && name != std::string(key) + ":") continue;
    return words >> unit && unit == "kB" ? value * 1024 : value;
  }
  return {};
}

Bytes number_in(const fs::path& file) {
  std::ifstream in(file);
  int64_t value = 0;
  if (in >> value) return value;
  return {};  // "max", too
}

struct GroupFiles {
  const char *limit, *used, *cache;
};
constexpr GroupFiles kVersion1 = {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"};
constexpr GroupFiles kVersion2 = {"memory.max", "memory.current", "inactive_file"};

// The least memory that the limit of a control group, or of one above it, leaves. A container sees its own group as the topmost.
Bytes left_in_groups(const fs::path& mount, fs::path group, const GroupFiles& files) {
  Bytes least;
  while (true) {
    const fs::path folder = mount / group.relative_path();
    const Bytes limit = number_in(folder / files.limit), used = number_in(folder / files.used);
    if (limit && used) {
      const int64_t cache = number_of(folder / "memory.stat", files.cache).value_or(0);
      const int64_t left = std::max<int64_t>(*limit - std::max<int64_t>(*used - cache, 0), 0);
      least = std::min(least.value_or(left), left);
    }
    if (!group.has_relative_path()) return least;
    group = group.parent_path();
  }
}

Bytes left_in_control_groups(const fs::path& root) {
  std::ifstream in(root / "proc/self/cgroup");
  Bytes least;
  for (std::string line; std::getline(in, line);) {  // "4:memory:/a/b", or "0::/a/b" of version 2
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool memory = ("," + controllers + ",").find(",memory,") != std::string::npos;
    if (!memory && !controllers.empty()) continue;
    const Bytes left = left_in_groups(root / (memory ? "sys/fs/cgroup/memory" : "sys/fs/cgroup"),
                                      line.substr(second + 1), memory ? kVersion1 : kVersion2);
    if (left) least = std::min(least.value_or(*left), *left);
  }
  return least;
}

// What a limit of addresses (ulimit -v) leaves, which whatever is mapped counts for, used or not.
Bytes left_of_addresses(const fs::path& root) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return {};
  const Bytes mapped = number_of(root / "proc/self/status", "VmSize");
  if (!mapped) return {};
  return std::max<int64_t>(static_cast<int64_t>(std::min<rlim_t>(limit.rlim_cur, INT64_MAX)) - *mapped, 0);
}

}  // namespace

std::optional<int64_t> free_host_bytes(const fs::path& root) {
  const fs::path meminfo = root / "proc/meminfo";
  Bytes free = number_of(meminfo, "MemAvailable");
  if (!free) return {};
  *free += number_of(meminfo, "SwapFree").value_or(0);
  return std::min({*free, left_in_control_groups(root).value_or(*free), left_of_addresses(root).value_or(*free)});
}

std::optional<int64_t> free_disk_bytes(const fs::path& dir) {
  std::error_code failed;
  fs::path existing = fs::absolute(dir, failed);
  while (!failed && !fs::exists(existing, failed) && existing.has_relative_path()) existing = existing.parent_path();
  const fs::space_info space = fs::space(existing, failed);
  if (failed) return {};
  return static_cast<int64_t>(std::min<uintmax_t>(space.available, INT64_MAX));
}

Resources free_resources(Context& ctx, const fs::path& dir) {
  Resources r{.device = ctx.queue().device,
              .precision = ctx.precision(),
              .ranks = ctx.collective().size(),
              .least_share = ctx.collective().batch_norm == Collective::BatchNorm::whole ? 1 : 2,
              .host_bytes = free_host_bytes(),
              .device_bytes = {},
              .disk_bytes = free_disk_bytes(dir)};
  if (Accelerator* device = ctx.accelerator(); device != nullptr) r.device_bytes = device->free_bytes();
  return r;
}

}  // namespace kith
