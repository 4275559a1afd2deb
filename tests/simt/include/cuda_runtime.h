// CUDA's runtime header for the SIMT runner: what kernels/cuda uses of the language and of the runtime, on the CPU.
#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <type_traits>

#include "tests/simt/include/simt_stream.h"
#include "tests/simt/include/simt_warp.h"
#include "tests/simt/runner/runtime.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))  // the hooks miss what a call returns into memory
#define __launch_bounds__(...)
#define __grid_constant__
#define __shared__ static thread_local
#define __constant__ static const
#define __align__(n) __attribute__((aligned(n)))
#define KITH_NO_HOOKS __attribute__((no_sanitize("thread")))

// ---- types ----
#define KITH_VECTOR(type, name, align2, align4)                    \
  struct alignas(align2) name##2 {                                 \
    type x, y;                                                     \
  };                                                               \
  struct name##3 {                                                 \
    type x, y, z;                                                  \
  };                                                               \
  struct alignas(align4) name##4 {                                 \
    type x, y, z, w;                                               \
  };                                                               \
  inline name##2 make_##name##2(type x, type y) { return {x, y}; } \
  inline name##4 make_##name##4(type x, type y, type z, type w) { return {x, y, z, w}; }
KITH_VECTOR(float, float, 8, 16)
KITH_VECTOR(int, int, 8, 16)
KITH_VECTOR(unsigned, uint, 8, 16)
KITH_VECTOR(unsigned char, uchar, 2, 4)
#undef KITH_VECTOR

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned vx = 1, unsigned vy = 1, unsigned vz = 1) : x(vx), y(vy), z(vz) {}
};

inline constexpr int warpSize = 32;
#define threadIdx (::simt::thread_idx())
#define blockIdx (::simt::block_idx())
#define blockDim (::simt::block_dim())
#define gridDim (::simt::grid_dim())

// ---- barriers and votes ----
inline void __syncthreads(simt::Where w = simt::Where::current()) { simt::block_barrier(simt::Vote::count, 0, w); }
inline int __syncthreads_count(int p, simt::Where w = simt::Where::current()) {
  return simt::block_barrier(simt::Vote::count, p, w);
}
inline int __syncthreads_and(int p, simt::Where w = simt::Where::current()) {
  return simt::block_barrier(simt::Vote::all, p, w);
}
inline int __syncthreads_or(int p, simt::Where w = simt::Where::current()) {
  return simt::block_barrier(simt::Vote::any, p, w);
}
inline void __syncwarp(unsigned mask = 0xFFFFFFFF, simt::Where w = simt::Where::current()) {
  simt::warp_barrier(mask == 0xFFFFFFFF ? simt::live_mask() : mask, w);
}
inline unsigned __activemask() { return simt::live_mask(); }
inline void __threadfence() { simt::fence(); }
inline void __threadfence_block() {}

// ---- atomics: shared ones run on one OS thread; global ones may meet other blocks ----
namespace simt_detail {
template <class T, class F>
T atomic(T* p, F f) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  auto* bits = reinterpret_cast<Bits*>(p);
  Bits old = simt::atomic_load(bits, __builtin_return_address(0));
  while (!simt::atomic_exchange_if(bits, old, std::bit_cast<Bits>(static_cast<T>(f(std::bit_cast<T>(old)))))) {
  }
  return std::bit_cast<T>(old);
}
}  // namespace simt_detail
template <class T>
T atomicAdd(T* p, std::type_identity_t<T> v) {
  return simt_detail::atomic(p, [v](T o) { return static_cast<T>(o + v); });
}
template <class T>
T atomicMax(T* p, std::type_identity_t<T> v) {
  return simt_detail::atomic(p, [v](T o) { return o > v ? o : v; });
}
template <class T>
T atomicMin(T* p, std::type_identity_t<T> v) {
  return simt_detail::atomic(p, [v](T o) { return o < v ? o : v; });
}
template <class T>
T atomicOr(T* p, std::type_identity_t<T> v) {
  return simt_detail::atomic(p, [v](T o) { return static_cast<T>(o | v); });
}
template <class T>
T atomicAnd(T* p, std::type_identity_t<T> v) {
  return simt_detail::atomic(p, [v](T o) { return static_cast<T>(o & v); });
}
template <class T>
T atomicExch(T* p, std::type_identity_t<T> v) {
  return simt_detail::atomic(p, [v](T) { return v; });
}
template <class T>
T atomicCAS(T* p, std::type_identity_t<T> compare, std::type_identity_t<T> v) {
  return simt_detail::atomic(p, [=](T o) { return o == compare ? v : o; });
}
inline unsigned atomicInc(unsigned* p, unsigned last) {
  return simt_detail::atomic(p, [last](unsigned o) { return o >= last ? 0 : o + 1; });
}

