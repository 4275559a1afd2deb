#include <fmt/format.h>

#include <algorithm>

#include "kernels/core/check.h"
#include "kernels/core/parallel.h"
#include "kernels/cpu/winograd_bf16_tiles.h"
#include "kernels/cpu/winograd_bf16_vectors.h"
#include "kernels/winograd_bf16.h"

namespace kith::kernels {
namespace {

using namespace cpu;

// Rows of tiles of all images in one order, and a block of them as it lies in scratch memory. Two neighbouring tiles make a pair;
// where a row has an odd number, its last pair has one without results.
struct PairRows {
  int64_t rows, pairs;                   // of an image; of a row
  int64_t most;                          // rows in a block
  int64_t v_stride, d_stride, u_stride;  // elements from one position to the next; a line more than a power of two

  // 64 pairs: the 32 loads and stores of a block of sums are a twentieth of its products, and V and D of a block have 0.5 MB with
  // 64 channels. More pairs gained nothing.
  PairRows(int64_t height, int64_t width, int64_t in, int64_t out)
      : rows(ceil_div(height, 2)),
        pairs(ceil_div(width, 4)),
        most(ceil_div(64, pairs)),
        v_stride(most * pairs * 2 * in + 32),
        d_stride(most * pairs * 2 * out + 32),
        u_stride(in * out + 16) {}
};

// Lane c: a[c] below, b[c] above.
KITH_AVX512_BF16 inline void put_woven(bf16* to, __m512 a, __m512 b) {
  alignas(64) static constexpr uint16_t kOrder[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                                      8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const __m512i order = _mm512_load_si512(kOrder);
  _mm512_store_si512(to, _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(b, a)));
}

// One column of pixels, 16 channels, B^T times it.
struct ThinColumn {
  __m512 q[4];
};
struct ThinRows : FourRows {
  ThinRows(const WinogradBf16Weights& a, const bf16* image, int64_t first)
      : FourRows(image, a.height, a.width, a.in, first) {}
  KITH_AVX512_BF16 ThinColumn column(int64_t x, int64_t channel) const {
    const bool in = x >= 0 && x < width;
    const int64_t at = (in ? x : 0) * channels + channel;
    __m512 d[4];
    for (int r = 0; r < 4; ++r) d[r] = widen16_or_zero(row[r] + at, in && inside[r]);
    return {{d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]}};
  }
};

// V [position][pair][in][2] of a row of tiles
KITH_AVX512_BF16 void image_pairs(const ThinRows& rows, int64_t pairs, bf16* v, int64_t stride) {
  for (int64_t c = 0; c < rows.channels; c += kLanes) {
    ThinColumn a = rows.column(-1, c), b = rows.column(0, c);
    for (int64_t t = 0; t < pairs; ++t) {
      const ThinColumn d = rows.column(4 * t + 1, c), e = rows.column(4 * t + 2, c), f = rows.column(4 * t + 3, c),
                       g = rows.column(4 * t + 4, c);
      bf16* const to = v + (t * rows.channels + c) * 2;
      for (int r = 0; r < 4; ++r) {
        put_woven(to + (4 * r) * stride, a.q[r] - d.q[r], d.q[r] - f.q[r]);
        put_woven(to + (4 * r + 1) * stride, b.q[r] + d.q[r], e.q[r] + f.q[r]);
        put_woven(to + (4 * r + 2) * stride, d.q[r] - b.q[r], f.q[r] - e.q[r]);
        put_woven(to + (4 * r + 3) * stride, b.q[r] - e.q[r], e.q[r] - g.q[r]);
      }
      a = f, b = g;
    }
  }
}

// A dy A^T of one tile, 16 channels, but for the signs of its last row and column, which weights_from turns.
struct GradientTile {
  __m512 q[4][4];
};
KITH_AVX512_BF16 inline GradientTile gradient_tile(const WinogradBf16Weights& a, const bf16* row, bool below,
                                                   int64_t col, int64_t channel) {
  GradientTile t;
  for (int64_t x = 0; x < 2; ++x) {
    const bool in = col + x < a.width;
    const bf16* const at = row + (in ? col + x : 0) * a.out + channel;
    const __m512 y0 = widen16_or_zero(at, in), y1 = widen16_or_zero(below ? at + a.width * a.out : at, in && below);
    t.q[0][x] = y0, t.q[1][x] = y0 + y1, t.q[2][x] = y0 - y1, t.q[3][x] = y1;
  }
  for (auto& q : t.q) {
    const __m512 y0 = q[0], y1 = q[1];
    q[1] = y0 + y1, q[2] = y0 - y1, q[3] = y1;
  }
  return t;
}

// D [position][pair][out][2] of a row of tiles
KITH_AVX512_BF16 void gradient_pairs(const WinogradBf16Weights& a, const bf16* row, bool below, int64_t pairs, bf16* d,
                                     int64_t stride) {
  for (int64_t t = 0; t < pairs; ++t)
    for (int64_t c = 0; c < a.out; c += kLanes) {
      const GradientTile one = gradient_tile(a, row, below, 4 * t, c), two = gradient_tile(a, row, below, 4 * t + 2, c);
      bf16* const to = d + (t * a.out + c) * 2;
      for (int p = 0; p < kPositions; ++p) put_woven(to + p * stride, one.q[p / 4][p % 4], two.q[p / 4][p % 4]);
    }
}

// R channels of the result x 16 N of the images, in registers: U [out][in] of one position.
template <int R, int N>
KITH_AVX512_BF16 void sum_block(const WinogradBf16Weights& a, const bf16* d, const bf16* v, int64_t count, float* u,
                                Write write) {
  __m512 sum[R][N];
  for (int r = 0; r < R; ++r)
    for (int j = 0; j < N; ++j)
      sum[r][j] = write == Write::add ? _mm512_load_ps(u + r * a.in + j * 16) : _mm512_setzero_ps();
#pragma GCC unroll 2
  for (int64_t k = 0; k < count; ++k) {
    __m512bh b[N];
    for (int j = 0; j < N; ++j) b[j] = pairs(v + k * a.in * 2 + j * 32);
    for (int r = 0; r < R; ++r) {
      const __m512bh g = pair_in_lanes(d + k * a.out * 2 + r * 2);
      for (int j = 0; j < N; ++j) sum[r][j] = _mm512_dpbf16_ps(sum[r][j], g, b[j]);
    }
  }
  for (int r = 0; r < R; ++r)
    for (int j = 0; j < N; ++j) _mm512_store_ps(u + r * a.in + j * 16, sum[r][j]);
}

template <int R, int N>
KITH_AVX512_BF16 void sums(const WinogradBf16Weights& a, const bf16* d, const bf16* v, int64_t count, float* u,
                           Write write) {
  for (int64_t i = 0; i < a.in; i += 16 * N)
    for (int64_t o = 0; o < a.out; o += R) sum_block<R, N>(a, d + o * 2, v + i * 2, count, u + o * a.in + i, write);
}

// dw = G^T U G, 16 channels
KITH_AVX512_BF16 void weights_from(const float* u, int64_t stride, float* dw, int64_t in) {
  const __m512 half = _mm512_set1_ps(.5f);
  __m512 t[3][4];
  for (int c = 0; c < 4; ++c) {
    const __m512 u0 = _mm512_load_ps(u + c * stride), u1 = _mm512_load_ps(u + (4 + c) * stride),
                 u2 = _mm512_load_ps(u + (8 + c) * stride), u3 = _mm512_load_ps(u + (12 + c) * stride);
    const __m512 outer = (u1 + u2) * half;
    t[0][c] = u0 + outer, t[1][c] = (u1 - u2) * half, t[2][c] = outer - u3;
  }
  for (int r = 0; r < 3; ++r) {
    const __m512 outer = (t[r][1] + t[r][2]) * half;
    _mm512_storeu_ps(dw + 3 * r * in, t[r][0] + outer);
    _mm512_storeu_ps(dw + (3 * r + 1) * in, (t[r][1] - t[r][2]) * half);
    _mm512_storeu_ps(dw + (3 * r + 2) * in, outer - t[r][3]);
  }
}

}  // namespace

