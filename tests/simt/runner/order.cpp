#include "tests/simt/runner/order.h"

#include <algorithm>

namespace simt {
namespace {

void raise(std::vector<uint32_t>& to, const std::vector<uint32_t>& from) {
  if (to.size() < from.size()) to.resize(from.size(), 0);
  for (size_t i = 0; i < from.size(); ++i) to[i] = std::max(to[i], from[i]);
}

void lower(std::vector<uint32_t>& to, const std::vector<uint32_t>& from) {
  to.resize(std::min(to.size(), from.size()));  // what is not there is 0
  for (size_t i = 0; i < to.size(); ++i) to[i] = std::min(to[i], from[i]);
}

uint32_t at(const std::vector<uint32_t>& times, Order::Party who) { return who < times.size() ? times[who] : 0; }

}  // namespace

void Order::Knowledge::join(const Knowledge& k) {
  raise(seen, k.seen);
  raise(visible, k.visible);
}

void Order::Knowledge::meet(const Knowledge& k) {
  lower(seen, k.seen);
  lower(visible, k.visible);
}

void Order::Knowledge::set(Party who, uint32_t time) {
  for (std::vector<uint32_t>* times : {&seen, &visible}) {
    if (times->size() <= who) times->resize(who + size_t{1}, 0);
    (*times)[who] = std::max((*times)[who], time);
  }
}

void Order::begin(unsigned threads) {
  on_ = false;
  threads_ = threads, others_ = 0;
  parties_.clear();
  sets_.clear();
  larger_.clear();
  last_key_ = {}, last_set_ = 0;
}

void Order::turn_on(uint32_t barriers_passed) {
  if (on_) return;
  on_ = true;
  sets_.resize(1);  // the empty one
  // Time until now is the number of barriers: what was before the last of them is known to all.
  Knowledge all;
  all.seen.assign(threads_, barriers_passed);
  all.visible.assign(threads_, 0);
  parties_.assign(threads_, all);
  for (unsigned t = 0; t < threads_; ++t) parties_[t].seen[t] = barriers_passed + 1;
}

Order::Party Order::add_party() { return static_cast<Party>(threads_ + others_++); }

void Order::release(Party thread, Knowledge& to) {
  to.join(parties_[thread]);
  ++parties_[thread].seen[thread];
}

void Order::learn(Party thread, Stamp s) { parties_[thread].set(s.who, s.time); }

bool Order::heard_of(Party thread, Party first, size_t count) const {
  const std::vector<uint32_t>& seen = parties_[thread].seen;
  return std::any_of(seen.begin() + first, seen.begin() + first + static_cast<ptrdiff_t>(count),
                     [](uint32_t time) { return time > 0; });
}

void Order::meet(const std::vector<Party>& threads) {
  Knowledge all;
  for (const Party t : threads) all.join(parties_[t]);
  for (const Party t : threads) {
    parties_[t] = all;
    ++parties_[t].seen[t];
  }
}

void Order::fence_proxy(Party thread) {
  Knowledge& k = parties_[thread];
  raise(k.visible, k.seen);
  ++k.seen[thread];
}

std::optional<Order::Stamp> Order::unordered(uint32_t set, const Knowledge& k, Proxy proxy) const {
  for (const Stamp& s : sets_[set])
    if (at(proxy == Proxy::async ? k.visible : k.seen, s.who) < s.time) return s;
  return std::nullopt;
}

uint32_t Order::with(uint32_t set, Stamp s) {
  const std::tuple key{set, s.who, s.time};
  if (key == last_key_) return last_set_;
  const auto [it, fresh] = larger_.try_emplace(key, static_cast<uint32_t>(sets_.size()));
  if (fresh) {
    std::vector<Stamp> stamps = sets_[set];
    const auto own = std::ranges::find(stamps, s.who, &Stamp::who);
    if (own == stamps.end())
      stamps.push_back(s);
    else if (own->time == s.time)
      it->second = set;
    else
      own->time = s.time;
    if (it->second != set) sets_.push_back(std::move(stamps));
  }
  last_key_ = key, last_set_ = it->second;
  return last_set_;
}

}  // namespace simt
