// Named barriers of a block: bar.sync and bar.arrive.
#include <fmt/format.h>

#include <bit>

#include "tests/simt/runner/block.h"

namespace simt {

void named_barrier(unsigned id, unsigned threads, bool waits, Where where) {
  Block& b = current_block();
  Thread& t = b.self();
  const char* name = waits ? "bar.sync" : "bar.arrive";
  if (id == 0 || id >= b.units.named.size())
    b.fail(fmt::format("{} {}: names are 1 to {}, and 0 __syncthreads'", name, id, b.units.named.size() - 1));
  if (threads == 0 || threads % kWarp != 0 || threads > b.threads.size())
    b.fail(fmt::format("{} {} of {} threads, in a block of {}", name, id, threads, b.threads.size()));
  if (!waits && threads == kWarp) b.fail(fmt::format("{} {} of one warp: nobody waits", name, id));
  b.follow_order();
  unsigned together = 0;  // the lanes that come: others may exit before this one goes on
  const auto tell = [](const void* const*, void* const* out, unsigned mask) {
    for (unsigned lane = 0; lane < kWarp; ++lane)
      if (out[lane] != nullptr) *static_cast<unsigned*>(out[lane]) = mask;
  };
  collective(name, live_mask(), &together, &together, tell, where);
  NamedBarrier& n = b.units.named[id];
  if (n.arrived == 0) n.threads = threads, n.where = where;
  if (n.threads != threads)
    b.fail(fmt::format("{} {} ({}) of {} threads meets one of {} ({})", name, id, line_of(where), threads, n.threads,
                       line_of(n.where)));
  // Warps arrive whole: lanes that have exited come with the first of the others.
  const bool first = t.lane == static_cast<unsigned>(std::countr_zero(together));
  n.arrived += first ? kWarp + 1 - static_cast<unsigned>(std::popcount(together)) : 1;
  b.units.order().release(b.party(t), n.arriving);
  const uint32_t phase = n.phases;
  if (n.arrived == n.threads) {
    n.arrived = 0;
    ++n.phases;
    n.passed.join(n.arriving);
    n.arriving = {};
    ++b.counts.block_barriers;
    for (const auto& other : b.threads)
      if (other->state == State::named_barrier && other->mask == id) other->state = State::ready;
  }
  if (!waits) return;
  while (n.phases == phase) {
    t.waiting = name;
    t.where = where;
    t.mask = id;
    t.state = State::named_barrier;
    b.yield();
  }
  b.units.order().acquire(b.party(t), n.passed);
}

}  // namespace simt
