// Products of a warpgroup (wgmma): operands from shared memory by descriptor (operands.cpp) or from registers, results that are
// there after the wait. Layouts as in the PTX ISA, "Asynchronous warpgroup level matrix instructions".
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "tests/simt/runner/operands.h"

namespace simt {
namespace {

constexpr unsigned kM = 64;

bool overlap(uintptr_t a, size_t a_bytes, uintptr_t b, size_t b_bytes) { return a < b + b_bytes && b < a + a_bytes; }
template <class T>
bool overlap(const T* a, size_t count, uintptr_t b, size_t bytes) {
  return overlap(reinterpret_cast<uintptr_t>(a), count * sizeof(T), b, bytes);
}

InFlight& products_of(Thread& t) {
  if (t.products == nullptr) t.products = std::make_unique<InFlight>();
  return *t.products;
}

// Whether the thread has touched any of these words of its stack since its last fence.
bool touched(const Thread& t, const void* words, size_t count) {
  const InFlight& p = *t.products;
  const auto first = static_cast<size_t>(static_cast<const char*>(words) - t.stack_low) / 4;
  for (size_t w = first; w < first + count && w / 64 < p.touched.size(); ++w)
    if (p.touched[w / 64] >> w % 64 & 1) return true;
  return false;
}

void check_before(Block& b, Thread& t, const Wgmma& w) {
  const InFlight& p = products_of(t);
  if (w.n % 8 != 0 || w.n < 8 || w.n > 256) b.fail(fmt::format("wgmma of {} columns", w.n));
  if (!p.fenced) b.fail("wgmma with no wgmma.fence before it");
  if (touched(t, w.d, w.n / 2)) b.fail("wgmma on accumulators that were touched since the last wgmma.fence");
  if (w.a_registers != nullptr && touched(t, w.a_registers, 4))
    b.fail("wgmma of an operand in registers that were touched since the last wgmma.fence");
  for (const InFlight::Accumulators& a : p.accumulators)
    if ((a.d != w.d || a.count != w.n / 2) && overlap(a.d, a.count, reinterpret_cast<uintptr_t>(w.d), 2 * w.n))
      b.fail("wgmma on accumulators of a product of another shape that is under way");
}

// What all threads of the warpgroup say of their common product must agree.
void check_alike(Block& b, const Wgmma& w, const Wgmma& o) {
  if (w.n != o.n || w.product != o.product || w.b != o.b || w.of_b != o.of_b || w.add != o.add ||
      (w.a_registers == nullptr) != (o.a_registers == nullptr) || (w.a_registers == nullptr && w.a != o.a))
    b.fail("wgmma whose operands are not the same in all threads of the warpgroup");
}

void keep(Thread& t, const Wgmma& w, std::vector<float> values) {
  InFlight& p = *t.products;
  const uint32_t group = p.committed + 1;
  if (w.a_registers != nullptr) p.operands.push_back({w.a_registers, group});
  std::memset(w.d, 0xFF, sizeof(float) * values.size());  // what is read too early is NaN
  const auto known = std::ranges::find(p.accumulators, w.d, &InFlight::Accumulators::d);
  if (known == p.accumulators.end())
    p.accumulators.push_back({w.d, w.n / 2, std::move(values), group});
  else
    known->values = std::move(values), known->group = group;
}

}  // namespace

void Units::begin(unsigned threads, Order* of_cluster) {
  shared = of_cluster;
  if (shared == nullptr) alone.begin(threads);
  named.fill({});
  barriers.clear();
  transfers.clear();
  warpgroups.assign((threads + kWarpgroup - 1) / kWarpgroup, {});
}

void Block::check_registers(Thread& t, uintptr_t a, size_t bytes, Access access) {
  InFlight& p = *t.products;
  for (const InFlight::Accumulators& d : p.accumulators)
    if (overlap(d.d, d.count, a, bytes))
      fail("touches accumulators of a product under way: no wgmma.wait_group has completed it");
  for (const InFlight::Operand& o : p.operands)
    if (access == Access::write && overlap(o.a, 4, a, bytes))
      fail("overwrites registers that a product under way reads: no wgmma.wait_group has completed it");
  if (!p.fenced) return;
  const auto first = (a - reinterpret_cast<uintptr_t>(t.stack_low)) / 4;
  if (p.touched.empty()) p.touched.assign(options().stack_bytes / 4 / 64 + 1, 0);
  for (size_t w = first; w <= first + (bytes - 1) / 4; ++w) p.touched[w / 64] |= uint64_t{1} << w % 64;
  p.lowest = std::min(p.lowest, first / 64);
  p.highest = std::max(p.highest, (first + (bytes - 1) / 4) / 64 + 1);
}

Warpgroup& Block::warpgroup_of(const Thread& t, const char* what) {
  const size_t w = t.linear / kWarpgroup;
  if ((w + 1) * kWarpgroup > threads.size())
    fail(fmt::format("{} in a warpgroup of {} threads", what, threads.size() - w * kWarpgroup));
  return units.warpgroups[w];
}

bool Block::warpgroup_arrives(State state, const char* name, const void* in, Where where) {
  Thread& t = *current_;
  const size_t first = t.linear / kWarpgroup * kWarpgroup;
  t.waiting = name;
  t.where = where;
  t.in = in;
  t.state = state;
  at_products += state == State::warpgroup;
  for (size_t i = first; i < first + kWarpgroup; ++i) {
    const Thread& other = *threads[i];
    if (other.state == State::done) fail(fmt::format("{}, but thread {} of the warpgroup has exited", name, i));
    if (other.state == state && std::strcmp(other.waiting, name) != 0)
      fail(fmt::format("{} meets thread {} in {} ({})", name, i, other.waiting, line_of(other.where)));
    if (other.state != state) {
      yield();
      return false;
    }
  }
  for (size_t i = first; i < first + kWarpgroup; ++i) threads[i]->state = State::ready;
  if (state == State::warpgroup) at_products -= kWarpgroup;
  return true;
}

uint32_t shared_address(const void* p) {
  const Block& b = current_block();
  const auto offset = reinterpret_cast<uintptr_t>(p) - reinterpret_cast<uintptr_t>(b.dynamic_region.base);
  return static_cast<uint32_t>(kWindow + offset);
}

void warpgroup_fence() {
  Block& b = current_block();
  b.follow_order();
  Thread& t = b.self();
  b.warpgroup_of(t, "wgmma.fence");
  InFlight& p = products_of(t);
  p.fenced = true;
  if (p.highest > p.lowest)
    std::fill(p.touched.begin() + static_cast<ptrdiff_t>(p.lowest),
              p.touched.begin() + static_cast<ptrdiff_t>(p.highest), 0);
  p.lowest = ~size_t{0}, p.highest = 0;
}

void wgmma(const Wgmma& w, Where where) {
  Block& b = current_block();
  Thread& t = b.self();
  if (options().device.sm != 90) b.fail(fmt::format("wgmma on a device of sm_{}", options().device.sm));
  Warpgroup& group = b.warpgroup_of(t, "wgmma");
  b.follow_order();
  check_before(b, t, w);
  if (!b.warpgroup_arrives(State::warpgroup, "wgmma.mma_async", &w, where)) return;

  if (!group.used) group.products = b.units.order().add_party(), group.used = true;
  const size_t first = t.linear / kWarpgroup * kWarpgroup;
  const auto deposit = [&](size_t i) -> const Wgmma& { return *static_cast<const Wgmma*>(b.threads[first + i]->in); };
  Order::Knowledge known = b.units.order().of(b.party(*b.threads[first]));  // what all of its threads know
  for (size_t i = 0; i < kWarpgroup; ++i) {
    check_alike(b, w, deposit(i));
    if (b.threads[first + i]->products->committed != t.products->committed)
      b.fail("wgmma in threads of a warpgroup that have not committed as many groups");
    known.meet(b.units.order().of(b.party(*b.threads[first + i])));
  }
  const Order::Stamp stamp{group.products, t.products->committed + 1};
  std::vector<uint16_t> a_rows(kM * kK), b_rows(w.n * kK);
  std::vector<float> d(kM * w.n);
  if (w.a_registers == nullptr) read_operand(b, w.a, kM, "A", known, stamp, a_rows.data());
  const auto read_b = w.of_b == Inner::k ? read_operand : read_operand_across;
  read_b(b, w.b, w.n, "B", known, stamp, b_rows.data());
  const auto row_of = [](size_t thread, unsigned half) { return thread / 32 * 16 + thread % 32 / 4 + 8 * half; };
  for (size_t i = 0; i < kWarpgroup; ++i) {
    const Wgmma& o = deposit(i);
    if (o.a_registers != nullptr)
      for (unsigned r = 0; r < 4; ++r)
        std::memcpy(&a_rows[row_of(i, r % 2) * kK + 8 * (r / 2) + 2 * (i % 4)], &o.a_registers[r], 4);
    if (!w.add) continue;
    const InFlight& p = *b.threads[first + i]->products;
    const auto kept = std::ranges::find(p.accumulators, o.d, &InFlight::Accumulators::d);
    const float* values = kept == p.accumulators.end() ? o.d : kept->values.data();
    for (unsigned v = 0; v < w.n / 2; ++v) d[row_of(i, v / 2 % 2) * w.n + v / 4 * 8 + 2 * (i % 4) + v % 2] = values[v];
  }
  b.combining = true;  // the accesses of its arithmetic are nobody's
  w.product(w.n, a_rows.data(), b_rows.data(), d.data());
  b.combining = false;
  for (size_t i = 0; i < kWarpgroup; ++i) {
    std::vector<float> values(w.n / 2);
    for (unsigned v = 0; v < w.n / 2; ++v) values[v] = d[row_of(i, v / 2 % 2) * w.n + v / 4 * 8 + 2 * (i % 4) + v % 2];
    keep(*b.threads[first + i], deposit(i), std::move(values));
  }
  ++b.counts.wgmma;
  b.counts.wgmma_flops += uint64_t{2} * kM * w.n * kK;
}

void wgmma_commit() {
  Block& b = current_block();
  b.follow_order();
  b.warpgroup_of(b.self(), "wgmma.commit_group");
  ++products_of(b.self()).committed;
}

void wgmma_wait(unsigned groups_left) {
  Block& b = current_block();
  b.follow_order();
  Thread& t = b.self();
  const Warpgroup& group = b.warpgroup_of(t, "wgmma.wait_group");
  InFlight& p = products_of(t);
  if (p.committed <= groups_left) return;
  p.completed = std::max(p.completed, p.committed - groups_left);
  std::erase_if(p.accumulators, [&](const InFlight::Accumulators& a) {
    if (a.group > p.completed) return false;
    std::memcpy(a.d, a.values.data(), sizeof(float) * a.count);
    return true;
  });
  std::erase_if(p.operands, [&](const InFlight::Operand& o) { return o.group <= p.completed; });
  if (group.used) b.units.order().learn(b.party(t), {group.products, p.completed});
}

}  // namespace simt
