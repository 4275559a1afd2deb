#include "kernels/cpu/winograd_bf16_tiles.h"

#include <algorithm>

#include "kernels/cpu/winograd_bf16_vectors.h"

namespace kith::kernels::cpu {
namespace {

// ---- 32 numbers

// Even and odd ones of 32.
struct Halves {
  __m512 even, odd;
};
KITH_AVX512_BF16 inline Halves halves(__m512i v) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(v, 16)),
          _mm512_castsi512_ps(_mm512_and_si512(v, _mm512_set1_epi32(static_cast<int>(0xffff0000u))))};
}
KITH_AVX512_BF16 inline Halves operator+(const Halves& a, const Halves& b) {
  return {_mm512_add_ps(a.even, b.even), _mm512_add_ps(a.odd, b.odd)};
}
KITH_AVX512_BF16 inline Halves operator-(const Halves& a, const Halves& b) {
  return {_mm512_sub_ps(a.even, b.even), _mm512_sub_ps(a.odd, b.odd)};
}
KITH_AVX512_BF16 inline void put(bf16* p, const Halves& h) {
  _mm512_store_si512(p, (__m512i)_mm512_cvtne2ps_pbh(h.odd, h.even));
}

// ---- U = G g G^T

KITH_AVX512_BF16 inline void transform_weights(const __m512 g[9], __m512 u[kPositions]) {
  const __m512 half = _mm512_set1_ps(.5f);
  __m512 t[4][3];
  for (int c = 0; c < 3; ++c) {
    const __m512 outer = (g[c] + g[6 + c]) * half, inner = g[3 + c] * half;
    t[0][c] = g[c], t[1][c] = outer + inner, t[2][c] = outer - inner, t[3][c] = g[6 + c];
  }
  for (int r = 0; r < 4; ++r) {
    const __m512 outer = (t[r][0] + t[r][2]) * half, inner = t[r][1] * half;
    u[4 * r] = t[r][0], u[4 * r + 1] = outer + inner, u[4 * r + 2] = outer - inner, u[4 * r + 3] = t[r][2];
  }
}

// v[i] lane j becomes v[j] lane i.
KITH_AVX512_BF16 inline void transpose(__m512i v[16]) {
  __m512i t[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
  }
  for (int i = 0; i < 16; i += 4)
    for (int k = 0; k < 2; ++k) {
      v[i + 2 * k] = _mm512_unpacklo_epi64(t[i + k], t[i + k + 2]);
      v[i + 2 * k + 1] = _mm512_unpackhi_epi64(t[i + k], t[i + k + 2]);
    }
  for (int r = 0; r < 4; ++r) {  // v[4 q + r] has columns r, 4 + r, 8 + r, 12 + r of rows 4 q .. 4 q + 3
    const __m512i a = _mm512_shuffle_i32x4(v[r], v[4 + r], 0x44), b = _mm512_shuffle_i32x4(v[r], v[4 + r], 0xee),
                  c = _mm512_shuffle_i32x4(v[8 + r], v[12 + r], 0x44),
                  d = _mm512_shuffle_i32x4(v[8 + r], v[12 + r], 0xee);
    t[r] = _mm512_shuffle_i32x4(a, c, 0x88), t[4 + r] = _mm512_shuffle_i32x4(a, c, 0xdd);
    t[8 + r] = _mm512_shuffle_i32x4(b, d, 0x88), t[12 + r] = _mm512_shuffle_i32x4(b, d, 0xdd);
  }
  for (int i = 0; i < 16; ++i) v[i] = t[i];
}

// Where a piece of U begins; its 16 pairs of channels lie `pair` elements apart, its positions `position`.
struct PieceOfU {
  bf16* data;
  int64_t pair, position;
  PieceOfU(const WinogradBf16& a, int64_t from, int64_t to) {
    const int64_t panel = winograd_panel(a.to);
    pair = 2 * panel, position = a.from * panel;
    data = a.transformed.data() + to / panel * (kPositions * position) + from / 2 * pair + to % panel * 2;
  }
  bf16* at(int p, int64_t k) const { return data + p * position + k * pair; }
};

// ---- V = B^T d B

// One column of pixels, 32 channels, B^T times it.
struct Column {
  Halves q[4];
};

struct Rows : FourRows {
  Rows(const WinogradBf16& a, const bf16* image, int64_t first) : FourRows(image, a.height, a.width, a.from, first) {}
  KITH_AVX512_BF16 Column column(int64_t x, int64_t channel) const {
    const bool in = x >= 0 && x < width;
    const int64_t at = (in ? x : 0) * channels + channel;
    Halves d[4];
    for (int r = 0; r < 4; ++r) d[r] = halves(_mm512_maskz_loadu_epi16(in && inside[r] ? 0xffffffffu : 0, row[r] + at));
    return {{d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]}};
  }
};

