// Shuffles, votes, matches and reductions of a warp for the SIMT runner. Included by cuda_runtime.h.
#pragma once
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "tests/simt/runner/runtime.h"

namespace simt_detail {

template <class T>
struct ShuffleIn {
  T value;
  int source;  // lane whose value is wanted
};

template <class T>
T shuffle(const char* name, unsigned mask, T value, int source, simt::Where where) {
  static_assert(std::is_trivially_copyable_v<T> && (sizeof(T) == 4 || sizeof(T) == 8 || sizeof(T) == 2));
  const ShuffleIn<T> in{value, source};
  T out;
  simt::collective(
      name, mask, &in, &out,
      [](const void* const* ins, void* const* outs, unsigned m) {
        for (int l = 0; l < 32; ++l) {
          if ((m >> l & 1) == 0) continue;
          const int source_lane = static_cast<const ShuffleIn<T>*>(ins[l])->source;
          // A shuffle from a lane outside the mask is undefined: NaN shows it.
          if (ins[source_lane] == nullptr)
            std::memset(outs[l], 0xFF, sizeof(T));
          else
            std::memcpy(outs[l], &static_cast<const ShuffleIn<T>*>(ins[source_lane])->value, sizeof(T));
        }
      },
      where);
  return out;
}

template <class T, class R, class F>
R reduce(const char* name, unsigned mask, T value, simt::Where where, F) {
  R out{};
  simt::collective(
      name, mask, &value, &out,
      [](const void* const* ins, void* const* outs, unsigned m) {
        T v[32] = {};
        for (int l = 0; l < 32; ++l)
          if (m >> l & 1) std::memcpy(&v[l], ins[l], sizeof(T));
        for (int l = 0; l < 32; ++l)
          if (m >> l & 1) {
            const R r = F{}(v, m, l);
            std::memcpy(outs[l], &r, sizeof(R));
          }
      },
      where);
  return out;
}

template <class T, class F>
T fold(const T* v, unsigned mask, F f) {
  bool first = true;
  T r{};
  for (int l = 0; l < 32; ++l)
    if (mask >> l & 1) r = first ? v[l] : f(r, v[l]), first = false;
  return r;
}

}  // namespace simt_detail

template <class T>
T __shfl_sync(unsigned mask, T v, int source, int width = 32, simt::Where w = simt::Where::current()) {
  const int lane = static_cast<int>(simt::lane_id());
  return simt_detail::shuffle("__shfl_sync", mask, v, lane / width * width + (source & (width - 1)), w);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T v, int bits, int width = 32, simt::Where w = simt::Where::current()) {
  const int lane = static_cast<int>(simt::lane_id()), source = lane ^ bits;
  return simt_detail::shuffle("__shfl_xor_sync", mask, v, source / width > lane / width ? lane : source, w);
}
template <class T>
T __shfl_up_sync(unsigned mask, T v, unsigned delta, int width = 32, simt::Where w = simt::Where::current()) {
  const int lane = static_cast<int>(simt::lane_id()), source = lane - static_cast<int>(delta);
  return simt_detail::shuffle("__shfl_up_sync", mask, v, source < lane / width * width ? lane : source, w);
}
template <class T>
T __shfl_down_sync(unsigned mask, T v, unsigned delta, int width = 32, simt::Where w = simt::Where::current()) {
  const int lane = static_cast<int>(simt::lane_id()), source = lane + static_cast<int>(delta);
  return simt_detail::shuffle("__shfl_down_sync", mask, v, source >= (lane / width + 1) * width ? lane : source, w);
}
inline unsigned __ballot_sync(unsigned mask, int p, simt::Where w = simt::Where::current()) {
  return simt_detail::reduce<int, unsigned>("__ballot_sync", mask, p, w, [](const int* v, unsigned m, int) {
    unsigned r = 0;
    for (int l = 0; l < 32; ++l)
      if ((m >> l & 1) && v[l] != 0) r |= 1u << l;
    return r;
  });
}
inline int __any_sync(unsigned mask, int p, simt::Where w = simt::Where::current()) {
  return __ballot_sync(mask, p, w) != 0;
}
inline int __all_sync(unsigned mask, int p, simt::Where w = simt::Where::current()) {
  return __ballot_sync(mask, p, w) == mask;
}
template <class T>
unsigned __match_any_sync(unsigned mask, T value, simt::Where w = simt::Where::current()) {
  return simt_detail::reduce<T, unsigned>("__match_any_sync", mask, value, w, [](const T* v, unsigned m, int lane) {
    unsigned r = 0;
    for (int l = 0; l < 32; ++l)
      if ((m >> l & 1) && v[l] == v[lane]) r |= 1u << l;
    return r;
  });
}
template <class T>
unsigned __match_all_sync(unsigned mask, T value, int* same, simt::Where w = simt::Where::current()) {
  const unsigned all =
      simt_detail::reduce<T, unsigned>("__match_all_sync", mask, value, w, [](const T* v, unsigned m, int lane) {
        for (int l = 0; l < 32; ++l)
          if ((m >> l & 1) && v[l] != v[lane]) return 0u;
        return m;
      });
  *same = all != 0;
  return all;
}
#define KITH_REDUCE(name, expression)                                                                             \
  template <class T>                                                                                              \
  T __reduce_##name##_sync(unsigned mask, T value, simt::Where w = simt::Where::current()) {                      \
    static_assert(std::is_integral_v<T> && sizeof(T) == 4);                                                       \
    return simt_detail::reduce<T, T>("__reduce_" #name "_sync", mask, value, w, [](const T* v, unsigned m, int) { \
      return simt_detail::fold(v, m, [](T a, T b) { return static_cast<T>(expression); });                        \
    });                                                                                                           \
  }
KITH_REDUCE(add, a + b)
KITH_REDUCE(min, a < b ? a : b)
KITH_REDUCE(max, a > b ? a : b)
KITH_REDUCE(and, a& b)
KITH_REDUCE(or, a | b)
KITH_REDUCE(xor, a ^ b)
#undef KITH_REDUCE
