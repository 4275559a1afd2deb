// Small pieces of arithmetic that the compiler vectorises: use them inside `#pragma omp simd` loops.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/core/types.h"

namespace kith::kernels::cpu {

// exp(r) for |r| <= ln 2 / 2: minimax fit of (exp(r) - 1 - r) / r^2, relative error of exp(r) below 2^-28.
inline float exp_near_0(float r) {
  float p = 0.0013814540579915047f;
  p = p * r + 0.00836874544620514f;
  p = p * r + 0.04166838899254799f;
  p = p * r + 0.1666652113199234f;
  p = p * r + 0.4999999403953552f;
  return p * r * r + r + 1.f;
}

// exp(x) within 2 ulp over all of f32: +-inf, NaN, overflow to inf, gradual underflow to 0. No branch, no table.
inline float exp_of(float x) {
  constexpr float kLog2e = 1.44269504f, kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  constexpr float kShift = 12582912.f;  // 1.5 * 2^23: adding it rounds to an integer that stands in the low bits
  x = x > 89.f ? 89.f : x;              // exp(89) = inf in f32
  x = x < -105.f ? -105.f : x;          // exp(-105) rounds to 0; NaN passes both
  const float shifted = x * kLog2e + kShift;
  const float n = shifted - kShift;
  const float r = (x - n * kLn2High) - n * kLn2Low;  // |r| <= ln 2 / 2; n * kLn2High is exact
  const float p = exp_near_0(r);
  // Scaled in two steps, since 2^n itself may be out of range (n in -152 .. 128).
  const uint32_t e = std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(kShift);
  const uint32_t half = static_cast<uint32_t>(static_cast<int32_t>(e) >> 1);
  const float a = std::bit_cast<float>((half + 127u) << 23), b = std::bit_cast<float>((e - half + 127u) << 23);
  return p * a * b;
}
inline double exp_of(double x) { return std::exp(x); }

// 2^x within 2 ulp for -125 <= x <= 125, in half the operations of exp_of.
inline float exp2_within_range(float x) {
  constexpr float kShift = 12582912.f, kLn2 = 0.693147181f;
  const float shifted = x + kShift;
  const float r = (x - (shifted - kShift)) * kLn2;  // of an exact difference
  const uint32_t n = std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(kShift);
  return std::bit_cast<float>(std::bit_cast<uint32_t>(exp_near_0(r)) + (n << 23));
}

// The standard normal distribution at a point.
template <class T>
struct Normal {
  T below, density;  // Phi(x), phi(x)
};

// With z = |x| / sqrt 2 the smaller of Phi(x) and Phi(-x) is exp(-z^2) t Q(t) / 2, t = 1 / (1 + 0.3 z): Q is a minimax fit of
// erfc(z) exp(z^2) / t over 0 <= z <= 10.2, where exp(-z^2) has left f32, with a relative error below 2^-25.
inline Normal<float> normal_at(float x) {
  constexpr float kRootHalf = 0.707106781f, kDensityAt0 = 0.398942280f;
  const float bell = exp_of(-0.5f * x * x);
  const float t = 1.f / (1.f + 0.3f * kRootHalf * std::fabs(x));
  float q = -0.12954941391944885f;
  q = q * t + 0.48570016026496887f;
  q = q * t + -0.512580931186676f;
  q = q * t + 0.5480939745903015f;
  q = q * t + -0.09493231028318405f;
  q = q * t + 0.21505825221538544f;
  q = q * t + 0.14830143749713898f;
  q = q * t + 0.17072120308876038f;
  q = q * t + 0.16918760538101196f;
  const float tail = 0.5f * bell * t * q;
  return {x < 0.f ? tail : 1.f - tail, kDensityAt0 * bell};
}
inline Normal<double> normal_at(double x) {
  constexpr double kRootHalf = 0.70710678118654752440, kDensityAt0 = 0.39894228040143267794;
  return {0.5 * std::erfc(-kRootHalf * x), kDensityAt0 * std::exp(-0.5 * x * x)};
}

// The gradient `v` as it lands on `old`; `old` is not used when it is to be overwritten.
template <class T>
T landed(Write write, T old, T v) {
  return write == Write::add ? old + v : v;
}

}  // namespace kith::kernels::cpu