// Neighbouring tiles of a row share two columns.
KITH_AVX512_BF16 void row_of_tiles(const Rows& rows, int64_t first, int64_t count, bf16* v, int64_t stride) {
  for (int64_t c = 0; c < rows.channels; c += kGroup) {
    Column a = rows.column(2 * first - 1, c), b = rows.column(2 * first, c);
    for (int64_t t = 0; t < count; ++t) {
      bf16* const to = v + t * rows.channels + c;
      const Column next = rows.column(2 * (first + t) + 1, c);
      for (int r = 0; r < 4; ++r) {
        put(to + (4 * r) * stride, a.q[r] - next.q[r]);
        put(to + (4 * r + 1) * stride, b.q[r] + next.q[r]);
        put(to + (4 * r + 2) * stride, next.q[r] - b.q[r]);
      }
      const Column last = rows.column(2 * (first + t) + 2, c);
      for (int r = 0; r < 4; ++r) put(to + (4 * r + 3) * stride, b.q[r] - last.q[r]);
      a = next, b = last;
    }
  }
}

// ---- M = V U

// R tiles x 16 N channels, in registers.
template <int R, int N>
KITH_AVX512_BF16 void product_block(const bf16* v, int64_t channels, const bf16* u, float* m) {
  __m512 sum[R][N];
  for (int r = 0; r < R; ++r)
    for (int j = 0; j < N; ++j) sum[r][j] = _mm512_setzero_ps();
#pragma GCC unroll 2
  for (int64_t k = 0; k < channels; k += 2) {
    __m512bh b[N];
    for (int j = 0; j < N; ++j) b[j] = pairs(u + (k / 2 * N + j) * 32);
    for (int r = 0; r < R; ++r) {
      const __m512bh a = pair_in_lanes(v + r * channels + k);
      for (int j = 0; j < N; ++j) sum[r][j] = _mm512_dpbf16_ps(sum[r][j], a, b[j]);
    }
  }
  for (int r = 0; r < R; ++r)
    for (int j = 0; j < N; ++j) _mm512_store_ps(m + (r * N + j) * 16, sum[r][j]);
}

template <int R, int N>
KITH_AVX512_BF16 void rest_of_products(int64_t tiles, const bf16* v, int64_t channels, const bf16* u, float* m) {
  if constexpr (R > 0) {
    if (tiles == R) return product_block<R, N>(v, channels, u, m);
    rest_of_products<R - 1, N>(tiles, v, channels, u, m);
  }
}

// 24 sums: with the N vectors of U and one of V they fit the 32 registers, and hide the latency of the products.
template <int N>
KITH_AVX512_BF16 void products(int64_t tiles, const bf16* v, int64_t channels, const bf16* u, float* m) {
  constexpr int kRows = 24 / N;
  int64_t t = 0;
  for (; t + kRows <= tiles; t += kRows) product_block<kRows, N>(v + t * channels, channels, u, m + t * 16 * N);
  rest_of_products<kRows - 1, N>(tiles - t, v + t * channels, channels, u, m + t * 16 * N);
}

// ---- Y = A^T M A

KITH_AVX512_BF16 inline void put_result(bf16* y, __m512 v, Write write) {
  if (write == Write::add) v = _mm512_add_ps(widen16(y), v);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(y), narrow16(v));
}

// Of 16 channels; y is the first of its four pixels, of which those to the right and below may be outside.
struct Outputs {
  int64_t right, below;  // elements to these pixels; 0: outside
  Write write;
};
KITH_AVX512_BF16 inline void result_tile(const float* m, int64_t stride, bf16* y, const Outputs& out) {
  __m512 top[4], low[4];
  for (int c = 0; c < 4; ++c) {
    const __m512 m0 = _mm512_load_ps(m + c * stride), m1 = _mm512_load_ps(m + (4 + c) * stride),
                 m2 = _mm512_load_ps(m + (8 + c) * stride), m3 = _mm512_load_ps(m + (12 + c) * stride);
    top[c] = m0 + (m1 + m2);
    low[c] = (m1 - m2) - m3;
  }
  put_result(y, top[0] + (top[1] + top[2]), out.write);
  if (out.right > 0) put_result(y + out.right, (top[1] - top[2]) - top[3], out.write);
  if (out.below == 0) return;
  put_result(y + out.below, low[0] + (low[1] + low[2]), out.write);
  if (out.right > 0) put_result(y + out.below + out.right, (low[1] - low[2]) - low[3], out.write);
}

