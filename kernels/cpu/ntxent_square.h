// NT-Xent of one array by one exponential for each pair: with a bound c of all scores, e_ik = exp(s_ik - c) serves the sums of
// row i and of row k,
//   lse_i = c + log sum_k e_ik,        g_i P_ik + g_k P_ki = e_ik (g_i exp(c - lse_i) + g_k exp(c - lse_k)),
// in f32 where c - s stays small enough: for unit rows down to tau = 0.034.
//
// Rounding. In base 2, x = (s - c) log2 e is one fused operation on the product of two rows. |x| <= 2 c log2 e, so e_ik is off by
// 2 u c of itself, u = 2^-24, and by 2 ulp of the exponential; the product itself, dim roundings, is off by up to dim u c. The
// loss is log sum_k e_ik less x of the positive, in double: what that x is off by is in both, so that a loss near 0 keeps its
// digits.
#pragma once
#include <optional>

#include "kernels/cpu/ntxent_tiles.h"
#include "kernels/ntxent.h"

namespace kith::kernels::cpu {

// x = scale <z_i, z_k> - shift, in base 2.
struct CommonShift {
  float scale, shift;
};
// None where s - c can leave the range.
std::optional<CommonShift> common_shift(const ProductRows& z, float tau);

void square_forward(const NtXentForward<float>&, const ProductRows& z, CommonShift);
void square_backward(const NtXentBackward<float>&, const ProductRows& z,
                     CommonShift);  // danchors and dkeys are one array

// The gradients of blocks i and j, from weights w [i, j] without the share of the positives, which the diagonal tile brings.
void add_square_tile(const NtXentBackward<float>&, const ProductRows& z, Block i, Block j, float alpha, const float* w);

}  // namespace kith::kernels::cpu
