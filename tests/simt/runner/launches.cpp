// Launches: the blocks of a grid over the threads of the host, in several orders.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "tests/simt/runner/cluster.h"
#include "tests/simt/runner/residents.h"
#include "tests/simt/runner/workers.h"

namespace simt {
namespace {

Extent unflatten(uint64_t i, Extent grid) {
  return {static_cast<unsigned>(i % grid.x), static_cast<unsigned>(i / grid.x % grid.y),
          static_cast<unsigned>(i / grid.x / grid.y)};
}

constexpr unsigned kResidents = 8;  // blocks on the device together, where they are interleaved

struct Launch {
  const Kernel& kernel;
  Extent grid, block;
  size_t dynamic_shared;
  unsigned cluster;  // blocks
};

// A launch in one order, while the threads of the host share out its blocks, or its clusters.
class Walk {
 public:
  Walk(const Launch& launch, uint64_t order)
      : launch_(launch), order_(order), count_(launch.grid.count() / launch.cluster) {}

  // The number of the next; none where all are taken, or one has faulted.
  std::optional<uint64_t> next() {
    const uint64_t i = next_.fetch_add(1);
    if (i >= count_) return std::nullopt;
    return order_ % 2 == 0 ? i : count_ - 1 - i;  // backwards, so that a result that depends on the order shows
  }

  void run(uint64_t number, Cluster* cluster, unsigned rank) {
    static thread_local Block runner;
    const Extent index = unflatten(number * launch_.cluster + rank, launch_.grid);
    try {
      runner.counts = {};
      runner.run(launch_.kernel, launch_.grid, launch_.block, index, launch_.dynamic_shared, order_, cluster, rank);
      const std::lock_guard lock(mutex_);
      total_.add(runner.counts);
    } catch (const ClusterAborted&) {
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
      next_ = count_;
    }
  }

  Counts result() const {
    if (error_) std::rethrow_exception(error_);
    return total_;
  }
  uint64_t count() const { return count_; }

