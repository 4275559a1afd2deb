// What the engines of ranks on the CPU share: sums in the order of the ranks, and messages of a size that the engine can send.
#pragma once
#include <span>
#include <vector>

#include "nn/device/ranks/collective.h"

namespace kith {

class HostCollective : public Collective {
 protected:
  // At most `most_bytes` go in one call of an engine (4 at least); what is more goes in several.
  explicit HostCollective(size_t most_bytes);

 private:
  void reduce(std::span<float> x, Queue) final;
  void gather(std::span<std::byte> all, std::span<const int64_t> bounds, Queue) final;
  void send(std::span<std::byte> x, int root, Queue) final;

  // What an engine does; empty parts are no exception. Each returns when the memory is its caller's again.
  // Numbers bounds[r] .. bounds[r + 1] - 1 of `from` go to rank r; `to` [size, own] has what comes from each, in order.
  virtual void exchange(std::span<const float> from, std::span<const int64_t> bounds, std::span<float> to) = 0;
  virtual void gather_parts(std::span<std::byte> all, std::span<const int64_t> bounds) = 0;
  virtual void send_from(std::span<std::byte> x, int root) = 0;

  size_t most_bytes_;
  std::vector<float> parts_;
};

}  // namespace kith
