// Kernels of one warp around the matrix instructions (matrix.cu), compared with plain loops.
#pragma once

namespace kith::simt_test {

// d [16, 8] = a [16, 16] b [16, 8], row-major device memory; a and b are rounded to bf16 or fp16 first.
void product_bf16(const float* a, const float* b, float* d);
void product_f16(const float* a, const float* b, float* d);
// d [16, 8] = a [16, 8] b [8, 8] in tf32.
void product_tf32(const float* a, const float* b, float* d);
// d [16, 8] = a [16, 16] b [16, 8] in bf16, operands through shared memory and ldmatrix (b transposed on the way).
void product_ldmatrix(const float* a, const float* b, float* d);

}  // namespace kith::simt_test
