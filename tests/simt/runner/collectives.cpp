// Barriers, warp collectives and cp.async.
#include <fmt/format.h>

#include <cstring>

#include "tests/simt/runner/block.h"

namespace simt {

static Options all_options;  // no local of the function: asked at every access
Options& options() { return all_options; }

void describe(const Described& device) {
  options().device = device;
  options().shared_limit = device.block_shared;
}

std::vector<LaunchRecord>& records() {
  static std::vector<LaunchRecord> r;
  return r;
}

Extent thread_idx() { return current_block().self().index; }
Extent block_idx() { return current_block().index; }
Extent block_dim() { return current_block().dim; }
Extent grid_dim() { return current_block().grid; }
unsigned lane_id() { return current_block().self().lane; }
unsigned char* dynamic_shared() { return current_block().dynamic_region.base; }
unsigned live_mask() {
  Block& b = current_block();
  return b.warps[b.self().warp].live;
}
void count_mma(uint64_t flops) {
  Counts& c = current_block().counts;
  ++c.mma;
  c.mma_flops += flops;
}
void count_special() {
  if (Block* b = current_block_or_null()) ++b->counts.special;
}
void fault(const std::string& what) { current_block().fail(what); }

int block_barrier(Vote vote, int predicate, Where where) {
  Block& b = current_block();
  Thread& t = b.self();
  t.waiting = "__syncthreads";
  t.where = where;
  t.mask = 0xFFFFFFFF;
  t.predicate = predicate;
  t.state = State::block_barrier;
  if (++b.at_barrier == b.live) b.release_block_barrier();
  b.yield();
  return vote == Vote::count ? t.vote_count : vote == Vote::all ? t.vote_all : t.vote_any;
}

namespace {

// The lanes of `mask` have all arrived in the same collective; faults where they never can.
bool all_arrived(Block& b, const Thread& t) {
  if ((t.mask >> t.lane & 1) == 0)
    b.fail(fmt::format("{}: mask {:#010x} does not name the calling lane", t.waiting, t.mask));
  const unsigned gone = t.mask & ~b.warps[t.warp].live;
  if (gone != 0) {
    std::string lanes;
    for (unsigned l = 0; l < kWarp; ++l)
      if (gone >> l & 1) lanes += fmt::format(" {}", l);
    b.fail(fmt::format("{} ({}): mask {:#010x} names lanes that have exited or do not exist:{}", t.waiting,
                       line_of(t.where), t.mask, lanes));
  }
  const Warp& w = b.warps[t.warp];
  if (w.alike) return (t.mask & ~w.waiting) == 0;
  bool complete = true;
  for (unsigned l = 0; l < kWarp; ++l) {
    if ((t.mask >> l & 1) == 0 || l == t.lane) continue;
    const Thread& other = *b.threads[t.warp * kWarp + l];
    if (other.state != State::warp_barrier && other.state != State::collective) {
      complete = false;
    } else if (other.mask != t.mask || (other.waiting != t.waiting && std::strcmp(other.waiting, t.waiting) != 0)) {
      b.fail(fmt::format("{} ({}, mask {:#010x}) meets lane {} in {} ({}, mask {:#010x})", t.waiting, line_of(t.where),
                         t.mask, l, other.waiting, line_of(other.where), other.mask));
    }
  }
  return complete;
}

void enter(Block& b, Thread& t, State state, const char* name, unsigned mask, Where where) {
  Warp& w = b.warps[t.warp];
  if (w.waiting == 0) w.mask = mask, w.name = name, w.alike = true;
  w.alike = w.alike && w.mask == mask && w.name == name;
  w.waiting |= 1u << t.lane;
  t.waiting = name;
  t.where = where;
  t.mask = mask;
  t.state = state;
}

}  // namespace

void warp_barrier(unsigned mask, Where where) {
  Block& b = current_block();
  Thread& t = b.self();
  enter(b, t, State::warp_barrier, "__syncwarp", mask, where);
  if (!all_arrived(b, t)) return b.yield();
  // A barrier of part of a warp orders only its lanes; the shadow knows whole warps, so it ignores such a one.
  if (mask == b.warps[t.warp].live) ++b.warps[t.warp].epoch;
  b.warps[t.warp].waiting &= ~mask;
  ++b.counts.warp_barriers;
  std::vector<Order::Party> lanes;
  for (unsigned l = 0; l < kWarp; ++l) {
    if ((mask >> l & 1) == 0) continue;
    b.threads[t.warp * kWarp + l]->state = State::ready;
    lanes.push_back(b.party(*b.threads[t.warp * kWarp + l]));
  }
  if (b.units.order().on()) b.units.order().meet(lanes);
  b.yield();
}

void collective(const char* name, unsigned mask, const void* in, void* out, Combine combine, Where where) {
  Block& b = current_block();
  Thread& t = b.self();
  enter(b, t, State::collective, name, mask, where);
  t.in = in;
  t.out = out;
  if (!all_arrived(b, t)) return b.yield();
  const void* ins[kWarp] = {};
  void* outs[kWarp] = {};
  for (unsigned l = 0; l < kWarp; ++l) {
    if ((mask >> l & 1) == 0) continue;
    Thread& lane = *b.threads[t.warp * kWarp + l];
    ins[l] = lane.in;
    outs[l] = lane.out;
    lane.state = State::ready;
  }
  b.warps[t.warp].waiting &= ~mask;
  ++b.counts.collectives;
  b.combining = true;
  combine(ins, outs, mask);
  b.combining = false;
}

void async_copy(void* shared, const void* global, unsigned bytes, unsigned source_bytes) {
  Block& b = current_block();
  if (bytes != 4 && bytes != 8 && bytes != 16) b.fail(fmt::format("cp.async of {} bytes", bytes));
  const auto to = reinterpret_cast<uintptr_t>(shared);
  if (to % bytes != 0 || reinterpret_cast<uintptr_t>(global) % bytes != 0)
    b.fail(fmt::format("cp.async of {} bytes from or to a misaligned address", bytes));
  const auto* site = static_cast<const char*>(__builtin_return_address(0));
  AsyncCopy copy{static_cast<unsigned char*>(shared), std::vector<unsigned char>(bytes, 0)};
  if (source_bytes > 0) {
    b.touch(reinterpret_cast<uintptr_t>(global), source_bytes, Access::read, site);
    std::memcpy(copy.bytes.data(), global, source_bytes);
  }
  b.touch(to, bytes, Access::write, site + 1);  // a site of its own: lanes that fill with zeros load nothing
  for (SharedRegion* r : {&b.dynamic_region, &b.static_region})
    if (r->holds(to, bytes) && !r->shadow.empty())
      for (unsigned i = 0; i < bytes; ++i)
        r->shadow[to - reinterpret_cast<uintptr_t>(r->base) + i].content = Shadow::pending;
  std::memset(shared, 0xFF, bytes);
  b.counts.async_bytes += source_bytes;
  b.self().open.push_back(std::move(copy));
}

void async_commit() {
  Thread& t = current_block().self();
  t.groups.push_back(std::move(t.open));
  t.open.clear();
}

void async_wait(unsigned groups_left) {
  Block& b = current_block();
  Thread& t = b.self();
  while (t.groups.size() > groups_left) {
    for (const AsyncCopy& copy : t.groups.front()) {
      std::memcpy(copy.to, copy.bytes.data(), copy.bytes.size());
      b.write_pending(copy, t);
    }
    t.groups.pop_front();
  }
}

}  // namespace simt
