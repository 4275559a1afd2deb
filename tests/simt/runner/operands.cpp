// Layouts of operands in shared memory as in the PTX ISA, "Asynchronous warpgroup level matrix instructions".
#include "tests/simt/runner/operands.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace simt {
namespace {

// Rows of 16 elements that a descriptor names, as a product reads them.
struct Operand {
  unsigned start, leading, stride;
  Swizzle swizzle;

  explicit Operand(uint64_t d)
      : start(static_cast<unsigned>(d & 0x3FFF) << 4),
        leading(static_cast<unsigned>(d >> 16 & 0x3FFF) << 4),
        stride(static_cast<unsigned>(d >> 32 & 0x3FFF) << 4),
        swizzle((d >> 62) == 0 ? Swizzle::none : static_cast<Swizzle>(4 - (d >> 62))) {}  // 1: 128 bytes, 3: 32
  uintptr_t at(unsigned row, unsigned half) const {                                       // 16 bytes, in the window
    const uintptr_t group = start + uintptr_t{row} / 8 * stride;
    if (swizzle == Swizzle::none) return group + half * leading + row % 8 * 16;
    return swizzled(group + row % 8 * span_of(swizzle) + half * 16, swizzle);
  }
  std::string unfit(uint64_t d) const {
    if ((d >> 49 & 7) != 0) return "a base offset: not emulated";
    const unsigned span = span_of(swizzle);
    if (swizzle == Swizzle::none) return "";
    if (start % (8 * span) >= span)
      return fmt::format("a start {} bytes into a pattern of {}: past its first row", start % (8 * span), 8 * span);
    if (start % span + 32 > span) return fmt::format("16 elements that leave their row of {} bytes", span);
    if (stride % (8 * span) != 0)
      return fmt::format("a stride of {} bytes, no multiple of a pattern of {}", stride, 8 * span);
    return "";
  }
};

// The same with N innermost, of 128-byte rows: 64 elements along N for each along K.
struct OperandAcross : Operand {
  using Operand::Operand;
  uintptr_t at(unsigned k, unsigned n) const {
    return swizzled(start + uintptr_t{n} / 64 * leading + uintptr_t{k} / 8 * stride + k % 8 * 128 + n % 64 * 2,
                    swizzle);
  }
  std::string unfit(uint64_t d) const {
    if (swizzle != Swizzle::bytes128) return "N innermost without a swizzle of 128 bytes: not emulated";
    if (start % 1024 != 0)
      return fmt::format("a start {} bytes into a pattern of 1024, with N innermost", start % 1024);
    if (leading % 1024 != 0) return fmt::format("{} bytes to its next 64 columns, no multiple of a pattern", leading);
    return Operand::unfit(d);
  }
};

// Passes over the banks that 8 rows of 16 bytes take.
unsigned passes(const std::array<uintptr_t, 8>& rows) {
  std::array<unsigned, 8> of_banks{};
  for (const uintptr_t a : rows) ++of_banks[a / 16 % 8];
  return *std::ranges::max_element(of_banks);
}

}  // namespace

void read_operand(Block& b, uint64_t descriptor, unsigned rows, const char* name, const Order::Knowledge& known,
                  Order::Stamp stamp, uint16_t* out) {
  const Operand o(descriptor);
  if (const std::string why = o.unfit(descriptor); !why.empty()) b.fail(fmt::format("wgmma: {} by {}", name, why));
  for (unsigned half = 0; half < 2; ++half)
    for (unsigned group = 0; group < rows; group += 8) {
      std::array<uintptr_t, 8> at{};
      for (unsigned r = 0; r < 8; ++r) {
        at[r] = o.at(group + r, half);
        const uintptr_t a = at[r] - kWindow + reinterpret_cast<uintptr_t>(b.dynamic_region.base);
        b.check_unit(b, a, 16, Block::Unit::product, known, stamp, o.swizzle);
        std::memcpy(out + (group + r) * kK + 8 * half, reinterpret_cast<const void*>(a), 16);
      }
      ++b.counts.shared_accesses;
      ++b.counts.shared_ideal;
      b.counts.shared_wavefronts += passes(at);
    }
}

void read_operand_across(Block& b, uint64_t descriptor, unsigned columns, const char* name,
                         const Order::Knowledge& known, Order::Stamp stamp, uint16_t* out) {
  const OperandAcross o(descriptor);
  if (const std::string why = o.unfit(descriptor); !why.empty()) b.fail(fmt::format("wgmma: {} by {}", name, why));
  for (unsigned k0 = 0; k0 < kK; k0 += 8)
    for (unsigned n = 0; n < columns; n += 8) {
      std::array<uintptr_t, 8> at{};
      for (unsigned k = 0; k < 8; ++k) {
        at[k] = o.at(k0 + k, n);
        const uintptr_t a = at[k] - kWindow + reinterpret_cast<uintptr_t>(b.dynamic_region.base);
        b.check_unit(b, a, 16, Block::Unit::product, known, stamp, o.swizzle);
        for (unsigned e = 0; e < 8; ++e)
          std::memcpy(out + (n + e) * kK + k0 + k, reinterpret_cast<const uint16_t*>(a) + e, 2);
      }
      ++b.counts.shared_accesses;
      ++b.counts.shared_ideal;
      b.counts.shared_wavefronts += passes(at);
    }
}

}  // namespace simt
