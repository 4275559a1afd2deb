#include "nn/device/ranks/collective.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/core/check.h"

namespace kith {
namespace {

class OneRank final : public Collective {
 public:
  std::string engine() const override { return "one rank"; }

 private:
  int place() const override { return 0; }
  int places() const override { return 1; }
  void meet() override {}
  void reduce(std::span<float>, Queue) override {}
  void gather(std::span<std::byte>, std::span<const int64_t>, Queue) override {}
  void send(std::span<std::byte>, int, Queue) override {}
};

}  // namespace

void Collective::all_reduce(std::span<float> x, Queue queue) {
  if (!alone_) reduce(x, queue);
}

void Collective::barrier() {
  if (!alone_) meet();
}

void Collective::all_gather(std::span<std::byte> all, std::span<const int64_t> bounds, Queue queue) {
  if (bounds.size() != static_cast<size_t>(size()) + 1 || bounds.front() != 0 ||
      bounds.back() != static_cast<int64_t>(all.size()) || !std::ranges::is_sorted(bounds))
    throw Error(fmt::format("all_gather: bounds of {} parts that rise from 0 to {} expected", size(), all.size()));
  if (!alone_) gather(all, bounds, queue);
}

void Collective::all_gather(std::span<std::byte> all, Queue queue) {
  if (all.size() % static_cast<size_t>(size()) != 0)
    throw Error(fmt::format("all_gather: {} bytes are not {} equal parts", all.size(), size()));
  if (!alone_) gather(all, share_bounds(static_cast<int64_t>(all.size()), size()), queue);
}

void Collective::broadcast(std::span<std::byte> x, int root, Queue queue) {
  if (root < 0 || root >= size())
    throw Error(fmt::format("broadcast: from rank {}, expected 0 .. {}", root, size() - 1));
  if (!alone_) send(x, root, queue);
}

int32_t Collective::highest(int32_t own) {
  std::vector<int32_t> all(static_cast<size_t>(size()));
  all[static_cast<size_t>(rank())] = own;
  all_gather(std::as_writable_bytes(std::span(all)), Queue{});
  return *std::ranges::max_element(all);
}

std::unique_ptr<Collective> one_rank() { return std::make_unique<OneRank>(); }

std::vector<int64_t> share_bounds(int64_t whole, int ranks) {
  std::vector<int64_t> bounds;
  for (int r = 0; r <= ranks; ++r) bounds.push_back(whole * r / ranks);
  return bounds;
}

}  // namespace kith
