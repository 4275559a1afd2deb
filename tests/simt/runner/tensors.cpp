// Tensor maps, and the copies they describe.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "tests/simt/runner/block.h"
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

void tensor_copy(void* shared, const TensorMap& m, int x, int y, void* barrier) {
  Block& b = current_block();
  const auto me = static_cast<Order::Party>(b.self().linear);
  if (options().device.sm < 90) b.fail(fmt::format("cp.async.bulk.tensor on a device of sm_{}", options().device.sm));
  if (m.rank != 2) b.fail(fmt::format("cp.async.bulk.tensor.2d by a map of rank {}", m.rank));
  const auto to = reinterpret_cast<uintptr_t>(shared), at = reinterpret_cast<uintptr_t>(barrier);
  if (to % kAlignment != 0)
    b.fail(fmt::format("cp.async.bulk.tensor to an address that is not on {} bytes", kAlignment));
  const auto it = b.units.barriers.find(at);
  if (it == b.units.barriers.end()) b.fail("cp.async.bulk.tensor completes where no mbarrier was initialised");
  Order& order = b.units.order;
  const Order::Stamp made = it->second.made;
  if (order.unordered(order.only(made), order.of(me), Order::Proxy::async))
    b.fail("cp.async.bulk.tensor completes on an mbarrier with no fence.proxy.async since its initialisation");
  const size_t row_bytes = size_t{m.box[0]} * m.element_bytes;
  if (m.swizzle != Swizzle::none && row_bytes != span_of(m.swizzle))
    b.fail(fmt::format("rows of {} bytes with a swizzle of {}: not emulated", row_bytes, span_of(m.swizzle)));

  Transfer t{.barrier = at, .swizzle = m.swizzle, .pieces = {}, .bytes = static_cast<int64_t>(row_bytes * m.box[1])};
  for (unsigned r = 0; r < m.box[1]; ++r) {
    std::vector<unsigned char> row(row_bytes, 0);
    const int64_t line = int64_t{y} + r, end = static_cast<int64_t>(m.extents[0]);
    const int64_t from = std::clamp<int64_t>(x, 0, end), to_x = std::clamp<int64_t>(int64_t{x} + m.box[0], 0, end);
    if (line >= 0 && line < static_cast<int64_t>(m.extents[1]) && from < to_x) {
      const uintptr_t source =
          m.address + static_cast<uint64_t>(line) * m.strides[0] + static_cast<uint64_t>(from) * m.element_bytes;
      const size_t bytes = static_cast<size_t>(to_x - from) * m.element_bytes;
      b.copy_reads(source, bytes);
      std::memcpy(row.data() + static_cast<size_t>(from - x) * m.element_bytes, reinterpret_cast<const void*>(source),
                  bytes);
    }
    for (size_t c = 0; c < row_bytes; c += 16) {
      auto* piece = reinterpret_cast<unsigned char*>(swizzled(to + r * row_bytes + c, m.swizzle));
      b.check_unit(reinterpret_cast<uintptr_t>(piece), 16, Block::Unit::copy, order.of(me), {}, m.swizzle);
      std::memset(piece, 0xFF, 16);
      t.pieces.emplace_back(piece, std::vector<unsigned char>(row.begin() + static_cast<ptrdiff_t>(c),
                                                              row.begin() + static_cast<ptrdiff_t>(c + 16)));
    }
  }
  b.counts.shared_accesses += t.pieces.size() / 8;
  b.counts.shared_wavefronts += t.pieces.size() / 8;
  b.counts.shared_ideal += t.pieces.size() / 8;
  b.units.transfers.push_back(std::move(t));
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
    const Order::Byte written{units.order.only({m.copies, m.phases + 1}), 0};
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
    complete_phase(m, t.barrier);
  }
  units.transfers = std::move(left);
}

}  // namespace simt
