// AVX512_BF16 for the files of winograd_bf16, whatever else the build is for. Each function that has these instructions says so,
// and is called where the processor has them; a lambda would not inherit it.
#pragma once
#ifndef __clang__  // GCC 12 takes the operands that its intrinsics leave undefined for mistakes (its bug 105593)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "kernels/core/bf16.h"

#define KITH_AVX512_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))

namespace kith::kernels::cpu {

KITH_AVX512_BF16 inline __m512 widen16(__m256i bits) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}
KITH_AVX512_BF16 inline __m512 widen16(const bf16* p) {
  return widen16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
KITH_AVX512_BF16 inline __m512 widen16_or_zero(const bf16* p, bool there) {
  return widen16(_mm256_maskz_loadu_epi16(there ? 0xffff : 0, p));
}
KITH_AVX512_BF16 inline __m256i narrow16(__m512 v) { return (__m256i)_mm512_cvtneps_pbh(v); }

// Two neighbouring bf16, in each of 16 lanes.
KITH_AVX512_BF16 inline __m512bh pair_in_lanes(const bf16* p) {
  int32_t pair = 0;
  std::memcpy(&pair, p, sizeof pair);
  return (__m512bh)_mm512_set1_epi32(pair);
}
KITH_AVX512_BF16 inline __m512bh pairs(const bf16* p) { return (__m512bh)_mm512_load_si512(p); }

// The four rows of pixels of an image that a row of tiles is made of, some of them outside; those are read nowhere.
struct FourRows {
  const bf16* row[4];
  bool inside[4];
  int64_t width, channels;

  FourRows(const bf16* image, int64_t height, int64_t width, int64_t channels, int64_t first)
      : width(width), channels(channels) {
    for (int r = 0; r < 4; ++r) {
      inside[r] = first + r >= 0 && first + r < height;
      row[r] = image + (inside[r] ? first + r : 0) * width * channels;
    }
  }
};

}  // namespace kith::kernels::cpu