// A tile by its number.
struct Place {
  int64_t image, row, col;
  Place(const WinogradTiles& t, int64_t i) : image(i / (t.rows * t.cols)), row(i / t.cols % t.rows), col(i % t.cols) {}
};

}  // namespace

KITH_AVX512_BF16 void winograd_weights_forward(const WinogradBf16& a, int64_t from, int64_t to) {
  __m512i part[kPositions][kLanes];
  for (int64_t o = 0; o < kLanes; ++o) {
    __m512 even[9], odd[9], u_even[kPositions], u_odd[kPositions];
    for (int64_t k = 0; k < 9; ++k) {
      const Halves h = halves(_mm512_loadu_si512(a.weight + ((to + o) * 9 + k) * a.from + from));
      even[k] = h.even, odd[k] = h.odd;
    }
    transform_weights(even, u_even);
    transform_weights(odd, u_odd);
    for (int p = 0; p < kPositions; ++p) part[p][o] = (__m512i)_mm512_cvtne2ps_pbh(u_odd[p], u_even[p]);
  }
  const PieceOfU piece(a, from, to);
  for (int p = 0; p < kPositions; ++p) {
    transpose(part[p]);
    for (int64_t k = 0; k < kGroup / 2; ++k) _mm512_store_si512(piece.at(p, k), part[p][k]);
  }
}

KITH_AVX512_BF16 void winograd_weights_data(const WinogradBf16& a, int64_t from, int64_t to) {
  const PieceOfU piece(a, from, to);
  for (int64_t k = 0; k < kGroup / 2; ++k) {
    const int64_t first = from + (k < 8 ? 4 * k : 4 * k - 31);  // the pairs of V: even ones, then odd ones
    __m512 u[2][kPositions];
    for (int64_t i = 0; i < 2; ++i) {
      __m512 g[9];
      for (int64_t tap = 0; tap < 9; ++tap) g[tap] = widen16(a.weight + ((first + 2 * i) * 9 + 8 - tap) * a.to + to);
      transform_weights(g, u[i]);
    }
    for (int p = 0; p < kPositions; ++p) {
      const __m512i low = _mm512_cvtepu16_epi32(narrow16(u[0][p])), high = _mm512_cvtepu16_epi32(narrow16(u[1][p]));
      _mm512_store_si512(piece.at(p, k), _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
    }
  }
}

void winograd_images(const WinogradBf16& a, const WinogradTiles& tiles, int64_t begin, int64_t end, bf16* v) {
  for (int64_t t = begin; t < end;) {
    const Place at(tiles, t);
    const int64_t count = std::min(tiles.cols - at.col, end - t);
    const Rows rows(a, a.x + at.image * a.height * a.width * a.from, 2 * at.row - 1);
    row_of_tiles(rows, at.col, count, v + (t - begin) * a.from, tiles.v_stride);
    t += count;
  }
}

void winograd_products(const WinogradBf16& a, const WinogradTiles& tiles, int64_t count, int64_t to, const bf16* v,
                       float* m) {
  const int64_t panel = winograd_panel(a.to);
  for (int64_t p = 0; p < kPositions; ++p) {
    const bf16* const u = a.transformed.data() + (to / panel * kPositions + p) * a.from * panel;
    if (panel == 64)
      products<4>(count, v + p * tiles.v_stride, a.from, u, m + p * tiles.m_stride);
    else
      products<2>(count, v + p * tiles.v_stride, a.from, u, m + p * tiles.m_stride);
  }
}

KITH_AVX512_BF16 void winograd_results(const WinogradBf16& a, const WinogradTiles& tiles, int64_t begin, int64_t end,
                                       int64_t to, const float* m) {
  const int64_t panel = winograd_panel(a.to);
  for (int64_t t = begin; t < end; ++t) {
    const Place at(tiles, t);
    bf16* const y = a.y + ((at.image * a.height + 2 * at.row) * a.width + 2 * at.col) * a.to + to;
    const Outputs out{.right = 2 * at.col + 1 < a.width ? a.to : 0,
                      .below = 2 * at.row + 1 < a.height ? a.width * a.to : 0,
                      .write = a.write};
    for (int64_t c = 0; c < panel; c += kLanes) result_tile(m + (t - begin) * panel + c, tiles.m_stride, y + c, out);
  }
}

}  // namespace kith::kernels::cpu
