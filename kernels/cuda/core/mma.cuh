// Matrix instructions of a warp (sm_80): mma.sync and ldmatrix.
//
// Fragments, lane = 4 group + t:
//   A [16, 16] row-major  a[r] holds row group + 8 (r % 2), columns 8 (r / 2) + 2t, + 1
//   B [16, 8]             b[r] holds column group, rows 8 r + 2t, + 1
//   C, D [16, 8] f32      c[r] holds row group + 8 (r / 2), column 2t + r % 2
// tf32 has A [16, 8]: a[r] = row group + 8 (r % 2), column 4 (r / 2) + t; B [8, 8]: b[r] = row 4 r + t, column group.
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>
#ifdef KITH_SIMT
#include <simt_mma.h>
#endif

namespace kith::kernels::cuda {

// c += a b, operands bf16 (two per register), accumulated in f32.
__device__ __forceinline__ void mma_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#ifdef KITH_SIMT
  simt_detail::mma<simt_detail::MmaType::bf16>(c, a, b, c);
#else
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// c += a b, operands fp16, accumulated in f32.
__device__ __forceinline__ void mma_f16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#ifdef KITH_SIMT
  simt_detail::mma<simt_detail::MmaType::f16>(c, a, b, c);
#else
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// c += a b, operands tf32 (f32 bits; the low 13 are ignored), accumulated in f32.
__device__ __forceinline__ void mma_tf32(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#ifdef KITH_SIMT
  simt_detail::mma<simt_detail::MmaType::tf32>(c, a, b, c);
#else
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// Four 8 x 8 matrices of 16-bit elements from shared memory; lane i gives the address of row i % 8 of matrix i / 8
// (16 bytes, 16-byte aligned). Register j of a lane holds row group, columns 2t, 2t + 1 of matrix j.
__device__ __forceinline__ void ldmatrix_x4(uint32_t (&d)[4], const void* row) {
#ifdef KITH_SIMT
  simt_detail::ldmatrix<4, false>(d, row);
#else
  const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
               : "r"(address)
               : "memory");
#endif
}

// The same, each matrix transposed: register j holds rows 2t, 2t + 1 of column group of matrix j.
__device__ __forceinline__ void ldmatrix_x4_trans(uint32_t (&d)[4], const void* row) {
#ifdef KITH_SIMT
  simt_detail::ldmatrix<4, true>(d, row);
#else
  const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
               : "r"(address)
               : "memory");
#endif
}

}  // namespace kith::kernels::cuda
