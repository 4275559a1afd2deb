// The CUDA paths of NT-Xent. f32 (ntxent_f32.cu, ntxent_f32_backward.cu): tiles in registers. bf16 (ntxent_mma.cu,
// ntxent_mma_pairs.cu, ntxent_mma_backward.cu): tiles through the matrix units; from kBackwardRowsSm90 rows on compute capability
// 9.0 by its own instructions (ntxent_sm90.cu, ntxent_backward_sm90.cu).
#pragma once
#include "kernels/ntxent.h"

namespace kith::kernels::cuda {

// Unit rows bound s by 1 / tau, so exp(s - 1 / tau) needs no running maximum as long as its smallest value, exp(-2 / tau),
// and the largest quotient of backward, exp(2 / tau), are normal f32 numbers: tau >= 2 / 83.
constexpr float kSmallestBoundedTau = 2.f / 83.f;

// Where the bf16 path takes its operands from: z itself, or a bf16 copy that one more launch makes first. Up to this many rows
// the launch costs more than streaming f32.
enum class Operands { by_size, converted, prepared };
constexpr int kConvertedRows = 2048;

// The fewest rows, of anchors and of keys, that take the bf16 path for compute capability 9.0. Derived, not measured, from what
// one H200 took for rows of 128 elements: 27.3 us forward and 32.7 backward at 4,096 rows by that path, 26.3 and 62.2 at 2,048,
// 14.5 and 49.5 at 1,024 by mma.sync. From 1,024 to 2,048 rows no launch of the path has more blocks than at 4,096, and no block
// more work: of backward 24 to 64 blocks have 3 or 4 tiles of 128 columns, where 128 have 8. So it is below 32.7 us. Of forward
// 2,048 rows are 144 pieces of 64 x 256 scores, two to a block, where 4,096 are 544, five to a block: three fewer, of 1,024
// clocks of the matrix units each, are at least 1.7 us less. At 1,024 three launches may take longer than the one of mma.sync.
constexpr int kForwardRowsSm90 = 2048, kBackwardRowsSm90 = 1024;

// Forward of NT-Xent takes rows in groups (ntxent_mma_pairs.cu): those of a block, and twice as many while there are more groups
// than this, so that the parts of a row's sum stay few.
constexpr int kFewGroups = 64;

void ntxent_forward_f32(const NtXentForward<float>&, Queue);
void ntxent_backward_f32(const NtXentBackward<float>&, Queue);

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
