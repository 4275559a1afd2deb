// Both directions are bound by memory: one pass that reduces over rows, one that applies, each as few streams as it
// can. Rows are contiguous, so `fold` of them are handled as one wide row of about 256 values: the inner loops run over
// contiguous memory and vectorise for any number of channels, and parameters are repeated `fold` times to match.
#pragma once
#include <algorithm>
#include <span>

#include "kernels/core/bf16.h"
#include "kernels/core/parallel.h"
#include "kernels/core/types.h"
#include "kernels/cpu/aligned.h"

namespace kith::kernels::cpu {

struct BatchNormLayout {
  static constexpr int64_t kWidth = 256;               // of a wide row: parameters and accumulators stay in L1
  static constexpr int64_t kChunk = int64_t{1} << 16;  // elements: short enough for f32 sums, 256 KiB of each stream

  int64_t rows, channels, fold, width, grain;  // grain: rows of a chunk, a multiple of fold

  BatchNormLayout(int64_t r, int64_t c) : rows(r), channels(c) {
    fold = std::max<int64_t>(1, kWidth / channels);
    if (fold > 16) fold -= fold % 16;  // width a multiple of 16 floats
    width = fold * channels;
    grain = fold * std::max<int64_t>(1, kChunk / width);
  }
  int64_t chunks() const { return ceil_div(rows, grain); }

  // One value per channel, repeated over a wide row.
  template <class F>
  AlignedVector<float> repeat(F f) const {
    AlignedVector<float> v(static_cast<size_t>(width));
    for (int64_t c = 0; c < channels; ++c) v[c] = static_cast<float>(f(c));
    for (int64_t i = channels; i < width; ++i) v[i] = v[i - channels];
    return v;
  }
  // Sum over the rows of a wide row.
  double unfold(const AlignedVector<float>& v, int64_t c) const {
    double sum = 0;
    for (int64_t i = c; i < width; i += channels) sum += static_cast<double>(v[i]);
    return sum;
  }
};

// The pass that applies runs from the last chunk to the first: what the first pass read last is still in cache.
template <class F>
void parallel_for_reversed(const BatchNormLayout& l, F&& f) {
  parallel_for(l.chunks(), 1, [&](int64_t chunk, int64_t) {
    const int64_t begin = (l.chunks() - 1 - chunk) * l.grain;
    f(begin, std::min(l.rows, begin + l.grain));
  });
}

// What the normalisation of one channel is made of; forward and backward compute u with the same roundings.
inline float normalized(float x, float mean, float scale, float beta) { return (x - mean) * scale + beta; }

// Bit i of the mask of y > 0.
inline bool mask_bit(std::span<const uint32_t> mask, int64_t i) { return mask[i / 32] >> (i % 32) & 1u; }

// One word after another, since chunks of rows need not end where words do.
template <class T>
void write_mask(Matrix<const T> y, std::span<uint32_t> mask) {
  parallel_for(static_cast<int64_t>(mask.size()), 2048, [&](int64_t begin, int64_t end) {
    for (int64_t word = begin; word < end; ++word) {
      uint32_t bits = 0;
      for (int64_t i = 32 * word, stop = std::min(y.size(), i + 32); i < stop; ++i)
        bits |= uint32_t{widen(y.data[i]) > 0} << (i % 32);
      mask[word] = bits;
    }
  });
}

inline void write_channel(std::span<float> out, int64_t c, double value, Write write) {
  if (out.empty()) return;
  out[c] = static_cast<float>(write == Write::add ? static_cast<double>(out[c]) + value : value);
}

}  // namespace kith::kernels::cpu
