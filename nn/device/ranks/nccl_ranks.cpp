#include "nn/device/ranks/nccl_ranks.h"

#include <fmt/format.h>

#include <exception>
#include <utility>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/elementwise.h"

namespace kith {
namespace {

// Memory for what is enqueued while this lives; without a lender the host's.
class Room {
 public:
  Room(size_t count, ScratchAllocator* lender) : lender_(lender), bytes_(count * sizeof(float)) {
    if (lender_ == nullptr) own_.resize(count);
    data_ = lender_ == nullptr ? own_.data() : static_cast<float*>(lender_->allocate(bytes_));
  }
  ~Room() {
    if (lender_ != nullptr) lender_->free(data_, bytes_);
  }
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;
  float* data() const { return data_; }

 private:
  ScratchAllocator* lender_;
  size_t bytes_;
  std::vector<float> own_;
  float* data_ = nullptr;
};

// Sends and receives between its two ends go together: none waits for another.
template <class F>
void grouped(const Nccl& nccl, const char* call, ncclComm* comm, const F& f) {
  nccl.expect(nccl.group_start(), call, comm);
  f();
  nccl.expect(nccl.group_end(), call, comm);
}

// The part of rank r of what begins and ends at those bounds.
template <class T>
std::span<T> part_of(std::span<T> all, std::span<const int64_t> bounds, int r) {
  const auto first = static_cast<size_t>(bounds[static_cast<size_t>(r)]);
  return all.subspan(first, static_cast<size_t>(bounds[static_cast<size_t>(r) + 1]) - first);
}

}  // namespace

NcclRanks::NcclRanks(std::shared_ptr<Collective> host, const Nccl& nccl, Device device)
    : host_(std::move(host)), nccl_(nccl), device_(device) {
  batch_norm = host_->batch_norm;
}

NcclRanks::~NcclRanks() {
  if (comm_ == nullptr) return;
  if (std::uncaught_exceptions() > 0)
    nccl_.comm_abort(comm_);
  else
    nccl_.comm_destroy(comm_);
}

void NcclRanks::connect(std::shared_ptr<ScratchAllocator> room) {
  room_ = std::move(room);
  NcclId id{};
  if (host_->rank() == 0) nccl_.expect(nccl_.get_unique_id(&id), "ncclGetUniqueId");
  host_->broadcast(std::as_writable_bytes(std::span(id.bytes)), 0, Queue{});
  nccl_.expect(nccl_.comm_init_rank(&comm_, host_->size(), id, host_->rank()),
               fmt::format("ranks on GPUs: rank {} of {}", host_->rank(), host_->size()));
}

std::string NcclRanks::engine() const { return fmt::format("{}, NCCL {}", host_->engine(), nccl_.version()); }

void NcclRanks::expect_connected(const char* call) const {
  if (comm_ == nullptr) throw Error(fmt::format("{}: ranks on GPUs are not connected", call));
}

void NcclRanks::reduce(std::span<float> x, Queue queue) {
  if (is_hosts(queue)) return host_->all_reduce(x, queue);
  expect_connected("all_reduce");
  if (x.empty()) return;
  const std::vector<int64_t> bounds = share_bounds(static_cast<int64_t>(x.size()), size());
  const std::span<float> own = part_of(x, bounds, rank());
  const Room parts(own.size() * static_cast<size_t>(size()), queue.scratch != nullptr ? queue.scratch : room_.get());
  grouped(nccl_, "all_reduce", comm_, [&] {
    for (int r = 0; r < size(); ++r) {
      if (r == rank()) continue;
      if (const auto of = part_of(x, bounds, r); !of.empty())
        nccl_.expect(nccl_.send(of.data(), of.size(), NcclType::f32, r, comm_, queue.stream), "all_reduce", comm_);
      if (!own.empty())
        nccl_.expect(nccl_.receive(parts.data() + static_cast<size_t>(r) * own.size(), own.size(), NcclType::f32, r,
                                   comm_, queue.stream),
                     "all_reduce", comm_);
    }
  });
  if (!own.empty()) sum_parts(own, parts.data(), queue);
  std::vector<int64_t> bytes = bounds;
  for (int64_t& b : bytes) b *= static_cast<int64_t>(sizeof(float));
  gather(std::as_writable_bytes(x), bytes, queue);
}

// The place of this rank's own part, which stands in `own`, is free for the sum.
void NcclRanks::sum_parts(std::span<float> own, float* parts, Queue queue) const {
  const size_t n = own.size();
  const std::span<float> sum(parts + static_cast<size_t>(host_->rank()) * n, n);
  for (int r = 0; r < host_->size(); ++r) {
    const std::span<const float> part(r == host_->rank() ? own.data() : parts + static_cast<size_t>(r) * n, n);
    kernels::scale({.x = part, .y = sum, .write = r == 0 ? Write::overwrite : Write::add}, queue);
  }
  kernels::scale({.x = sum, .y = own}, queue);
}

void NcclRanks::gather(std::span<std::byte> all, std::span<const int64_t> bounds, Queue queue) {
  if (is_hosts(queue)) return host_->all_gather(all, bounds, queue);
  expect_connected("all_gather");
  const std::span<std::byte> own = part_of(all, bounds, rank());
  grouped(nccl_, "all_gather", comm_, [&] {
    for (int r = 0; r < size(); ++r) {
      if (r == rank()) continue;
      if (!own.empty())
        nccl_.expect(nccl_.send(own.data(), own.size(), NcclType::byte, r, comm_, queue.stream), "all_gather", comm_);
      if (const auto of = part_of(all, bounds, r); !of.empty())
        nccl_.expect(nccl_.receive(of.data(), of.size(), NcclType::byte, r, comm_, queue.stream), "all_gather", comm_);
    }
  });
}

void NcclRanks::send(std::span<std::byte> x, int root, Queue queue) {
  if (is_hosts(queue)) return host_->broadcast(x, root, queue);
  expect_connected("broadcast");
  if (x.empty()) return;
  nccl_.expect(nccl_.broadcast(x.data(), x.data(), x.size(), NcclType::byte, root, comm_, queue.stream), "broadcast",
               comm_);
}

}  // namespace kith
