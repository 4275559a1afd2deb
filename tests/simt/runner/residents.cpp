#include "tests/simt/runner/residents.h"

#include <fmt/format.h>

#include <algorithm>

namespace simt {
namespace {

thread_local Residents* t_residents = nullptr;
thread_local unsigned t_worker = 0;

}  // namespace

Residents* Residents::current() { return t_residents; }

Residents::Turn::Turn(Residents& all) {
  t_residents = &all;
  {
    const std::lock_guard lock(all.mutex_);
    t_worker = all.arrived_++;
  }
  all.wait_for_turn(t_worker);
}

Residents::Turn::~Turn() {
  t_residents->here_[t_worker] = false;
  t_residents->pass(t_worker);
  t_residents = nullptr;
}

void Residents::wait_for_turn(unsigned worker) {
  std::unique_lock lock(mutex_);
  turn_.wait(lock, [&] { return whose_ == worker; });
}

// To one of those that are still here, `from` itself among them.
void Residents::pass(unsigned from) {
  std::vector<unsigned> candidates;
  for (unsigned w = 0; w < here_.size(); ++w)
    if (here_[w]) candidates.push_back(w);
  if (candidates.empty()) return;
  const unsigned next = candidates[random_() % candidates.size()];
  const bool stays = here_[from];
  {
    const std::lock_guard lock(mutex_);
    whose_ = next;
  }
  turn_.notify_all();
  if (stays) wait_for_turn(from);
}

void Residents::begin(const Block& b) {
  Visit& v = visits_[t_worker];
  v = {.block = b.index.x + uint64_t{b.grid.x} * (b.index.y + uint64_t{b.grid.y} * b.index.z),
       .threads = std::vector<Exchange>(b.dim.count()),
       .fenced = {}};
}

bool Residents::received(const Visit& v, const Block& b, const Byte& byte) const {
  return byte.published_at != 0 && byte.published_at < v.threads[b.self().linear].received_at;
}

void Residents::touched(Block& b, uintptr_t address, size_t bytes, Access access) {
  if (access == Access::atomic) return;  // met() is what counts of it
  Visit& v = visits_[t_worker];
  for (uintptr_t a = address; a < address + bytes; ++a) {
    const auto it = bytes_.find(a);
    if (it != bytes_.end() && it->second.block != v.block && !received(v, b, it->second))
      b.fail(fmt::format("{} {}, which block number {} wrote in the same launch and did not hand over ({})",
                         access == Access::read ? "reads" : "writes", describe_address(a), it->second.block,
                         it->second.published_at == 0 ? "no fence, barrier and atomic behind the write"
                                                      : "no atomic, barrier and fence before this access"));
    if (access == Access::write) bytes_[a] = {v.block, 0};
  }
  if (access == Access::write) v.threads[b.self().linear].open.push_back({address, bytes});
}

void Residents::fenced(const Block& b) {
  Visit& v = visits_[t_worker];
  const unsigned thread = b.self().linear;
  Exchange& own = v.threads[thread];
  for (const Range& r : own.open) v.fenced.push_back({r, thread, b.epoch});
  own.open.clear();
  if (v.met_thread == thread || v.met_epoch < b.epoch) own.received_at = v.met_at;
}

void Residents::met(const Block& b) {
  Visit& v = visits_[t_worker];
  const unsigned thread = b.self().linear;
  ++clock_;
  std::erase_if(v.fenced, [&](const Fenced& f) {
    if (f.thread != thread && f.epoch >= b.epoch) return false;
    for (uintptr_t a = f.range.begin; a < f.range.begin + f.range.bytes; ++a)
      if (Byte& byte = bytes_[a]; byte.block == v.block) byte.published_at = clock_;
    return true;
  });
  v.met_at = ++clock_;
  v.met_thread = thread;
  v.met_epoch = b.epoch;
  pass(t_worker);
}

}  // namespace simt