// ---- arithmetic ----
template <class T>
T __ldg(const T* p) {
  return *p;
}
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __popcll(unsigned long long x) { return std::popcount(x); }
inline int __ffs(unsigned x) { return x == 0 ? 0 : std::countr_zero(x) + 1; }
inline int __clz(unsigned x) { return std::countl_zero(x); }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline double __longlong_as_double(long long x) { return std::bit_cast<double>(x); }
inline long long __double_as_longlong(double x) { return std::bit_cast<long long>(x); }
inline int __ffsll(long long x) { return x == 0 ? 0 : std::countr_zero(static_cast<unsigned long long>(x)) + 1; }

// Functions of the device err by as much as NVIDIA's table of their errors allows ("Mathematical Functions" of the CUDA
// programming guide), here one way and there the other: what is tested with them does not lean on the host's.
namespace simt_detail {
inline float off_by(double exact, float x, double ulps) {
  const float rounded = static_cast<float>(exact);
  if (!std::isfinite(rounded) || rounded == 0.f) return rounded;
  const uint32_t mixed = std::bit_cast<uint32_t>(x) * 2654435761u;
  const double unit = std::ldexp(1.0, std::max(std::ilogb(rounded), -126) - 23);
  return static_cast<float>(exact + ((mixed >> 13 & 1) != 0 ? ulps : -ulps) * unit);
}
inline float device_expf(float x) {
  simt::count_special();
  return x == 0.f ? 1.f : off_by(std::exp(double{x}), x, 1);
}
inline float device_logf(float x) {
  simt::count_special();
  return x == 1.f ? 0.f : off_by(std::log(double{x}), x, 1);
}
inline float device_erfcf(float x) {
  simt::count_special();
  return x == 0.f ? 1.f : off_by(std::erfc(double{x}), x, 4);
}
}  // namespace simt_detail
inline float __expf(float x) {
  simt::count_special();
  return x == 0.f ? 1.f : simt_detail::off_by(std::exp(double{x}), x, 2 + std::floor(std::abs(1.173 * x)));
}
namespace simt_detail {
inline float exp2_approx(float x) {  // ex2.approx.ftz
  simt::count_special();
  const float y = x == 0.f ? 1.f : off_by(std::exp2(double{x}), x, 2);
  return y < 0x1p-126f ? 0.f : y;
}
}  // namespace simt_detail
#define expf(x) ::simt_detail::device_expf(x)
#define logf(x) ::simt_detail::device_logf(x)
#define erfcf(x) ::simt_detail::device_erfcf(x)
inline float __fdividef(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsqrt_rn(float a) { return std::sqrt(a); }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float rsqrtf(float x) {
  simt::count_special();
  return 1.f / std::sqrt(x);
}
inline float __saturatef(float x) { return x > 0 ? (x < 1 ? x : 1.f) : 0.f; }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>((uint64_t{a} * b) >> 32); }
inline int __float2int_rn(float x) { return static_cast<int>(std::nearbyint(x)); }
using std::max;
using std::min;

namespace simt_detail {

static void module_anchor() {}  // an address inside the shared object that includes this header

// Enqueues run(k), where k is kernel(args...) as the runner takes it.
template <class Run, class... P, class... A>
void enqueue_kernel(Run run, const char* name, void (*kernel)(P...), A&&... args) {
  struct Closure {
    void (*kernel)(P...);
    std::tuple<P...> args;
  };
  const Closure closure{kernel, std::tuple<P...>(static_cast<P>(args)...)};
  simt::enqueue([=] {
    const auto invoke = [](const void* c) {
      const auto* self = static_cast<const Closure*>(c);
      std::apply([self](P... a) { self->kernel(a...); }, self->args);
    };
    run(simt::Kernel{.name = name,
                     .invoke = invoke,
                     .closure = &closure,
                     .closure_bytes = sizeof(closure),
                     .module = reinterpret_cast<const void*>(&module_anchor)});
  });
}

// Runs kernel(args...) as a grid; the counterpart of kernel<<<grid, block, shared, stream>>>(args...).
template <class... P, class... A>
void launch(const char* name, void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, A&&... args) {
  enqueue_kernel(
      [=](const simt::Kernel& k) {
        simt::launch(k, {grid.x, grid.y, grid.z}, {block.x, block.y, block.z}, shared);
      },
      name, kernel, args...);
}

}  // namespace simt_detail
