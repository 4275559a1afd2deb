// Accesses under the runner: the shadow of shared memory, and the hooks that report them.
#include <fmt/format.h>
#include <link.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "tests/simt/runner/block.h"
#include "tests/simt/runner/fault_at.h"
#include "tests/simt/runner/residents.h"

namespace simt {

Module find_module(const void* address) {
  struct Search {
    uintptr_t address;
    Module module;
  } search{reinterpret_cast<uintptr_t>(address), {}};
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* data) {
        auto& s = *static_cast<Search*>(data);
        Module m;
        bool inside = false;
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const auto& ph = info->dlpi_phdr[i];
          const uintptr_t begin = info->dlpi_addr + ph.p_vaddr, end = begin + ph.p_memsz;
          if (ph.p_type == PT_LOAD) {
            inside = inside || (s.address >= begin && s.address < end);
            m.constants.emplace_back(begin, end);
          } else if (ph.p_type == PT_TLS) {
            m.tls = static_cast<unsigned char*>(info->dlpi_tls_data);
            m.tls_bytes = m.tls == nullptr ? 0 : ph.p_memsz;
          }
        }
        if (inside) s.module = m;
        return inside ? 1 : 0;
      },
      &search);
  return search.module;
}

void Block::touch(uintptr_t a, size_t bytes, Access access, const void* site) try {
  if (combining) return;
  Thread& t = *current_;
  if (++accesses_ > options().patience)
    fail(fmt::format("{} accesses without meeting another thread: an endless loop, or a spin on one",
                     options().patience));
  const auto stack = reinterpret_cast<const char*>(a);
  if (stack >= t.stack_low && stack < t.stack_high) {
    if (t.products != nullptr) check_registers(t, a, bytes, access);
    return;
  }
  const auto check_alignment = [&] {
    if (bytes <= 16 && (bytes & (bytes - 1)) == 0 && a % bytes != 0)
      fail(fmt::format("misaligned access of {} bytes at address {:#x}", bytes, a));
  };
  if (access == Access::atomic) ++counts.atomics;
  const char* verb = access == Access::read ? "load" : access == Access::write ? "store" : "atomic";
  for (SharedRegion* r : {&dynamic_region, &static_region}) {
    if (!r->touches(a)) continue;
    if (!r->holds(a, bytes)) fail(fmt::format("{} of {} bytes runs past the end of shared memory", verb, bytes));
    check_alignment();
    check_shared(*r, a, bytes, access);
    if (options().count) gather(a, bytes, access, true, site);
    return;
  }
  if (cluster != nullptr && touch_peer(a, bytes, access, verb)) {
    check_alignment();
    if (options().count) gather(a, bytes, access, true, site);
    return;
  }
  // Arguments first: they are read all the time, and never written.
  const auto closure = reinterpret_cast<uintptr_t>(kernel->closure);
  if (access == Access::read && a >= closure && a + bytes <= closure + kernel->closure_bytes) return;
  if (access == Access::atomic) ++counts.global_atomics;
  if (registered(a, bytes)) {
    check_alignment();
    if (Residents* all = Residents::current()) all->touched(*this, a, bytes, access);
    if (options().count) gather(a, bytes, access, false, site);
    return;
  }
  // A __device__ variable: nothing restores it between the orders, so it is for atomics only; a constant is for reading.
  if (access != Access::write)
    for (const auto& [begin, end] : module.constants)
      if (a >= begin && a + bytes <= end) return check_alignment();
  fail(fmt::format("{} of {} bytes out of bounds: {}", verb, bytes, describe_address(a)));
} catch (const Fault& e) {
  throw FaultAt(e.what(), site);
}

void Block::check_content(const Block& owner, const Shadow& s, size_t at, bool reads) {
  switch (s.content) {
    case Shadow::pending:
      fail(fmt::format("touches {} while cp.async fills it", byte_name(owner, at)));
    case Shadow::in_transfer:
      fail(fmt::format("touches {} while a tensor copy fills it", byte_name(owner, at)));
    case Shadow::mbarrier:
      fail(fmt::format("touches {}, which belongs to an mbarrier", byte_name(owner, at)));
    case Shadow::unwritten:
      if (reads) fail(fmt::format("reads {} that nothing wrote", byte_name(owner, at)));
      break;
    case Shadow::written:
      break;
  }
}