 private:
  const Launch& launch_;
  uint64_t order_, count_;
  std::atomic<uint64_t> next_{0};
  std::mutex mutex_;
  Counts total_;
  std::exception_ptr error_;
};

// As many as there are, or fewer.
unsigned workers_for(uint64_t count) {
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  const unsigned workers = options().workers > 0 ? static_cast<unsigned>(options().workers) : cores;
  return static_cast<unsigned>(std::min<uint64_t>(count, workers));
}

Counts run_grid(const Launch& launch, uint64_t order, Residents* residents) {
  Walk walk(launch, order);
  const unsigned workers = residents != nullptr ? static_cast<unsigned>(std::min<uint64_t>(walk.count(), kResidents))
                                                : workers_for(walk.count());
  on_workers(workers, [&] {
    std::optional<Residents::Turn> turn;
    if (residents != nullptr) turn.emplace(*residents);
    while (const std::optional<uint64_t> block = walk.next()) walk.run(*block, nullptr, 0);
  });
  return walk.result();
}

// A block's place among those that share its memory is a thread of the host.
Counts run_clusters(const Launch& launch, uint64_t order) {
  Walk walk(launch, order);
  const unsigned size = launch.cluster, together = workers_for(walk.count());
  std::vector<std::unique_ptr<Cluster>> clusters;
  for (unsigned c = 0; c < together; ++c)
    clusters.push_back(std::make_unique<Cluster>(size, static_cast<unsigned>(launch.block.count()),
                                                 options().seed + 1000003 * order + c, [&] { return walk.next(); }));
  std::atomic<unsigned> places{0};
  on_workers(together * size, [&] {
    const unsigned place = places.fetch_add(1), rank = place % size;
    Cluster& cluster = *clusters[place / size];
    while (const std::optional<uint64_t> number = cluster.next()) walk.run(*number, &cluster, rank);
  });
  return walk.result();
}

using Snapshot = std::vector<std::vector<unsigned char>>;

Snapshot snapshot() {
  Snapshot s;
  for (const auto& [data, bytes] : buffers()) s.emplace_back(data, data + bytes);
  return s;
}

void restore(const Snapshot& s) {
  const auto now = buffers();
  for (size_t i = 0; i < s.size(); ++i) std::memcpy(now[i].first, s[i].data(), s[i].size());
}

void compare(const Kernel& kernel, const Snapshot& first, uint64_t order) {
  const auto now = buffers();
  for (size_t i = 0; i < first.size(); ++i)
    for (size_t b = 0; b < first[i].size(); ++b)
      if (now[i].first[b] != first[i][b])
        throw Fault(
            fmt::format("{}: the result depends on the order of threads: byte {} of a buffer of {} bytes differs in "
                        "order {}",
                        kernel.name, b, first[i].size(), order));
}

}  // namespace

int resident_blocks(const std::string& name, int threads, size_t dynamic_shared) {
  constexpr int kMostRegisters = 255;
  const auto known = options().registers.find(name);
  const int registers = known == options().registers.end() ? kMostRegisters : known->second;
  const auto by_shared = static_cast<int>(options().device.shared / (dynamic_shared + 1024));
  return std::max(1, std::min({32, 2048 / threads, 65536 / ((registers + 7) / 8 * 8 * threads), by_shared}));
}

namespace {

void run(const Launch& launch) {
  static std::mutex one_device;  // ranks that are threads share it
  const std::lock_guard lock(one_device);
  const auto& [kernel, grid, block, dynamic_shared, cluster] = launch;
  if (grid.count() == 0 || block.count() == 0 || block.count() > 1024 || grid.y > 65535 || grid.z > 65535)
    throw Fault(fmt::format("{}: launch of grid ({}, {}, {}), block ({}, {}, {}) is not valid", kernel.name, grid.x,
                            grid.y, grid.z, block.x, block.y, block.z));
  const auto limit_shared = [&](size_t bytes) {
    if (bytes > options().shared_limit)
      throw Fault(
          fmt::format("{}: {} bytes of shared memory, the limit is {}", kernel.name, bytes, options().shared_limit));
  };
  limit_shared(dynamic_shared);
  const int orders = std::max(1, options().orders);
  Snapshot before, first;
  if (orders > 1) before = snapshot();
  Counts counts;
  for (int i = 0; i < orders; ++i) {
    const auto order = static_cast<uint64_t>(i);
    if (i > 0) restore(before);
    const Counts c = cluster > 1 ? run_clusters(launch, order) : run_grid(launch, order, nullptr);
    limit_shared(dynamic_shared + c.static_shared);
    if (i == 0) counts = c;
    if (i == 0 && orders > 1) first = snapshot();
    if (i > 0) compare(kernel, first, order);
  }
  const bool meets = orders > 1 && cluster == 1 && grid.count() > 1 && counts.global_atomics > 0;
  for (int i = 0; i < (meets ? options().interleavings : 0); ++i) {
    const auto order = static_cast<uint64_t>(orders + i);
    restore(before);
    Residents residents(static_cast<unsigned>(std::min<uint64_t>(grid.count(), kResidents)), options().seed + order);
    run_grid(launch, order, &residents);
    compare(kernel, first, order);
  }
  if (options().count) records().push_back({kernel.name, grid, block, dynamic_shared, counts});
}

}  // namespace

void launch(const Kernel& kernel, Extent grid, Extent block, size_t dynamic_shared) {
  run({kernel, grid, block, dynamic_shared, 1});
}

void launch_clusters(const Kernel& kernel, unsigned cluster, Extent grid, Extent block, size_t dynamic_shared) {
  if (options().device.sm < 90)
    throw Fault(fmt::format("{}: clusters on a device of sm_{}", kernel.name, options().device.sm));
  if (cluster == 0 || cluster > kLargestCluster || grid.x % cluster != 0)
    throw Fault(fmt::format("{}: clusters of {} blocks in a grid of {} along x", kernel.name, cluster, grid.x));
  run({kernel, grid, block, dynamic_shared, cluster});
}

}  // namespace simt
