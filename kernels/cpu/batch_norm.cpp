// Both directions are bound by memory: one pass that reduces over rows, one that applies, each as few streams as it
// can. Rows are contiguous, so `fold` of them are handled as one wide row of about 256 values: the inner loops run over
// contiguous memory and vectorise for any number of channels, and parameters are repeated `fold` times to match.
#include "kernels/batch_norm.h"

#include <cmath>
#include <vector>

#include "kernels/cpu/aligned.h"
#include "kernels/cpu/parallel.h"

namespace kith::kernels::cpu {
namespace {

constexpr int64_t kWidth = 256;               // of a wide row: parameters and accumulators stay in L1
constexpr int64_t kChunk = int64_t{1} << 16;  // elements: short enough for f32 sums, 256 KiB of each stream

struct Layout {
  int64_t rows, channels, fold, width, grain;  // grain: rows of a chunk, a multiple of fold

  Layout(int64_t r, int64_t c) : rows(r), channels(c) {
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

// s1 += x - shift, s2 += (x - shift)^2 over n contiguous elements that start at channel 0.
void add_shifted_sums(const float* __restrict x, int64_t n, int64_t width, const float* __restrict shift,
                      float* __restrict s1, float* __restrict s2) {
  for (; n >= 4 * width; n -= 4 * width, x += 4 * width)
    for (int64_t c = 0; c < width; ++c) {
      const float d0 = x[c] - shift[c], d1 = x[c + width] - shift[c];
      const float d2 = x[c + 2 * width] - shift[c], d3 = x[c + 3 * width] - shift[c];
      s1[c] += (d0 + d1) + (d2 + d3);
      s2[c] += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3);
    }
  for (; n > 0; n -= width, x += width)
    for (int64_t c = 0, end = std::min(n, width); c < end; ++c) {
      const float d = x[c] - shift[c];
      s1[c] += d;
      s2[c] += d * d;
    }
}

// The pass that applies runs from the last chunk to the first: what the first pass read last is still in cache.
template <class F>
void parallel_for_reversed(const Layout& l, F&& f) {
  parallel_for(l.chunks(), 1, [&](int64_t chunk, int64_t) {
    const int64_t begin = (l.chunks() - 1 - chunk) * l.grain;
    f(begin, std::min(l.rows, begin + l.grain));
  });
}

struct Statistics {
  std::vector<double> mean, squares;  // [channels]; squares = sum (x - mean)^2
};

Statistics statistics(Matrix<const float> x, const Layout& l) {
  const int64_t channels = l.channels;
  std::vector<double> partial(static_cast<size_t>(l.chunks() * 2 * channels));  // per chunk: means, squares
  parallel_for(l.rows, l.grain, [&](int64_t begin, int64_t end) {
    const float* first = x.data + begin * channels;
    const AlignedVector<float> shift = l.repeat([&](int64_t c) { return first[c]; });
    AlignedVector<float> s1(static_cast<size_t>(l.width)), s2(s1);
    add_shifted_sums(first, (end - begin) * channels, l.width, shift.data(), s1.data(), s2.data());
    double* out = partial.data() + begin / l.grain * 2 * channels;
    for (int64_t c = 0; c < channels; ++c) {
      const double sum = l.unfold(s1, c), n = static_cast<double>(end - begin);
      out[c] = static_cast<double>(shift[c]) + sum / n;
      out[channels + c] = std::max(0.0, l.unfold(s2, c) - sum * sum / n);
    }
  });
  Statistics s{std::vector<double>(static_cast<size_t>(channels)), std::vector<double>(static_cast<size_t>(channels))};
  for (int64_t chunk = 0, seen = 0; chunk < l.chunks(); ++chunk) {
    const double* part = partial.data() + chunk * 2 * channels;
    const int64_t count = std::min(l.grain, l.rows - seen);
    const double before = static_cast<double>(seen), here = static_cast<double>(count), all = before + here;
    const double step = here / all, spread = before * here / all;
    for (int64_t c = 0; c < channels; ++c) {
      const double delta = part[c] - s.mean[c];
      s.mean[c] += delta * step;
      s.squares[c] += part[channels + c] + delta * delta * spread;
    }
    seen += count;
  }
  return s;
}

// What the normalisation of one channel is made of; forward and backward compute u with the same roundings.
inline float normalized(float x, float mean, float scale, float beta) { return (x - mean) * scale + beta; }

template <bool kResidual, bool kRelu>
void apply_forward(const BatchNormForward<float>& a, const Layout& l, const AlignedVector<float>& means,
                   const AlignedVector<float>& scales) {
  const AlignedVector<float> betas = l.repeat([&](int64_t c) { return a.beta[c]; });
  parallel_for_reversed(l, [&](int64_t begin, int64_t end) {
    const float *mean = means.data(), *scale = scales.data(), *beta = betas.data();
    const int64_t stop = end * l.channels;
    for (int64_t i = begin * l.channels; i < stop; i += l.width) {
      const float *x = a.x.data + i, *residual = kResidual ? a.residual + i : nullptr;
      float* y = a.y.data + i;
      const int64_t n = std::min(l.width, stop - i);
#pragma GCC ivdep  // y is residual or apart from it
      for (int64_t c = 0; c < n; ++c) {
        float u = normalized(x[c], mean[c], scale[c], beta[c]);
        if constexpr (kResidual) u += residual[c];
        y[c] = kRelu && u < 0.f ? 0.f : u;  // NaN stays NaN
      }
    }
  });
}

enum class From : uint8_t { dy, y, x };        // what d = dL/du is made of: dy alone, masked by y, masked by x
enum class Store : uint8_t { no, over, add };  // what happens to d

struct Parameters {
  AlignedVector<float> mean, scale, beta;  // repeated; scale = gamma invstd
};

template <From kFrom>
inline float masked(float dy, float x_or_y, float mean, float scale, float beta) {
  if constexpr (kFrom == From::dy) return dy;
  if constexpr (kFrom == From::y) return x_or_y > 0.f ? dy : 0.f;
  if constexpr (kFrom == From::x) return normalized(x_or_y, mean, scale, beta) > 0.f ? dy : 0.f;
}

// sum d and sum d (x - mean) over a chunk that starts at element i and has n elements; d also goes to dresidual.
template <From kFrom, Store kStore>
void reduce_chunk(const BatchNormBackward<float>& a, const Parameters& p, int64_t i, int64_t n, int64_t width,
                  float* __restrict s1, float* __restrict s2) {
  const float *mean = p.mean.data(), *scale = p.scale.data(), *beta = p.beta.data();
  for (; n > 0; n -= width, i += width) {
    const float *x = a.x.data + i, *dy = a.dy.data + i, *y = kFrom == From::y ? a.y.data + i : nullptr;
    float* dresidual = kStore == Store::no ? nullptr : a.dresidual + i;
    const int64_t end = std::min(n, width);
#pragma GCC ivdep  // dresidual is dy or apart from every other array
    for (int64_t c = 0; c < end; ++c) {
      const float d = masked<kFrom>(dy[c], kFrom == From::y ? y[c] : x[c], mean[c], scale[c], beta[c]);
      if constexpr (kStore == Store::over) dresidual[c] = d;
      if constexpr (kStore == Store::add) dresidual[c] += d;
      s1[c] += d;
      s2[c] += d * (x[c] - mean[c]);
    }
  }
}

// dx = scale d + b (x - mean) + e, with the two sums of the first pass in b and e.
struct Gradient {
  AlignedVector<float> b, e;  // repeated
};

template <From kFrom, Store kStore>
void apply_chunk(const BatchNormBackward<float>& a, const float* d_source, const Parameters& p, const Gradient& g,
                 int64_t i, int64_t n, int64_t width) {
  const float *mean = p.mean.data(), *scale = p.scale.data(), *beta = p.beta.data(), *b = g.b.data(), *e = g.e.data();
  for (; n > 0; n -= width, i += width) {
    const float *x = a.x.data + i, *dy = d_source + i, *y = kFrom == From::y ? a.y.data + i : nullptr;
    float* dx = a.dx.data + i;
    const int64_t end = std::min(n, width);
#pragma GCC ivdep  // dx is dy or apart from every other array
    for (int64_t c = 0; c < end; ++c) {
      const float d = masked<kFrom>(dy[c], kFrom == From::y ? y[c] : x[c], mean[c], scale[c], beta[c]);
      const float v = scale[c] * d + (b[c] * (x[c] - mean[c]) + e[c]);
      dx[c] = kStore == Store::add ? dx[c] + v : v;
    }
  }
}

template <class F>
void visit(From from, F&& f) {
  if (from == From::dy) f(std::integral_constant<From, From::dy>{});
  if (from == From::y) f(std::integral_constant<From, From::y>{});
  if (from == From::x) f(std::integral_constant<From, From::x>{});
}

template <class F>
void visit(Store store, F&& f) {
  if (store == Store::no) f(std::integral_constant<Store, Store::no>{});
  if (store == Store::over) f(std::integral_constant<Store, Store::over>{});
  if (store == Store::add) f(std::integral_constant<Store, Store::add>{});
}

struct Sums {
  std::vector<double> d, dx;  // [channels]: sum d, sum d (x - mean)
};

Sums reduce(const BatchNormBackward<float>& a, const Layout& l, const Parameters& p, From from, Store store) {
  const int64_t channels = l.channels;
  std::vector<double> partial(static_cast<size_t>(l.chunks() * 2 * channels));
  parallel_for(l.rows, l.grain, [&](int64_t begin, int64_t end) {
    AlignedVector<float> s1(static_cast<size_t>(l.width)), s2(s1);
    visit(from, [&](auto f) {
      visit(store, [&](auto s) {
        reduce_chunk<f.value, s.value>(a, p, begin * channels, (end - begin) * channels, l.width, s1.data(), s2.data());
      });
    });
    double* out = partial.data() + begin / l.grain * 2 * channels;
    for (int64_t c = 0; c < channels; ++c) out[c] = l.unfold(s1, c), out[channels + c] = l.unfold(s2, c);
  });
  Sums sums{std::vector<double>(static_cast<size_t>(channels)), std::vector<double>(static_cast<size_t>(channels))};
  for (int64_t chunk = 0; chunk < l.chunks(); ++chunk)
    for (int64_t c = 0; c < channels; ++c) {
      sums.d[c] += partial[chunk * 2 * channels + c];
      sums.dx[c] += partial[(chunk * 2 + 1) * channels + c];
    }
  return sums;
}

void put(std::span<float> out, int64_t c, double value, Write write) {
  if (out.empty()) return;
  out[c] = static_cast<float>(write == Write::add ? static_cast<double>(out[c]) + value : value);
}

}  // namespace

template <>
void batch_norm_forward(const BatchNormForward<float>& a) {
  if (a.x.size() == 0) return;
  const Layout l(a.x.rows, a.x.cols);
  AlignedVector<float> mean(a.running_mean.begin(), a.running_mean.end()), invstd(static_cast<size_t>(l.channels));
  if (a.train) {
    const Statistics s = statistics(a.x, l);
    const double rows = static_cast<double>(l.rows), momentum = a.momentum;
    for (int64_t c = 0; c < l.channels; ++c) {
      a.mean[c] = static_cast<float>(s.mean[c]);
      a.invstd[c] = static_cast<float>(1 / std::sqrt(s.squares[c] / rows + static_cast<double>(a.eps)));
      const auto update = [&](std::span<float> running, double value) {
        put(running, c, running.empty() ? 0 : (1 - momentum) * running[c] + momentum * value, Write::overwrite);
      };
      update(a.running_mean, s.mean[c]);
      update(a.running_var, s.squares[c] / (rows - 1));
    }
    mean.assign(a.mean.begin(), a.mean.end());
    invstd.assign(a.invstd.begin(), a.invstd.end());
  } else {
    for (int64_t c = 0; c < l.channels; ++c)
      invstd[c] = static_cast<float>(1 / std::sqrt(static_cast<double>(a.running_var[c]) + static_cast<double>(a.eps)));
  }
  const AlignedVector<float> means = l.repeat([&](int64_t c) { return mean[c]; });
  const AlignedVector<float> scales = l.repeat([&](int64_t c) { return a.gamma[c] * invstd[c]; });
  if (a.residual) {
    a.relu ? apply_forward<true, true>(a, l, means, scales) : apply_forward<true, false>(a, l, means, scales);
  } else {
    a.relu ? apply_forward<false, true>(a, l, means, scales) : apply_forward<false, false>(a, l, means, scales);
  }
}

template <>
void batch_norm_backward(const BatchNormBackward<float>& a) {
  if (a.x.size() == 0) return;
  const Layout l(a.x.rows, a.x.cols);
  const Parameters p{l.repeat([&](int64_t c) { return a.mean[c]; }),
                     l.repeat([&](int64_t c) { return a.gamma[c] * a.invstd[c]; }),
                     l.repeat([&](int64_t c) { return a.beta.empty() ? 0.f : a.beta[c]; })};
  const From from = !a.relu ? From::dy : a.y.data ? From::y : From::x;
  const Store store = !a.dresidual ? Store::no : a.write_residual == Write::add ? Store::add : Store::over;
  const Sums sums = reduce(a, l, p, from, store);
  for (int64_t c = 0; c < l.channels; ++c) {
    put(a.dbeta, c, sums.d[c], a.write_params);
    put(a.dgamma, c, sums.dx[c] * a.invstd[c], a.write_params);
  }
  if (!a.dx.data) return;
  const double rows = static_cast<double>(l.rows);
  const Gradient g{l.repeat([&](int64_t c) {
                     const double invstd = a.invstd[c];
                     return -a.gamma[c] * invstd * invstd * invstd * sums.dx[c] / rows;
                   }),
                   l.repeat([&](int64_t c) { return -a.gamma[c] * a.invstd[c] * sums.d[c] / rows; })};
  const bool stored = store == Store::over;  // d stands in dresidual: one stream instead of dy and y
  const float* source = stored ? a.dresidual : a.dy.data;
  parallel_for_reversed(l, [&](int64_t begin, int64_t end) {
    visit(stored ? From::dy : from, [&](auto f) {
      const int64_t i = begin * l.channels, n = (end - begin) * l.channels;
      a.write_x == Write::add ? apply_chunk<f.value, Store::add>(a, source, p, g, i, n, l.width)
                              : apply_chunk<f.value, Store::over>(a, source, p, g, i, n, l.width);
    });
  });
}

}  // namespace kith::kernels::cpu
