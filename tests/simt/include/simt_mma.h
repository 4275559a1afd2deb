// mma.sync and ldmatrix for the SIMT runner, with the fragment layouts of the PTX ISA (sections on mma.m16n8k16,
// mma.m16n8k8 and ldmatrix), and sums that are cut as the hardware cuts them.
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>

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

// 2^e of a normal double, by its bits: the matrix units are most of what the runner computes.
inline double power_of_two(int e) { return std::bit_cast<double>(static_cast<uint64_t>(e + 1023) << 52); }
// The e of 2^e <= |v| < 2^(e + 1), and at least -1022.
inline int exponent_of(double v) {
  const int biased = static_cast<int>(std::bit_cast<uint64_t>(v) >> 52 & 0x7FF);
  return (biased > 1 ? biased : 1) - 1023;
}

// Four exact products and a sum, as the matrix units add them: aligned to the largest of the five, what lies below 24 bits of it
// cut off, the total cut to f32 (Fasi, Higham, Mikaitis, Pranesh 2021 measure blocks of 4 on V100, 8 on A100, with up to three
// bits more: this errs the most).
KITH_NO_HOOKS inline float fused(float sum, const double (&products)[4]) {
  const double terms[5] = {sum, products[0], products[1], products[2], products[3]};
  double largest = 0, plain = 0;
  for (const double t : terms) {
    largest = std::abs(t) > largest ? std::abs(t) : largest;  // std::max would be a call here
    plain += t;
  }
  if (!(largest > 0 && std::isfinite(plain))) return static_cast<float>(plain);
  // Of f32 numbers and products of two: exponents of -298 to 255, so that every power here is a normal double.
  const int e = exponent_of(largest) - 23;
  const double unit = power_of_two(e), per_unit = power_of_two(-e);
  double total = 0;
  for (const double t : terms) total += static_cast<double>(static_cast<int64_t>(t * per_unit));  // cut towards zero
  total *= unit;
  if (total == 0) return 0;
  const int of_total = exponent_of(total), last = (of_total > -126 ? of_total : -126) - 23;
  return static_cast<float>(static_cast<double>(static_cast<int64_t>(total * power_of_two(-last))) *
                            power_of_two(last));
}

// d = a b + c of a warp's operands, with a [16, K] row-major, b [K, 8] column-major, c and d [16, 8]; K = 16, or 8 for tf32.
template <MmaType Type>
KITH_NO_HOOKS void mma_of_warp(const void* const* ins, void* const* outs, unsigned) {
  constexpr int K = Type == MmaType::tf32 ? 8 : 16;
  double A[16][K], B[8][K];  // B by columns
  for (int lane = 0; lane < 32; ++lane) {
    const auto& o = *static_cast<const MmaOperands*>(ins[lane]);
    const int group = lane / 4, t = lane % 4;
    for (int r = 0; r < 4; ++r) {
      const int row = group + 8 * (r % 2), col = r / 2 * (K / 2);
      if constexpr (Type == MmaType::tf32) {
        A[row][col + t] = element<Type>(o.a[r], 0);
      } else {
        for (int h = 0; h < 2; ++h) A[row][col + 2 * t + h] = element<Type>(o.a[r], h);
      }
    }
    for (int r = 0; r < 2; ++r) {
      if constexpr (Type == MmaType::tf32) {
        B[group][4 * r + t] = element<Type>(o.b[r], 0);
      } else {
        for (int h = 0; h < 2; ++h) B[group][8 * r + 2 * t + h] = element<Type>(o.b[r], h);
      }
    }
  }
  for (int lane = 0; lane < 32; ++lane) {
    const auto& o = *static_cast<const MmaOperands*>(ins[lane]);
    auto* out = static_cast<float*>(outs[lane]);
    for (int r = 0; r < 4; ++r) {
      const double *a = A[lane / 4 + 8 * (r / 2)], *b = B[2 * (lane % 4) + r % 2];
      float sum = o.c[r];
      for (int k = 0; k < K; k += 4)
        sum = fused(sum, {a[k] * b[k], a[k + 1] * b[k + 1], a[k + 2] * b[k + 2], a[k + 3] * b[k + 3]});
      out[r] = sum;
    }
  }
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
