// bfloat16 on the host: storage, and conversions that round as the device does.
#pragma once
#include <bit>
#include <cstdint>
#include <type_traits>

namespace kith {

// The upper half of an f32: 8 bits of exponent, 8 of precision. The layout is __nv_bfloat16's.
struct bf16 {
  uint16_t bits = 0;
};

constexpr float widen(bf16 value) { return std::bit_cast<float>(uint32_t{value.bits} << 16); }

// Rounds to nearest, ties to even; NaN stays NaN (the payload could round away, so the quiet bit is set).
constexpr bf16 narrow(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return {static_cast<uint16_t>((bits >> 16) | 0x40u)};
  return {static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
}

// For code that is one template for every type of activation: what it computes in, and the way there and back.
template <class A>
using Arithmetic = std::conditional_t<std::is_same_v<A, bf16>, float, A>;
constexpr float widen(float value) { return value; }
constexpr double widen(double value) { return value; }
template <class A>
constexpr A rounded_to(Arithmetic<A> value) {
  if constexpr (std::is_same_v<A, bf16>)
    return narrow(value);
  else
    return value;
}

}  // namespace kith
