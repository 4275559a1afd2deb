// Products of bf16 matrices in host memory, f32 results, row-major, through oneDNN. On the calling thread alone.
//
//   C = op(A) op(B), or C += op(A) op(B)
//
// Products of two bf16 are exact in f32. Their sums are in f32, in an order and with a rounding that the processor chooses:
// a sum of k products is within k 2^-23 of the sum of their magnitudes, and operands and sums below 2^-126 may count as zero.
// The bits of C depend on the shape and on the processor, not on the number of threads.
//
// Where they are not fast (fast_bf16), f32 products of the widened operands serve.
// Errors  Error where oneDNN refuses.
// Cost    2 m n k flop.
#pragma once
#include <cstdint>
#include <memory>

#include "kernels/core/bf16.h"
#include "kernels/core/types.h"
#include "kernels/gemm.h"

namespace kith::kernels {

// Whether bf16 products are faster than f32's: oneDNN may use AMX (its ONEDNN_MAX_CPU_ISA permitting), or AVX512_BF16 on AMD's
// processors, where products of 1,024 x 1,024 matrices reach 228 GFLOP/s against 112 in f32 (EPYC, Zen 4). Without AMX oneDNN 2.6
// takes longer than in f32 on Intel's.
bool fast_bf16();

// Operands as gemm's. `write` add reads C.
void gemm_bf16(Op op_a, Op op_b, int64_t m, int64_t n, int64_t k, const bf16* a, int64_t lda, const bf16* b,
               int64_t ldb, Write write, float* c, int64_t ldc);

// Rows in blocks, each rearranged once for its products with many others.
class Bf16Blocks {
 public:
  Bf16Blocks() = default;
  Bf16Blocks(Matrix<const bf16> rows, int64_t block_rows);  // the rows must stay

  // c[i][j] = <a_i, row j of the block>, for m rows a [m, cols] and all rows of the block that begins with row `first`.
  // c [m][rows of the block].
  void products(const bf16* a, int64_t m, int64_t first, float* c) const;

 private:
  struct Packed;
  std::shared_ptr<const Packed> packed_;
};

}  // namespace kith::kernels
