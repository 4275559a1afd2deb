// setmaxnreg: registers that move between the warpgroups of a block.
#include <fmt/format.h>

#include <algorithm>

#include "tests/simt/runner/block.h"

namespace simt {

// The registers of a block are those its threads began with; what some warpgroups give back others can take.
void set_registers(unsigned count, bool more, Where where) {
  Block& b = current_block();
  Thread& t = b.self();
  const char* name = more ? "setmaxnreg.inc" : "setmaxnreg.dec";
  if (options().device.sm != 90) b.fail(fmt::format("{} on a device of sm_{}", name, options().device.sm));
  if (count % 8 != 0 || count < 24 || count > 256) b.fail(fmt::format("{} to {} registers", name, count));
  Warpgroup& group = b.warpgroup_of(t, name);
  const auto known = options().registers.find(b.kernel->name);
  const auto all = static_cast<unsigned>(b.threads.size());
  const unsigned fit = std::min(256u, 65536 / all / 8 * 8),
                 begun = known == options().registers.end() ? fit : std::min(fit, (known->second + 7u) / 8 * 8);
  const auto held = [&](const Warpgroup& w) { return w.registers == 0 ? begun : w.registers; };
  if (more ? count < held(group) : count > held(group))
    b.fail(fmt::format("{} to {} registers from {}", name, count, held(group)));
  if (b.warpgroup_arrives(State::warpgroup, name, nullptr, where)) group.wanted = count;
  const auto grant = [&](Warpgroup& w) {
    unsigned others = 0;
    for (const Warpgroup& o : b.units.warpgroups) others += &o == &w ? 0 : held(o);
    if (w.wanted == 0 || (others + w.wanted) * kWarpgroup > begun * all) return;
    w.registers = w.wanted, w.wanted = 0;
  };
  for (Warpgroup& w : b.units.warpgroups) grant(w);
  for (const auto& other : b.threads)
    if (other->state == State::registers && b.units.warpgroups[other->linear / kWarpgroup].wanted == 0)
      other->state = State::ready;
  while (group.wanted != 0) {
    t.waiting = name;
    t.where = where;
    t.state = State::registers;
    b.yield();
  }
}

}  // namespace simt
