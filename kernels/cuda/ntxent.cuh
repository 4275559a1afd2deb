// The CUDA paths of NT-Xent. f32 (ntxent.cu): one warp per anchor, for verification and small problems. bf16 (ntxent_mma.cu,
// ntxent_mma_pairs.cu, ntxent_mma_backward.cu): tiles through the matrix units; with many rows on compute capability 9.0 by
// its own instructions (ntxent_sm90.cu, ntxent_backward_sm90.cu).
#pragma once
#include "kernels/ntxent.h"

namespace kith::kernels::cuda {

// Unit rows bound s by 1 / tau, so exp(s - 1 / tau) needs no running maximum as long as its smallest value, exp(-2 / tau),
// and the largest quotient of backward, exp(2 / tau), are normal f32 numbers: tau >= 2 / 83.
constexpr float kSmallestBoundedTau = 2.f / 83.f;

// Where the bf16 path takes its operands from: z itself, or a bf16 copy that one more launch makes first. Up to this many rows
// the launch costs more than streaming f32; and so it is with the launches of the path for compute capability 9.0, three for
// one of forward.
enum class Operands { by_size, converted, prepared };
constexpr int kConvertedRows = 2048;

// Forward of NT-Xent takes rows in groups (ntxent_mma_pairs.cu): those of a block, and twice as many while there are more groups
// than this, so that the parts of a row's sum stay few.
constexpr int kFewGroups = 64;

void ntxent_forward_mma(const NtXentForward<float>&, Queue, Operands = Operands::by_size, int few_groups = kFewGroups);
void ntxent_backward_mma(const NtXentBackward<float>&, Queue, Operands = Operands::by_size);

// The bf16 path for compute capability 9.0 (ntxent_sm90.cu, ntxent_backward_sm90.cu). False, and nothing done, where it is not
// for this problem: another device, exponents without a bound, dim beyond 128; of forward anchors and keys that are two
// arrays, more than 131,072 rows.
struct ForwardCut {
  int most_groups =
      kFewGroups;       // of rows, which are 256 of a group and twice as many while there are more groups than this
  int few_groups = 32;  // with fewer, pairs of groups are too few to fill a device and done in parts
};
bool ntxent_forward_sm90(const NtXentForward<float>&, Queue, ForwardCut = {});
bool ntxent_backward_sm90(const NtXentBackward<float>&, Queue);

}  // namespace kith::kernels::cuda
