#include "tests/simt/runner/block.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/context/protected_fixedsize_stack.hpp>
#include <cstring>
#include <numeric>
#include <string_view>

#include "tests/simt/runner/cluster.h"
#include "tests/simt/runner/residents.h"

namespace simt {
namespace {

struct Abort {};  // unwinds the other fibers of a block that faulted

// Stacks with a guard page, kept by each OS thread for its next blocks.
struct PooledStacks {
  using Context = boost::context::stack_context;
  static std::vector<Context>& pool() {
    struct Owner {
      std::vector<Context> stacks;
      ~Owner() {
        for (Context& s : stacks) boost::context::protected_fixedsize_stack(s.size).deallocate(s);
      }
    };
    thread_local Owner owner;
    return owner.stacks;
  }
  Context allocate() {
    if (pool().empty()) return boost::context::protected_fixedsize_stack(options().stack_bytes).allocate();
    const Context s = pool().back();
    pool().pop_back();
    return s;
  }
  void deallocate(Context& s) noexcept { pool().push_back(s); }
};

thread_local Block* t_block = nullptr;

}  // namespace

Block* current_block_or_null() { return t_block; }

Block& current_block() {
  if (t_block == nullptr) throw Fault("a device function was called outside a kernel");
  return *t_block;
}

Block::Block() = default;
Block::~Block() = default;

std::string line_of(const Where& where) {
  constexpr std::string_view own = __FILE__, root = own.substr(0, own.rfind("tests/simt/runner"));
  std::string_view file = where.file_name();
  if (file.starts_with(root)) file.remove_prefix(root.size());
  return fmt::format("{}:{}", file, where.line());
}

std::string Block::name_of(const Thread& t) const {
  return fmt::format("{} block ({}, {}, {}) thread ({}, {}, {}) [warp {} lane {}]", kernel->name, index.x, index.y,
                     index.z, t.index.x, t.index.y, t.index.z, t.warp, t.lane);
}

void Block::fail(const std::string& what) { throw Fault(fmt::format("{}: {}", name_of(*current_), what)); }

void Block::yield() {
  Thread& t = *current_;
  t.scheduler = std::move(t.scheduler).resume();
  if (aborting_) throw Abort{};
}

void Block::start(Thread& t) {
  t.fiber = boost::context::fiber(std::allocator_arg, PooledStacks{}, [this, &t](boost::context::fiber&& from) {
    t.scheduler = std::move(from);
    t.stack_high = static_cast<const char*>(__builtin_frame_address(0)) + 1024;
    t.stack_low = t.stack_high - options().stack_bytes;
    try {
      if (aborting_) throw Abort{};
      kernel->invoke(kernel->closure);
      if (!t.open.empty() || !t.groups.empty()) fail("exited with cp.async copies that no wait has completed");
      if (t.products != nullptr && !t.products->accumulators.empty())
        fail("exited with products of its warpgroup that no wgmma.wait_group has completed");
      lane_done(t);
    } catch (const Abort&) {
    } catch (...) {
      if (!error_) error_ = std::current_exception();
    }
    t.state = State::done;
    return std::move(t.scheduler);
  });
}

void Block::lane_done(Thread& t) {
  t.state = State::done;
  --live;
  warps[t.warp].live &= ~(1u << t.lane);
  if (cluster != nullptr) cluster->thread_exits(*this, t);
  const size_t first = size_t{t.warp} * kWarp, end = std::min(first + kWarp, threads.size());
  for (size_t i = first; i < end && warps[t.warp].waiting != 0; ++i) {
    const Thread* other = threads[i].get();
    if ((other->state == State::collective || other->state == State::warp_barrier) && (other->mask >> t.lane & 1))
      fail(fmt::format("exited while lane {} waits for it in {} ({}, mask {:#010x})", other->lane, other->waiting,
                       line_of(other->where), other->mask));
  }
  for (size_t i = 0; i < threads.size() && at_products > 0; ++i) {
    const Thread* other = threads[i].get();
    if (other->state == State::warpgroup && other->linear / kWarpgroup == t.linear / kWarpgroup)
      fail(fmt::format("exited while thread {} waits for its warpgroup in {} ({})", other->linear, other->waiting,
                       line_of(other->where)));
  }
  if (live > 0 && at_barrier == live) release_block_barrier();
}

void Block::release_block_barrier() {
  int count = 0;
  const Thread* first = nullptr;
  for (const auto& t : threads) {
    if (t->state != State::block_barrier) continue;
    count += t->predicate != 0;
    if (first == nullptr) first = t.get();
    if (t->where.line() != first->where.line() || (t->where.file_name() != first->where.file_name() &&
                                                   std::strcmp(t->where.file_name(), first->where.file_name()) != 0))
      throw Fault(fmt::format("{}: divergent barrier: waits at {} while {} waits at {}", name_of(*t), line_of(t->where),
                              name_of(*first), line_of(first->where)));
  }
  const int waiting = static_cast<int>(at_barrier);
  if (units.order().on()) {
    std::vector<Order::Party> all;
    for (const auto& t : threads)
      if (t->state == State::block_barrier) all.push_back(party(*t));
    units.order().meet(all);
  }
  for (const auto& t : threads) {
    if (t->state != State::block_barrier) continue;
    t->vote_count = count;
    t->vote_all = count == waiting;
    t->vote_any = count > 0;
    t->state = State::ready;
    t->occurrences.clear();
  }
  at_barrier = 0;
  ++epoch;
  ++counts.block_barriers;
  finish_gathers();
}

std::string Block::waiting_threads() const {
  std::map<std::string, std::vector<unsigned>> groups;
  for (const auto& t : threads)
    if (t->state != State::done) groups[waits_for(*t)].push_back(t->linear);
  std::string text;
  for (const auto& [what, ids] : groups) {
    text += fmt::format("; {} threads wait in {}: {}", ids.size(), what, ids[0]);
    for (size_t i = 1; i < std::min<size_t>(ids.size(), 40); ++i) text += fmt::format(" {}", ids[i]);
    if (ids.size() > 40) text += " ...";
  }
  return text;
}

void Block::deadlock() {
  throw Fault(fmt::format("{} block ({}, {}, {}): deadlock{}{}", kernel->name, index.x, index.y, index.z,
                          waiting_threads(), cluster == nullptr ? "" : cluster->waiting_beside(*this)));
}

std::string Block::waits_for(const Thread& t) const {
  if (t.state == State::mbarrier) {
    const auto at = reinterpret_cast<uintptr_t>(t.in);
    const bool dynamic = dynamic_region.touches(at);
    const auto base = reinterpret_cast<uintptr_t>((dynamic ? dynamic_region : static_region).base);
    return fmt::format("{} (parity {}) of the mbarrier at {} shared byte {}: {}", t.waiting, t.predicate,
                       dynamic ? "dynamic" : "static", at - base, units.barriers.at(at).text());
  }
  if (t.state == State::named_barrier) {
    const NamedBarrier& n = units.named[t.mask];
    return fmt::format("{} {} ({}): {} of {} threads have arrived", t.waiting, t.mask, line_of(t.where), n.arrived,
                       n.threads);
  }
  if (t.state == State::cluster) return fmt::format("{} ({}): {}", t.waiting, line_of(t.where), cluster->arrivals());
  if (t.state == State::warpgroup || t.state == State::registers)
    return fmt::format("{} ({})", t.waiting, line_of(t.where));
  return fmt::format("{} ({}, mask {:#010x})", t.waiting, line_of(t.where), t.mask);
}

void Block::prepare(size_t dynamic_shared) {
  module = find_module(kernel->module);
  arena_.resize(dynamic_shared + 1024);
  const auto base = reinterpret_cast<uintptr_t>(arena_.data());
  dynamic_region.base = arena_.data() + ((base + 1023) / 1024 * 1024 - base);
  dynamic_region.bytes = dynamic_shared;
  static_region.base = module.tls;
  static_region.bytes = module.tls_bytes;
  for (SharedRegion* r : {&dynamic_region, &static_region}) {
    if (r->bytes > 0) std::memset(r->base, 0xFF, r->bytes);  // NaN in every floating-point format
    r->shadow.assign(options().races ? r->bytes : 0, Shadow{});
  }
  const unsigned count = static_cast<unsigned>(dim.count());
  while (threads.size() < count) threads.push_back(std::make_unique<Thread>());
  threads.resize(count);
  warps.assign((count + kWarp - 1) / kWarp, Warp{});
  live = count;
  at_barrier = at_products = 0;
  epoch = 0;
  units.begin(count, cluster == nullptr ? nullptr : &cluster->order());
  left = {};
  visits.assign(cluster == nullptr ? 0 : size_t{count} * cluster->size(), 0);
  for (unsigned i = 0; i < count; ++i) {
    Thread& t = *threads[i];
    t.linear = i;
    t.index = {i % dim.x, i / dim.x % dim.y, i / dim.x / dim.y};
    t.lane = i % kWarp;
    t.warp = i / kWarp;
    t.state = State::ready;
    t.open.clear();
    t.groups.clear();
    t.occurrences.clear();
    t.products.reset();
    t.polls = 0;
    t.at_cluster = false;
    warps[t.warp].live |= 1u << t.lane;
    start(t);
  }
}

void Block::run(const Kernel& k, Extent grid_dim, Extent block_dim, Extent block_index, size_t dynamic_shared,
                uint64_t order, Cluster* of_cluster, unsigned rank_in_cluster) {
  kernel = &k;
  grid = grid_dim;
  dim = block_dim;
  index = block_index;
  cluster = of_cluster;
  rank = rank_in_cluster;
  error_ = nullptr;
  aborting_ = false;
  t_block = this;
  random_.seed(options().seed * 0x9E3779B97F4A7C15u + order * 1000003 + index.x + uint64_t{index.y} * 65537);
  prepare(dynamic_shared);
  if (Residents* all = Residents::current()) all->begin(*this);
  std::vector<unsigned> turn(threads.size());
  std::iota(turn.begin(), turn.end(), 0u);

  const auto resume = [this](Thread& t) {
    current_ = &t;
    accesses_ = 0;
    t.fiber = std::move(t.fiber).resume();
  };
  try {
    if (cluster != nullptr) cluster->enter(*this);
    while (live > 0) {
      if (order > 0) std::shuffle(turn.begin(), turn.end(), random_);
      bool progress = false;
      for (const unsigned i : turn) {
        if (threads[i]->state != State::ready) continue;
        resume(*threads[i]);
        progress = true;
        if (error_) std::rethrow_exception(error_);
      }
      // Copies arrive in the first order as soon as all threads have had a turn, then whenever the seed says so.
      const bool stuck = !progress && units.transfers.empty();
      if (stuck && (cluster == nullptr || cluster->all_others_stuck())) deadlock();
      if (live > 0) land_transfers(order == 0, !progress);
      if (live > 0 && cluster != nullptr) cluster->pass(*this, stuck);
    }
    units_done();
    finish_gathers();
    counts.static_shared =
        static_cast<uint64_t>(std::count_if(static_region.shadow.begin(), static_region.shadow.end(),
                                            [](const Shadow& s) { return s.content != Shadow::unwritten; }));
    if (cluster != nullptr) cluster->leave(*this);
  } catch (...) {
    aborting_ = true;
    for (const auto& t : threads)
      if (t->fiber) resume(*t);
    threads.clear();
    t_block = nullptr;
    if (cluster != nullptr) cluster->abort(*this);
    throw;
  }
  t_block = nullptr;
}

}  // namespace simt
