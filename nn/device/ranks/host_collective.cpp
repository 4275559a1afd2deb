#include "nn/device/ranks/host_collective.h"

#include <algorithm>

#include "kernels/core/check.h"

namespace kith {

HostCollective::HostCollective(size_t most_bytes) : most_bytes_(most_bytes) {
  check(most_bytes >= sizeof(float), "HostCollective: messages of at least one number");
}

// Every number is summed in one order, so neither the length nor where it is cut shows in the result.
void HostCollective::reduce(std::span<float> x, Queue queue) {
  require_cpu(queue, "all_reduce over ranks of the CPU");
  const size_t most = most_bytes_ / sizeof(float);
  for (size_t first = 0; first < x.size(); first += most) {
    const std::span<float> now = x.subspan(first, std::min(most, x.size() - first));
    const std::vector<int64_t> bounds = share_bounds(static_cast<int64_t>(now.size()), size());
    const auto begin = static_cast<size_t>(bounds[static_cast<size_t>(rank())]);
    const size_t count = static_cast<size_t>(bounds[static_cast<size_t>(rank()) + 1]) - begin;
    parts_.resize(count * static_cast<size_t>(size()));
    exchange(now, bounds, parts_);
    float* const sum = now.data() + begin;
    std::copy_n(parts_.data(), count, sum);
    for (size_t r = 1; r < static_cast<size_t>(size()); ++r) {
      const float* const part = parts_.data() + r * count;
      for (size_t i = 0; i < count; ++i) sum[i] += part[i];
    }
    std::vector<int64_t> bytes = bounds;
    for (int64_t& b : bytes) b *= static_cast<int64_t>(sizeof(float));
    gather_parts(std::as_writable_bytes(now), bytes);
  }
}

void HostCollective::gather(std::span<std::byte> all, std::span<const int64_t> bounds, Queue queue) {
  require_cpu(queue, "all_gather over ranks of the CPU");
  if (all.size() <= most_bytes_) return gather_parts(all, bounds);
  for (int r = 0; r < size(); ++r) {
    const auto first = static_cast<size_t>(bounds[static_cast<size_t>(r)]);
    send(all.subspan(first, static_cast<size_t>(bounds[static_cast<size_t>(r) + 1]) - first), r, queue);
  }
}

void HostCollective::send(std::span<std::byte> x, int root, Queue queue) {
  require_cpu(queue, "broadcast over ranks of the CPU");
  for (size_t first = 0; first < x.size(); first += most_bytes_)
    send_from(x.subspan(first, std::min(most_bytes_, x.size() - first)), root);
}

}  // namespace kith
