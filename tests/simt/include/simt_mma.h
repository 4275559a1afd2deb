// mma.sync and ldmatrix for the SIMT runner, with the fragment layouts of the PTX ISA (sections on mma.m16n8k16,
// mma.m16n8k8 and ldmatrix), and sums that are cut as the hardware cuts them (runner/matrix.h).
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "tests/simt/runner/matrix.h"

namespace simt_detail {

struct MmaOperands {
  uint32_t a[4], b[2];
  float c[4];
};

enum class MmaType { bf16, f16, tf32 };

template <MmaType Type>
KITH_NO_HOOKS float element(uint32_t reg, int half) {
  if constexpr (Type == MmaType::tf32) return std::bit_cast<float>(reg & 0xFFFFE000u);  // the low 13 bits are ignored
  const auto bits = static_cast<unsigned short>(reg >> (16 * half));
  if constexpr (Type == MmaType::bf16) return __bfloat162float({bits});
  return __half2float({bits});
}

// d = a b + c of a warp's operands, with a [16, K] row-major, b [K, 8] column-major, c and d [16, 8]; K = 16, or 8 for tf32.
template <MmaType Type>
KITH_NO_HOOKS void mma_of_warp(const void* const* ins, void* const* outs, unsigned) {
  constexpr int K = Type == MmaType::tf32 ? 8 : 16;
  float a[16][K], b[K][8], sums[16][8];
  for (int lane = 0; lane < 32; ++lane) {
    const auto& o = *static_cast<const MmaOperands*>(ins[lane]);
    const int group = lane / 4, t = lane % 4;
    for (int r = 0; r < 4; ++r) {
      const int row = group + 8 * (r % 2), col = r / 2 * (K / 2);
      if constexpr (Type == MmaType::tf32) {
        a[row][col + t] = element<Type>(o.a[r], 0);
      } else {
        for (int h = 0; h < 2; ++h) a[row][col + 2 * t + h] = element<Type>(o.a[r], h);
      }
      sums[group + 8 * (r / 2)][2 * t + r % 2] = o.c[r];
    }
    for (int r = 0; r < 2; ++r) {
      if constexpr (Type == MmaType::tf32) {
        b[4 * r + t][group] = element<Type>(o.b[r], 0);
      } else {
        for (int h = 0; h < 2; ++h) b[8 * r + 2 * t + h][group] = element<Type>(o.b[r], h);
      }
    }
  }
  simt::add_products(16, 8, K, &a[0][0], &b[0][0], &sums[0][0]);
  for (int lane = 0; lane < 32; ++lane)
    for (int r = 0; r < 4; ++r)
      static_cast<float*>(outs[lane])[r] = sums[lane / 4 + 8 * (r / 2)][2 * (lane % 4) + r % 2];
}

template <MmaType Type>
void mma(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], const float (&c)[4],
         simt::Where where = simt::Where::current()) {
  MmaOperands in;
  std::memcpy(in.a, a, sizeof a);
  std::memcpy(in.b, b, sizeof b);
  std::memcpy(in.c, c, sizeof c);
  simt::collective("mma.sync", 0xFFFFFFFF, &in, &d, mma_of_warp<Type>, where);
  if (simt::lane_id() == 0) simt::count_mma(2 * 16 * 8 * (Type == MmaType::tf32 ? 8 : 16));
}

// Lanes 8j .. 8j + 7 give the addresses of the 8 rows (8 elements of 16 bits) of matrix j.
template <int Matrices, bool Transposed>
void ldmatrix(uint32_t (&d)[Matrices], const void* row, simt::Where where = simt::Where::current()) {
  if (static_cast<int>(simt::lane_id()) < 8 * Matrices)
    simt::touch(row, 16, simt::Access::read, __builtin_return_address(0));
  simt::collective(
      "ldmatrix", 0xFFFFFFFF, &row, &d,
      [](const void* const* ins, void* const* outs, unsigned) KITH_NO_HOOKS {
        for (int lane = 0; lane < 32; ++lane)
          for (int j = 0; j < Matrices; ++j) {
            uint32_t reg = 0;
            for (int h = 0; h < 2; ++h) {
              const int r = Transposed ? 2 * (lane % 4) + h : lane / 4, c = Transposed ? lane / 4 : 2 * (lane % 4) + h;
              const auto* source = *static_cast<const unsigned short* const*>(ins[8 * j + r]);
              reg |= uint32_t{source[c]} << (16 * h);
            }
            static_cast<uint32_t*>(outs[lane])[j] = reg;
          }
      },
      where);
}

}  // namespace simt_detail
