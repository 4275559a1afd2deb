// Single-precision product of matrices in host memory, row-major, through oneDNN.
//
//   C = alpha op(A) op(B) + beta C        op: the matrix, or its transpose
//
// No entry for a queue: products on a device are DenseMath's (nn/device/dense_math.h).
// Errors  Error where oneDNN refuses.
// Cost    2 m n k flop.
#pragma once
#include <cstdint>

namespace kith::kernels {

enum class Op : uint8_t { none, transpose };

// C [m, n], op(A) [m, k], op(B) [k, n]; ld* is the row stride of the array as stored. beta = 0 never reads C. m, n or k
// of 0 are allowed. On the calling thread alone: oneDNN's own threads share sums by their number, and so do the bits.
void gemm(Op op_a, Op op_b, int64_t m, int64_t n, int64_t k, float alpha, const float* a, int64_t lda, const float* b,
          int64_t ldb, float beta, float* c, int64_t ldc);

// The same on all threads: blocks of C, cut by its shape alone, are shared out, so that no bit depends on their number.
void shared_gemm(Op op_a, Op op_b, int64_t m, int64_t n, int64_t k, float alpha, const float* a, int64_t lda,
                 const float* b, int64_t ldb, float beta, float* c, int64_t ldc);

}  // namespace kith::kernels
