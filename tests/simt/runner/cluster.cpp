#include "tests/simt/runner/cluster.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/simt/runner/hopper.h"

namespace simt {

Cluster::Cluster(unsigned size, unsigned threads, uint64_t seed, Draw draw)
    : draw_(std::move(draw)),
      threads_(threads),
      gathering_(size, [this] { begin(); }),
      prepared_(size),
      blocks_(size, nullptr),
      random_(seed) {}

void Cluster::begin() {
  number_ = draw_();
  here_.assign(size(), true);
  running_ = size(), stuck_ = 0;
  aborted_ = false;
  order_.begin(size() * threads_);
  order_.turn_on(0);
  live_ = size() * threads_, arrived_ = 0, phases_ = 0;
  arriving_ = {}, passed_ = {};
  whose_ = 0;
}

std::optional<uint64_t> Cluster::next() {
  gathering_.arrive_and_wait();
  return number_;
}

void Cluster::enter(Block& b) {
  blocks_[b.rank] = &b;
  prepared_.arrive_and_wait();
  std::unique_lock lock(mutex_);
  turn_.wait(lock, [&] { return whose_ == b.rank; });
  if (aborted_) throw ClusterAborted{};
}

void Cluster::give(unsigned rank) {
  {
    const std::lock_guard lock(mutex_);
    whose_ = rank;
  }
  turn_.notify_all();
}

void Cluster::pass(Block& b, bool stuck) {
  stuck_ = stuck ? stuck_ + 1 : 0;
  if (!stuck && random_() % 8 != 0) return;
  unsigned next = b.rank;
  do next = (next + 1) % size();
  while (!here_[next]);
  if (next == b.rank) return;
  give(next);
  std::unique_lock lock(mutex_);
  turn_.wait(lock, [&] { return whose_ == b.rank; });
  if (aborted_) throw ClusterAborted{};
}

void Cluster::leave(Block& b) {
  here_[b.rank] = false;
  --running_;
  stuck_ = 0;
  const auto next = std::ranges::find(here_, true);
  if (next != here_.end()) give(static_cast<unsigned>(next - here_.begin()));
}

void Cluster::abort(Block& b) {
  aborted_ = true;
  leave(b);
}

Block* Cluster::holder(uintptr_t address) const {
  for (Block* b : blocks_)
    if (b->shared(address)) return b;
  return nullptr;
}

void Cluster::complete_where_all_arrived() {
  if (arrived_ == 0 || arrived_ < live_) return;
  arrived_ = 0;
  ++phases_;
  passed_.join(arriving_);
  arriving_ = {};
  for (Block* b : blocks_) {
    ++b->counts.block_barriers;
    for (const auto& t : b->threads)
      if (t->state == State::cluster) t->state = State::ready;
  }
}

void Cluster::arrive(Block& b, Thread& t) {
  t.at_cluster = true;
  t.cluster_phase = phases_;
  order_.release(b.party(t), arriving_);
  ++arrived_;
  complete_where_all_arrived();
}

void Cluster::wait(Block& b, Thread& t) {
  while (phases_ == t.cluster_phase) {
    t.state = State::cluster;
    b.yield();
  }
  order_.acquire(b.party(t), passed_);
  t.at_cluster = false;
}

void Cluster::thread_exits(Block& b, Thread& t) {
  b.left.join(order_.of(b.party(t)));
  --live_;
  if (t.at_cluster && t.cluster_phase == phases_) --arrived_;
  complete_where_all_arrived();
}

std::string Cluster::arrivals() const {
  return fmt::format("{} of {} threads of the cluster have arrived", arrived_, live_);
}

std::string Cluster::waiting_beside(const Block& b) const {
  std::string text;
  for (const Block* other : blocks_)
    if (other != &b && here_[other->rank])
      text += fmt::format("; block {} of its cluster{}", other->rank, other->waiting_threads());
  return text;
}

std::string Cluster::unit_name(Order::Party who, const Block& seen_from) const {
  for (const Block* b : blocks_)
    for (const Warpgroup& w : b->units.warpgroups)
      if (b != &seen_from && w.used && w.products == who)
        return fmt::format("a product of block {} of its cluster", b->rank);
  return "a tensor copy";
}

// ---- what a block's threads do ----
namespace {

Cluster& cluster_of(Block& b, const char* what) {
  if (b.cluster == nullptr) b.fail(fmt::format("{} in a launch without clusters", what));
  return *b.cluster;
}

}  // namespace

SharedRegion* Block::region_of(uintptr_t a) {
  for (SharedRegion* r : {&dynamic_region, &static_region})
    if (r->touches(a)) return r;
  return nullptr;
}

void Block::visit(Block& owner, const char* verb) {
  const Order::Party me = party(*current_);
  if (owner.live == 0)
    fail(fmt::format("{} of shared memory of block {} of its cluster, which has exited", verb, owner.rank));
  if (!units.order().heard_of(me, static_cast<Order::Party>(owner.rank * dim.count()), dim.count()))
    fail(
        fmt::format("{} of shared memory of block {} of its cluster, which may not have begun: no barrier of the "
                    "cluster before",
                    verb, owner.rank));
  owner.visits[me] = units.order().now(me).time;
}

bool Block::touch_peer(uintptr_t a, size_t bytes, Access access, const char* verb) {
  Block* owner = cluster->holder(a);
  if (owner == nullptr) return false;
  visit(*owner, verb);
  SharedRegion& r = *owner->region_of(a);
  if (!r.holds(a, bytes))
    fail(fmt::format("{} of {} bytes runs past the end of shared memory of block {} of its cluster", verb, bytes,
                     owner->rank));
  if (!r.shadow.empty()) check_order(*owner, r, a - reinterpret_cast<uintptr_t>(r.base), bytes, access);
  return true;
}

unsigned cluster_rank() { return current_block().rank; }
unsigned cluster_blocks() {
  const Block& b = current_block();
  return b.cluster == nullptr ? 1 : b.cluster->size();
}

void cluster_arrive(Where where) {
  constexpr const char* kName = "barrier.cluster.arrive";
  Block& b = current_block();
  Cluster& c = cluster_of(b, kName);
  char nothing = 0;
  collective(
      kName, live_mask(), &nothing, &nothing, [](const void* const*, void* const*, unsigned) {}, where);
  if (b.self().at_cluster) b.fail(fmt::format("{} twice with no barrier.cluster.wait between", kName));
  c.arrive(b, b.self());
}

void cluster_wait(Where where) {
  constexpr const char* kName = "barrier.cluster.wait";
  Block& b = current_block();
  Cluster& c = cluster_of(b, kName);
  if (!b.self().at_cluster) b.fail(fmt::format("{} with no barrier.cluster.arrive before it", kName));
  b.self().waiting = kName;
  b.self().where = where;
  c.wait(b, b.self());
}

void* of_block(void* shared, unsigned rank) {
  Block& b = current_block();
  Cluster& c = cluster_of(b, "mapa");
  if (rank >= c.size()) b.fail(fmt::format("mapa to block {} of a cluster of {}", rank, c.size()));
  const SharedRegion* own = b.region_of(reinterpret_cast<uintptr_t>(shared));
  if (own == nullptr) b.fail("mapa of an address outside the block's shared memory");
  Block& other = c.block(rank);
  const SharedRegion& theirs = own == &b.dynamic_region ? other.dynamic_region : other.static_region;
  return theirs.base + (static_cast<unsigned char*>(shared) - own->base);
}

}  // namespace simt