int64_t winograd_bf16_weights_scratch(int64_t height, int64_t width, int64_t in, int64_t out) {
  const PairRows r(height, width, in, out);
  return kPositions * (r.u_stride + (r.v_stride + r.d_stride) / 2);
}

void winograd_bf16_weights(const WinogradBf16Weights& a) {
  check(winograd_bf16_offered(), "winograd_bf16: this processor has no AVX512_BF16");
  check(a.in > 0 && a.out > 0 && a.in % kGroup == 0 && a.out % kGroup == 0,
        fmt::format("winograd_bf16: channels in multiples of 32 expected, found {} and {}", a.in, a.out));
  const int64_t scratch = winograd_bf16_weights_scratch(a.height, a.width, a.in, a.out);
  check(std::ssize(a.scratch) >= scratch,
        fmt::format("winograd_bf16: scratch of {} elements expected, found {}", scratch, a.scratch.size()));
  const PairRows r(a.height, a.width, a.in, a.out);
  float* const u = a.scratch.data();
  bf16* const v = reinterpret_cast<bf16*>(u + kPositions * r.u_stride);
  bf16* const d = v + kPositions * r.v_stride;
  for (int64_t first = 0; first < a.images * r.rows; first += r.most) {
    const int64_t count = std::min(r.most, a.images * r.rows - first);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t image = (first + i) / r.rows, row = (first + i) % r.rows;
      image_pairs(ThinRows(a, a.x + image * a.height * a.width * a.in, 2 * row - 1), r.pairs,
                  v + i * r.pairs * 2 * a.in, r.v_stride);
      gradient_pairs(a, a.dy + (image * a.height + 2 * row) * a.width * a.out, 2 * row + 1 < a.height, r.pairs,
                     d + i * r.pairs * 2 * a.out, r.d_stride);
    }
    const Write write = first == 0 ? Write::overwrite : Write::add;
    for (int64_t p = 0; p < kPositions; ++p) {
      const auto run = a.in % 64 == 0 ? sums<4, 4> : sums<8, 2>;
      run(a, d + p * r.d_stride, v + p * r.v_stride, count * r.pairs, u + p * r.u_stride, write);
    }
  }
  for (int64_t o = 0; o < a.out; ++o)
    for (int64_t i = 0; i < a.in; i += kLanes)
      weights_from(u + o * a.in + i, r.u_stride, a.dw + o * 9 * a.in + i, a.in);
}

}  // namespace kith::kernels
