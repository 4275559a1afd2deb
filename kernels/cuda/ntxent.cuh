// The two CUDA paths of NT-Xent. f32 (ntxent.cu): one warp per anchor, for verification and small problems. bf16
// (ntxent_mma.cu): tiles through the matrix units.
#pragma once
#include "kernels/ntxent.h"

namespace kith::kernels::cuda {

// Unit rows bound s by 1 / tau, so exp(s - 1 / tau) needs no running maximum as long as its smallest value, exp(-2 / tau),
// and the largest quotient of backward, exp(2 / tau), are normal f32 numbers: tau >= 2 / 83.
constexpr float kSmallestBoundedTau = 2.f / 83.f;

void ntxent_forward_mma(const NtXentForward<float>&, Queue);
void ntxent_backward_mma(const NtXentBackward<float>&, Queue);

}  // namespace kith::kernels::cuda
