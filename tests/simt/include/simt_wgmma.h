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
  constexpr unsigned K = 16;
  float rows[64 * K], columns[K * 256];
  for (unsigned i = 0; i < 64 * K; ++i) rows[i] = element<Type>(a[i], 0);
  for (unsigned i = 0; i < n * K; ++i) columns[i % K * n + i / K] = element<Type>(b[i], 0);
  simt::add_products(64, static_cast<int>(n), K, rows, columns, d);
}

template <MmaType Type, int N>
void wgmma(float (&d)[N / 2], const uint32_t* a_registers, uint64_t a, uint64_t b, bool add, Inner of_b = Inner::k,
           simt::Where where = simt::Where::current()) {
  simt::wgmma(
      {.d = d, .n = N, .a_registers = a_registers, .a = a, .b = b, .of_b = of_b, .add = add, .product = product<Type>},
      where);
}

}  // namespace simt_detail
