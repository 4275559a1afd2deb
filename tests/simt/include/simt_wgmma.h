// wgmma for the SIMT runner: the arithmetic of 64 x N x 16, sums cut as those of mma.sync. What operands are and when results are
// there is runner/products.cpp's.
#pragma once
#include <simt_mma.h>

#include "tests/simt/runner/hopper.h"

namespace simt_detail {

using Element = MmaType;
using simt::Inner;

template <MmaType Type>
KITH_NO_HOOKS void product(unsigned n, const uint16_t* a, const uint16_t* b, float* d) {
  constexpr int K = 16;
  double A[64 * K], B[256 * K];
  for (unsigned i = 0; i < 64 * K; ++i) A[i] = element<Type>(a[i], 0);
  for (unsigned i = 0; i < n * K; ++i) B[i] = element<Type>(b[i], 0);
  for (unsigned row = 0; row < 64; ++row)
    for (unsigned column = 0; column < n; ++column) {
      const double *x = A + row * K, *y = B + column * K;
      float& sum = d[row * n + column];
      for (int k = 0; k < K; k += 4)
        sum = fused(sum, {x[k] * y[k], x[k + 1] * y[k + 1], x[k + 2] * y[k + 2], x[k + 3] * y[k + 3]});
    }
}

template <MmaType Type, int N>
void wgmma(float (&d)[N / 2], const uint32_t* a_registers, uint64_t a, uint64_t b, bool add, Inner of_b = Inner::k,
           simt::Where where = simt::Where::current()) {
  simt::wgmma(
      {.d = d, .n = N, .a_registers = a_registers, .a = a, .b = b, .of_b = of_b, .add = add, .product = product<Type>},
      where);
}

}  // namespace simt_detail