void Block::check_shared(SharedRegion& r, uintptr_t a, size_t bytes, Access access) {
  if (r.shadow.empty()) return;
  const Thread& t = *current_;
  const size_t first = a - reinterpret_cast<uintptr_t>(r.base);
  if (units.order().on()) return check_order(*this, r, first, bytes, access);
  const auto me = static_cast<uint16_t>(t.linear);
  const uint32_t warp_epoch = warps[t.warp].epoch;
  // Whether an earlier access of another thread is not separated from this one by a barrier.
  const auto races = [&](uint16_t other, uint16_t other_warp, uint32_t block_epoch, uint32_t other_warp_epoch) {
    return other != Shadow::kNone && other != me && block_epoch == epoch &&
           (other_warp != t.warp || other_warp_epoch == warp_epoch);
  };
  // Adds this thread to those that touched a byte since the last block barrier, or begins anew.
  const auto join = [&](uint16_t& who, uint16_t& whose_warp, bool together) {
    if (together && who != me && who != Shadow::kNone) {
      whose_warp = whose_warp == t.warp ? whose_warp : Shadow::kMany;
      who = Shadow::kMany;
    } else {
      who = me;
      whose_warp = static_cast<uint16_t>(t.warp);
    }
  };
  const bool reads = access != Access::write, writes = access != Access::read, atomic = access == Access::atomic;
  const char* verb = atomic ? "updates" : reads ? "reads" : "writes";
  for (size_t i = first; i < first + bytes; ++i) {
    Shadow& s = r.shadow[i];
    check_content(*this, s, i, reads);
    if (!(atomic && s.atomic) && races(s.writer, s.writer_warp, s.write_block_epoch, s.write_warp_epoch))
      fail(fmt::format("data race: {} shared byte {} that {} wrote with no barrier between", verb, i,
                       s.writer == Shadow::kMany ? "other threads" : fmt::format("thread {}", s.writer)));
    if (writes && races(s.reader, s.reader_warp, s.read_block_epoch, s.read_warp_epoch))
      fail(fmt::format("data race: {} shared byte {} that another thread read with no barrier between", verb, i));
    if (!writes) {
      join(s.reader, s.reader_warp, s.read_block_epoch == epoch);
      s.read_block_epoch = epoch;
      s.read_warp_epoch = warp_epoch;
      continue;
    }
    // An atomic right after this thread's own plain write leaves that write to be met by other threads.
    const bool plain = s.writer == me && !s.atomic && s.write_block_epoch == epoch && s.write_warp_epoch == warp_epoch;
    join(s.writer, s.writer_warp, atomic && s.atomic && s.write_block_epoch == epoch);
    s.content = Shadow::written;
    s.atomic = atomic && !plain;
    s.copied = false;
    s.write_block_epoch = epoch;
    s.write_warp_epoch = warp_epoch;
  }
}

void Block::write_pending(const AsyncCopy& copy, const Thread& t) {
  const auto a = reinterpret_cast<uintptr_t>(copy.to);
  for (SharedRegion* r : {&dynamic_region, &static_region}) {
    if (!r->holds(a, copy.bytes.size()) || r->shadow.empty()) continue;
    const size_t first = a - reinterpret_cast<uintptr_t>(r->base);
    for (size_t i = first; i < first + copy.bytes.size(); ++i) {
      Shadow& s = r->shadow[i];
      s.content = Shadow::written;
      s.copied = false;
      if (units.order().on()) s.order = {units.order().only(units.order().now(party(t))), 0};
      s.writer = static_cast<uint16_t>(t.linear);
      s.writer_warp = static_cast<uint16_t>(t.warp);
      s.atomic = false;
      s.write_block_epoch = epoch;
      s.write_warp_epoch = warps[t.warp].epoch;
    }
  }
}

void fence() {
  if (Residents* all = Residents::current()) all->fenced(current_block());
}

void touch(const void* address, size_t bytes, Access access, const void* site) {
  if (Block* b = current_block_or_null()) b->touch(reinterpret_cast<uintptr_t>(address), bytes, access, site);
}

template <class T>
T atomic_load(T* p, const void* site) {
  touch(p, sizeof(T), Access::atomic, site);
  return std::atomic_ref<T>(*p).load();
}
template <class T>
bool atomic_exchange_if(T* p, T& expected, T desired) {
  const bool stored = std::atomic_ref<T>(*p).compare_exchange_strong(expected, desired);
  Residents* all = Residents::current();
  if (stored && all != nullptr && !current_block().shared(reinterpret_cast<uintptr_t>(p))) all->met(current_block());
  return stored;
}
template uint32_t atomic_load(uint32_t*, const void*);
template uint64_t atomic_load(uint64_t*, const void*);
template bool atomic_exchange_if(uint32_t*, uint32_t&, uint32_t);
template bool atomic_exchange_if(uint64_t*, uint64_t&, uint64_t);

}  // namespace simt

// The compiler's hooks (-fsanitize=thread): called before every load and store of the kernels' shared object.
#define KITH_HOOK(name, bytes, access) \
  extern "C" void name(void* a) { simt::touch(a, bytes, simt::Access::access, __builtin_return_address(0)); }
KITH_HOOK(__tsan_read1, 1, read)
KITH_HOOK(__tsan_read2, 2, read)
KITH_HOOK(__tsan_read4, 4, read)
KITH_HOOK(__tsan_read8, 8, read)
KITH_HOOK(__tsan_read16, 16, read)
KITH_HOOK(__tsan_write1, 1, write)
KITH_HOOK(__tsan_write2, 2, write)
KITH_HOOK(__tsan_write4, 4, write)
KITH_HOOK(__tsan_write8, 8, write)
KITH_HOOK(__tsan_write16, 16, write)
KITH_HOOK(__tsan_unaligned_read2, 2, read)
KITH_HOOK(__tsan_unaligned_read4, 4, read)
KITH_HOOK(__tsan_unaligned_read8, 8, read)
KITH_HOOK(__tsan_unaligned_read16, 16, read)
KITH_HOOK(__tsan_unaligned_write2, 2, write)
KITH_HOOK(__tsan_unaligned_write4, 4, write)
KITH_HOOK(__tsan_unaligned_write8, 8, write)
KITH_HOOK(__tsan_unaligned_write16, 16, write)
#undef KITH_HOOK
extern "C" void __tsan_init() {}
extern "C" void __tsan_func_entry(void*) {}
extern "C" void __tsan_func_exit() {}
extern "C" void __tsan_vptr_update(void**, void*) {}
extern "C" void __tsan_read_range(void* a, size_t bytes) {
  simt::touch(a, bytes, simt::Access::read, __builtin_return_address(0));
}
extern "C" void __tsan_write_range(void* a, size_t bytes) {
  simt::touch(a, bytes, simt::Access::write, __builtin_return_address(0));
}
