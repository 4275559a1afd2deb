#include "tests/simt/runner/matrix.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace simt {
namespace {

constexpr int kColumns = 8;  // together, as many doubles as a register of AVX-512 has

// 2^e of a normal double, by its bits: the matrix units are most of what the runner computes.
inline double power_of_two(int64_t e) { return std::bit_cast<double>((e + 1023) << 52); }
// The e of 2^e <= v < 2^(e + 1), and at least -1022.
inline int64_t exponent_of(double v) {
  const int64_t biased = std::bit_cast<int64_t>(v) >> 52 & 0x7FF;
  return (biased > 1 ? biased : 1) - 1023;
}

// The comment of add_products, for five terms. Without branches: the compiler makes vectors of the columns.
inline float fused(double sum, double p0, double p1, double p2, double p3) {
  const double terms[5] = {sum, p0, p1, p2, p3};
  double largest = 0, plain = 0;
  for (const double t : terms) {
    const double size = std::abs(t);
    largest = size > largest ? size : largest;
    plain += t;
  }
  const bool ordinary = std::abs(plain) <= std::numeric_limits<double>::max();
  // Of f32 numbers and products of two: exponents of -298 to 255, so that every power here is a normal double.
  const int64_t e = exponent_of(ordinary && largest > 0 ? largest : 1) - 23;
  const double unit = power_of_two(e), per_unit = power_of_two(-e);
  double total = 0;
  for (const double t : terms) total += std::trunc(t * per_unit);
  total *= unit;
  const int64_t of_total = exponent_of(total), last = (of_total > -126 ? of_total : -126) - 23;
  // Nothing is left of a negative number as of a positive one: no sign.
  const double cut = std::trunc(total * power_of_two(ordinary ? -last : 0)) + 0.0;
  return static_cast<float>(ordinary ? cut * power_of_two(last) : plain);
}

}  // namespace

void add_products(int rows, int columns, int depth, const float* a, const float* b, float* sums) {
  for (int row = 0; row < rows; ++row, a += depth, sums += columns)
    for (int first = 0; first < columns; first += kColumns)
      for (int k = 0; k < depth; k += 4) {
        const double x0 = a[k], x1 = a[k + 1], x2 = a[k + 2], x3 = a[k + 3];
        const float *y0 = b + k * columns + first, *y1 = y0 + columns, *y2 = y1 + columns, *y3 = y2 + columns;
        float* to = sums + first;
#pragma GCC ivdep
        for (int c = 0; c < kColumns; ++c) to[c] = fused(to[c], x0 * y0[c], x1 * y1[c], x2 * y2[c], x3 * y3[c]);
      }
}

}  // namespace simt
