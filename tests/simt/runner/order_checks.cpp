// The shadow of shared memory while the order of a block's threads and units is followed (order.h).
#include <fmt/format.h>

#include "tests/simt/runner/cluster.h"

namespace simt {

void Block::follow_order() {
  Order& order = units.order();
  if (order.on()) return;
  order.turn_on(epoch);
  // What the shadow knew: time was the number of barriers.
  const auto set_of = [&](uint16_t who, uint32_t at_epoch) {
    if (who == Shadow::kNone) return 0u;
    if (who != Shadow::kMany) return order.only({who, at_epoch + 1});
    uint32_t set = 0;
    for (unsigned t = 0; t < threads.size(); ++t) set = order.with(set, {static_cast<Order::Party>(t), at_epoch + 1});
    return set;
  };
  for (SharedRegion* r : {&dynamic_region, &static_region})
    for (Shadow& s : r->shadow) s.order = {set_of(s.writer, s.write_block_epoch), set_of(s.reader, s.read_block_epoch)};
}

std::string Block::party_name(Order::Party who) const {
  if (units.order().is_thread(who)) {
    const size_t count = dim.count(), of = who / count;
    return of == rank ? fmt::format("thread {}", who % count)
                      : fmt::format("thread {} of block {} of its cluster", who % count, of);
  }
  for (size_t w = 0; w < units.warpgroups.size(); ++w)
    if (units.warpgroups[w].used && units.warpgroups[w].products == who)
      return fmt::format("a product of warpgroup {}", w);
  return cluster == nullptr ? "a tensor copy" : cluster->unit_name(who, *this);
}

std::string Block::in_words(const Block& owner) const {
  return &owner == this ? "" : fmt::format(" in block {} of its cluster", owner.rank);
}

std::string Block::byte_name(const Block& owner, size_t at) const {
  return fmt::format("shared byte {}{}", at, in_words(owner));
}

void Block::check_order(const Block& owner, SharedRegion& r, size_t first, size_t bytes, Access access) {
  Order& order = units.order();
  const Order::Party me = party(*current_);
  const auto between = [&](Order::Party who) {
    const bool of_cluster = order.is_thread(who) && who / dim.count() != rank;
    return !order.is_thread(who) ? "no wait for its barrier" : of_cluster ? "no barrier of the cluster" : "no barrier";
  };
  const Order::Stamp now = order.now(me);
  const bool reads = access != Access::write, writes = access != Access::read, atomic = access == Access::atomic;
  const char* verb = atomic ? "updates" : reads ? "reads" : "writes";
  for (size_t i = first; i < first + bytes; ++i) {
    Shadow& s = r.shadow[i];
    check_content(owner, s, i, reads);
    if (!(atomic && s.atomic))
      if (const auto other = order.unordered(s.order.writers, order.of(me), Order::Proxy::generic))
        fail(fmt::format("data race: {} {} that {} wrote with {} between", verb, byte_name(owner, i),
                         party_name(other->who), between(other->who)));
    if (writes)
      if (const auto other = order.unordered(s.order.readers, order.of(me), Order::Proxy::generic))
        fail(fmt::format("data race: {} {} that {} read with {} between", verb, byte_name(owner, i),
                         party_name(other->who), order.is_thread(other->who) ? between(other->who) : "no barrier"));
    if (!writes) {
      s.order.readers = order.with(s.order.readers, now);
      continue;
    }
    const bool plain = !s.atomic && s.order.writers == order.only(now);  // as in check_shared
    s.order = {atomic && s.atomic ? order.with(s.order.writers, now) : order.only(now), 0};
    s.content = Shadow::written;
    s.atomic = atomic && !plain;
    s.copied = false;
  }
}

void Block::check_unit(Block& owner, uintptr_t a, size_t bytes, Unit unit, const Order::Knowledge& known,
                       Order::Stamp stamp, Swizzle swizzle) {
  const bool product = unit == Unit::product;
  const char* verb = product ? "a product reads" : "a tensor copy overwrites";
  SharedRegion& r = owner.dynamic_region;
  if (!r.holds(a, bytes)) fail(fmt::format("{} {} bytes outside the block's dynamic shared memory", verb, bytes));
  if (r.shadow.empty()) return;
  Order& order = units.order();
  const size_t first = a - reinterpret_cast<uintptr_t>(r.base);
  for (size_t i = first; i < first + bytes; ++i) {
    Shadow& s = r.shadow[i];
    check_content(owner, s, i, product);
    if (const auto other = order.unordered(s.order.writers, known, Order::Proxy::async)) {
      const bool thread = order.is_thread(other->who),
                 ordered = !order.unordered(order.only(*other), known, Order::Proxy::generic);
      fail(fmt::format("{} {} that {} wrote with {} between", verb, byte_name(owner, i), party_name(other->who),
                       !thread   ? "no wait for its barrier"
                       : ordered ? "no fence.proxy.async"
                                 : "nothing that orders it"));
    }
    if (product) {
      if (s.copied && s.swizzle != swizzle)
        fail(
            fmt::format("{} shared byte {} by a layout of {}-byte rows that a tensor copy wrote by one of {}-byte rows",
                        verb, i, span_of(swizzle), span_of(s.swizzle)));
      s.order.readers = order.with(s.order.readers, stamp);
    } else {
      if (const auto other = order.unordered(s.order.readers, known, Order::Proxy::generic))
        fail(fmt::format("{} {} that {} may still read", verb, byte_name(owner, i), party_name(other->who)));
      s.content = Shadow::in_transfer;
    }
  }
}

}  // namespace simt
