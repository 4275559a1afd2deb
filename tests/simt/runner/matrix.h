// The arithmetic of the matrix units, apart from who holds which operand (include/simt_mma.h, include/simt_wgmma.h).
#pragma once

namespace simt {

// sums [rows, columns] += a [rows, depth] b [depth, columns], all row-major; depth a multiple of 4, columns of 8. Four exact
// products and a sum at a time, as the units add them: aligned to the largest of the five, what lies below 24 bits of it cut off,
// the total cut to f32 (Fasi, Higham, Mikaitis, Pranesh 2021 measure blocks of 4 on V100, 8 on A100, with up to three bits more:
// this errs the most). Where one of the five is infinite or NaN, the plain sum.
void add_products(int rows, int columns, int depth, const float* a, const float* b, float* sums);

}  // namespace simt
