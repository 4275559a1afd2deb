// mbarriers: arrivals, bytes that copies bring, phases.
#include <fmt/format.h>

#include <algorithm>

#include "tests/simt/runner/cluster.h"

namespace simt {
namespace {

constexpr unsigned kMostPolls = 1u << 16;
constexpr int64_t kMostBytes = (1 << 20) - 1;  // of a phase

uintptr_t number(const void* p) { return reinterpret_cast<uintptr_t>(p); }

Order::Party me(const Block& b) { return b.party(b.self()); }

// The mbarrier of `owner` that this thread names, whose initialisation happened before.
Mbarrier& barrier_at(Block& b, Block& owner, const void* at, const char* what) {
  if (options().device.sm < 90) b.fail(fmt::format("{} on a device of sm_{}", what, options().device.sm));
  if (&owner == &b && b.cluster != nullptr && !b.shared(number(at)) && b.cluster->holder(number(at)) != nullptr)
    b.fail(fmt::format("{} of an mbarrier of another block of the cluster: that is for arrivals alone", what));
  const auto it = owner.units.barriers.find(number(at));
  if (it == owner.units.barriers.end())
    b.fail(fmt::format("{} where no mbarrier was initialised{}", what, b.in_words(owner)));
  Order& order = b.units.order();
  if (order.unordered(order.only(it->second.made), order.of(me(b)), Order::Proxy::generic))
    b.fail(fmt::format("{} of an mbarrier that {} initialised with no barrier{} between", what,
                       b.party_name(it->second.made.who), &owner == &b ? "" : " of the cluster"));
  return it->second;
}
std::string multicast_name(int by) {
  return by < 0 ? "" : fmt::format("; block {} of its cluster multicasts to it", by);
}

Mbarrier& barrier_at(Block& b, const void* at, const char* what) { return barrier_at(b, b, at, what); }

void mark(Block& b, const void* at, Shadow::Content content) {
  for (SharedRegion* r : {&b.dynamic_region, &b.static_region})
    if (r->holds(number(at), 8) && !r->shadow.empty())
      for (size_t i = 0; i < 8; ++i) r->shadow[number(at) - number(r->base) + i].content = content;
}

void arrive(Block& owner, void* at, unsigned bytes, const char* what) {
  Block& b = current_block();
  Mbarrier& m = barrier_at(b, owner, at, what);
  if (m.missing == 0) b.fail(fmt::format("{}: more arrivals than the {} of a phase ({})", what, m.arrivals, m.text()));
  if (m.bytes + bytes > kMostBytes) b.fail(fmt::format("{}: more than {} bytes expected", what, kMostBytes));
  m.bytes += bytes;
  --m.missing;
  b.units.order().release(me(b), &owner == &b ? m.arriving : m.arriving_afar);
  owner.complete_phase(m, number(at));
}

}  // namespace

std::string Mbarrier::text() const {
  return fmt::format("phase {}, {} of {} arrivals missing, {} bytes {}{}", phases, missing, arrivals,
                     bytes < 0 ? -bytes : bytes, bytes < 0 ? "more than expected" : "expected that have not come",
                     multicast_name(multicast_by));
}

void mbarrier_init(void* at, unsigned arrivals) {
  Block& b = current_block();
  if (number(at) % 8 != 0) b.fail("mbarrier.init at an address that is not on 8 bytes");
  if (!b.shared(number(at))) b.fail("mbarrier.init outside shared memory");
  if (arrivals == 0 || arrivals > kMostArrivals) b.fail(fmt::format("mbarrier.init with {} arrivals", arrivals));
  if (b.units.barriers.contains(number(at))) b.fail("mbarrier.init of one that is initialised: mbarrier.inval first");
  b.follow_order();
  b.touch(number(at), 8, Access::write, __builtin_return_address(0));
  b.units.barriers[number(at)] = {.arrivals = arrivals,
                                  .missing = arrivals,
                                  .made = b.units.order().now(me(b)),
                                  .copies = b.units.order().add_party(),
                                  .multicast_by = -1,
                                  .arriving = {},
                                  .passed = {},
                                  .arriving_afar = {},
                                  .passed_afar = {}};
  mark(b, at, Shadow::mbarrier);
}

void mbarrier_inval(void* at) {
  Block& b = current_block();
  barrier_at(b, at, "mbarrier.inval");
  for (const auto& t : b.threads)
    if (t->state == State::mbarrier && t->in == at)
      b.fail(fmt::format("mbarrier.inval while thread {} waits for it", t->linear));
  b.units.barriers.erase(number(at));
  mark(b, at, Shadow::unwritten);
}

void mbarrier_arrive(void* at) { arrive(current_block(), at, 0, "mbarrier.arrive"); }
void mbarrier_arrive_expect(void* at, unsigned bytes) {
  arrive(current_block(), at, bytes, "mbarrier.arrive.expect_tx");
}
void mbarrier_arrive_at(void* at, unsigned rank) {
  Block& b = current_block();
  void* there = of_block(at, rank);
  if (rank == b.rank) return mbarrier_arrive(at);
  Block& owner = b.cluster->block(rank);
  b.visit(owner, "mbarrier.arrive");
  arrive(owner, there, 0, "mbarrier.arrive");
}

bool mbarrier_test(void* at, unsigned parity, Where where) {
  Block& b = current_block();
  Thread& t = b.self();
  const Mbarrier& m = barrier_at(b, at, "mbarrier.test_wait");
  if (m.complete(parity)) {
    b.units.order().acquire(me(b), m.passed);
    t.polls = 0;
    return true;
  }
  if (++t.polls > kMostPolls)
    b.fail(fmt::format("mbarrier.test_wait ({}, parity {}) in vain {} times: {}", line_of(where), parity, kMostPolls,
                       m.text()));
  b.yield();  // ready: the others have a turn
  return false;
}

bool mbarrier_try(void* at, unsigned parity, Where where) {
  Block& b = current_block();
  Thread& t = b.self();
  const Mbarrier& m = barrier_at(b, at, "mbarrier.try_wait");
  if (m.complete(parity)) {
    b.units.order().acquire(me(b), m.passed);
    return true;
  }
  t.waiting = "mbarrier.try_wait";
  t.where = where;
  t.in = at;
  t.predicate = static_cast<int>(parity & 1);
  t.state = State::mbarrier;
  b.yield();
  return false;
}

void mbarrier_acquire_cluster(void* at) {
  Block& b = current_block();
  b.units.order().acquire(me(b), barrier_at(b, at, "mbarrier.try_wait").passed_afar);
}

void proxy_fence() {
  Block& b = current_block();
  b.follow_order();
  b.units.order().fence_proxy(me(b));
}

void Block::complete_phase(Mbarrier& m, uintptr_t at) {
  if (m.missing > 0 || m.bytes != 0) return;
  const unsigned parity = m.phases++ & 1;
  m.missing = m.arrivals;
  m.passed.join(m.arriving);
  m.passed.set(m.copies, m.phases);
  m.arriving = {};
  m.passed_afar.join(m.arriving_afar);
  m.arriving_afar = {};
  for (const auto& t : threads)
    if (t->state == State::mbarrier && reinterpret_cast<uintptr_t>(t->in) == at &&
        static_cast<unsigned>(t->predicate) == parity)
      t->state = State::ready;
}

void Block::units_done() {
  if (!units.transfers.empty()) {
    int multicast_by = -1;
    for (const Transfer& t : units.transfers) multicast_by = std::max(multicast_by, t.multicast_by);
    for (const auto& [at, m] : units.barriers) multicast_by = std::max(multicast_by, m.multicast_by);
    throw Fault(fmt::format("{} block ({}, {}, {}) ends with {} tensor copies under way{}", kernel->name, index.x,
                            index.y, index.z, units.transfers.size(), multicast_name(multicast_by)));
  }
  for (const auto& [at, m] : units.barriers)
    if (m.bytes != 0)
      throw Fault(fmt::format("{} block ({}, {}, {}) ends with an mbarrier in {}", kernel->name, index.x, index.y,
                              index.z, m.text()));
  for (size_t id = 0; id < units.named.size(); ++id)
    if (const NamedBarrier& n = units.named[id]; n.arrived != 0)
      throw Fault(fmt::format("{} block ({}, {}, {}) ends with {} of {} threads at its barrier {} ({})", kernel->name,
                              index.x, index.y, index.z, n.arrived, n.threads, id, line_of(n.where)));
  for (size_t who = 0; who < visits.size(); ++who) {
    const uint32_t known = who < left.seen.size() ? left.seen[who] : 0;
    if (visits[who] > known)
      throw Fault(
          fmt::format("{} block ({}, {}, {}) ends while {} may still use its shared memory: no barrier of the "
                      "cluster behind that",
                      kernel->name, index.x, index.y, index.z, party_name(static_cast<Order::Party>(who))));
  }
}

}  // namespace simt
