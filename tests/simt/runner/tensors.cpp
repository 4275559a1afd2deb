// Tensor maps, and the copies they describe.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "tests/simt/runner/cluster.h"
#include "tests/simt/runner/residents.h"

namespace simt {
namespace {

constexpr unsigned kLongestBox = 256, kAlignment = 128;  // elements of a side; of shared memory

}  // namespace

// "Tensor Map Object Management" of the CUDA driver API: what is asked of tiled maps without interleaving.
std::string map_refused(const TensorMap& m) {
  if (m.rank < 1 || m.rank > 5) return fmt::format("a tensor of rank {}", m.rank);
  if (m.address == 0 || m.address % 16 != 0) return "an address that is not on 16 bytes";
  for (unsigned d = 0; d < m.rank; ++d) {
    if (m.extents[d] == 0 || m.extents[d] > uint64_t{1} << 32) return fmt::format("{} elements", m.extents[d]);
    if (m.box[d] == 0 || m.box[d] > kLongestBox) return fmt::format("a box of {} elements", m.box[d]);
    if (d > 0 && (m.strides[d - 1] % 16 != 0 || m.strides[d - 1] >= uint64_t{1} << 40))
      return fmt::format("a stride of {} bytes", m.strides[d - 1]);
  }
  const uint64_t row = uint64_t{m.box[0]} * m.element_bytes;
  if (row % 16 != 0) return fmt::format("rows of {} bytes in shared memory, no multiple of 16", row);
  if (m.swizzle != Swizzle::none && row > span_of(m.swizzle))
    return fmt::format("rows of {} bytes with a swizzle of {}", row, span_of(m.swizzle));
  return "";
}

namespace {

// The box at (x, y), row by row: zeros where it is outside the tensor.
std::vector<unsigned char> read_box(Block& b, const TensorMap& m, int x, int y) {
  const size_t row_bytes = size_t{m.box[0]} * m.element_bytes;
  std::vector<unsigned char> box(row_bytes * m.box[1], 0);
  for (unsigned r = 0; r < m.box[1]; ++r) {
    const int64_t line = int64_t{y} + r, end = static_cast<int64_t>(m.extents[0]);
    const int64_t from = std::clamp<int64_t>(x, 0, end), to_x = std::clamp<int64_t>(int64_t{x} + m.box[0], 0, end);
    if (line < 0 || line >= static_cast<int64_t>(m.extents[1]) || from >= to_x) continue;
    const uintptr_t source =
        m.address + static_cast<uint64_t>(line) * m.strides[0] + static_cast<uint64_t>(from) * m.element_bytes;
    const size_t bytes = static_cast<size_t>(to_x - from) * m.element_bytes;
    b.copy_reads(source, bytes);
    std::memcpy(box.data() + r * row_bytes + static_cast<size_t>(from - x) * m.element_bytes,
                reinterpret_cast<const void*>(source), bytes);
  }
  return box;
}

// On its way to the shared memory of `owner`, this block or another of its cluster.
void send(Block& b, Block& owner, uintptr_t to, uintptr_t barrier, const std::vector<unsigned char>& box,
          Swizzle swizzle) {
  const Order::Party me = b.party(b.self());
  if (owner.live == 0)
    b.fail(fmt::format("cp.async.bulk.tensor to block {} of its cluster, which has exited", owner.rank));
  const auto it = owner.units.barriers.find(barrier);
  if (it == owner.units.barriers.end())
    b.fail(fmt::format("cp.async.bulk.tensor completes where no mbarrier was initialised{}", b.in_words(owner)));
  Order& order = b.units.order();
  const uint32_t made = order.only(it->second.made);
  if (&owner != &b && order.unordered(made, order.of(me), Order::Proxy::generic))
    b.fail(
        fmt::format("cp.async.bulk.tensor completes on an mbarrier{} with no barrier of the cluster since its "
                    "initialisation",
                    b.in_words(owner)));
  if (order.unordered(made, order.of(me), Order::Proxy::async))
    b.fail("cp.async.bulk.tensor completes on an mbarrier with no fence.proxy.async since its initialisation");
  Transfer t{.barrier = barrier, .swizzle = swizzle, .pieces = {}, .bytes = static_cast<int64_t>(box.size())};
  if (&owner != &b) t.multicast_by = static_cast<int>(b.rank);
  for (size_t at = 0; at < box.size(); at += 16) {
    auto* piece = reinterpret_cast<unsigned char*>(swizzled(to + at, swizzle));
    b.check_unit(owner, reinterpret_cast<uintptr_t>(piece), 16, Block::Unit::copy, order.of(me), {}, swizzle);
    std::memset(piece, 0xFF, 16);
    t.pieces.emplace_back(piece, std::vector<unsigned char>(box.begin() + static_cast<ptrdiff_t>(at),
                                                            box.begin() + static_cast<ptrdiff_t>(at + 16)));
  }
  for (uint64_t* count : {&b.counts.shared_accesses, &b.counts.shared_wavefronts, &b.counts.shared_ideal})
    *count += t.pieces.size() / 8;
  owner.units.transfers.push_back(std::move(t));
}

// What every copy is asked.
void check_copy(Block& b, const TensorMap& m, const void* shared) {
  if (options().device.sm < 90) b.fail(fmt::format("cp.async.bulk.tensor on a device of sm_{}", options().device.sm));
  if (m.rank != 2) b.fail(fmt::format("cp.async.bulk.tensor.2d by a map of rank {}", m.rank));
  if (reinterpret_cast<uintptr_t>(shared) % kAlignment != 0)
    b.fail(fmt::format("cp.async.bulk.tensor to an address that is not on {} bytes", kAlignment));
  const size_t row_bytes = size_t{m.box[0]} * m.element_bytes;
  if (m.swizzle != Swizzle::none && row_bytes != span_of(m.swizzle))
    b.fail(fmt::format("rows of {} bytes with a swizzle of {}: not emulated", row_bytes, span_of(m.swizzle)));
}

}  // namespace

void tensor_copy(void* shared, const TensorMap& m, int x, int y, void* barrier) {
  Block& b = current_block();
  check_copy(b, m, shared);
  send(b, b, reinterpret_cast<uintptr_t>(shared), reinterpret_cast<uintptr_t>(barrier), read_box(b, m, x, y),
       m.swizzle);
}

void tensor_copy_to(void* shared, const TensorMap& m, int x, int y, void* barrier, uint16_t blocks) {
  Block& b = current_block();
  check_copy(b, m, shared);
  const unsigned size = cluster_blocks();
  if (blocks == 0 || blocks >> size != 0)
    b.fail(fmt::format("cp.async.bulk.tensor to the blocks of mask {:#x}, in a cluster of {}", blocks, size));
  const std::vector<unsigned char> box = read_box(b, m, x, y);
  for (unsigned rank = 0; rank < size; ++rank)
    if (blocks >> rank & 1)
      send(b, b.cluster->block(rank), reinterpret_cast<uintptr_t>(of_block(shared, rank)),
           reinterpret_cast<uintptr_t>(of_block(barrier, rank)), box, m.swizzle);
}

void Block::copy_reads(uintptr_t source, size_t bytes) {
  if (!registered(source, bytes))
    fail(fmt::format("a tensor copy of {} bytes out of bounds: {}", bytes, describe_address(source)));
  if (Residents* all = Residents::current()) all->touched(*this, source, bytes, Access::read);
  counts.global_load_bytes += bytes;
  counts.tensor_bytes += bytes;
  counts.global_load_sectors += (source + bytes - 1) / 32 - source / 32 + 1;
}

void Block::land_transfers(bool all, bool at_least_one) {
  std::vector<Transfer> left;
  bool landed = false;
  std::ranges::shuffle(units.transfers, random_);
  for (Transfer& t : units.transfers) {
    const bool lands = all || random_() % 2 == 0 || (at_least_one && !landed && &t == &units.transfers.back());
    if (!lands) {
      left.push_back(std::move(t));
      continue;
    }
    landed = true;
    const auto it = units.barriers.find(t.barrier);
    if (it == units.barriers.end())
      throw Fault(fmt::format("{} block ({}, {}, {}): a tensor copy arrives at an mbarrier that is no more",
                              kernel->name, index.x, index.y, index.z));
    Mbarrier& m = it->second;
    const Order::Byte written{units.order().only({m.copies, m.phases + 1}), 0};
    for (const auto& [to, bytes] : t.pieces) {
      std::memcpy(to, bytes.data(), bytes.size());
      if (dynamic_region.shadow.empty()) continue;
      for (size_t i = 0; i < bytes.size(); ++i) {
        Shadow& s = dynamic_region.shadow[static_cast<size_t>(to - dynamic_region.base) + i];
        s.content = Shadow::written;
        s.atomic = false;
        s.copied = true;
        s.swizzle = t.swizzle;
        s.order = written;
      }
    }
    m.bytes -= t.bytes;
    if (t.multicast_by >= 0) m.multicast_by = t.multicast_by;
    complete_phase(m, t.barrier);
  }
  units.transfers = std::move(left);
}

}  // namespace simt
