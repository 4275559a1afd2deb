// Backward: the two sums over rows in one pass, dx in another.
#include <cmath>
#include <vector>

#include "kernels/batch_norm.h"
#include "kernels/cpu/batch_norm_layout.h"

namespace kith::kernels::cpu {
namespace {

enum class From : uint8_t {
  dy,
  y,
  x,
  mask
};  // what d = dL/du is made of: dy alone, or zero by the sign of y, from there
enum class Store : uint8_t { no, over, add };  // what happens to d

struct Parameters {
  AlignedVector<float> mean, scale, beta;  // repeated; scale = gamma invstd
};

// Backward reads two or three streams, and the processor's own prefetching stops at pages, that is every four wide rows.
// Fetching the wide row eight on, of the n elements left, takes the first pass from a half to all of the memory's speed;
// where the tensor is in cache it only costs.
constexpr int64_t kAhead = 8, kInCache = int64_t{1} << 20;  // rows, elements
template <class A>
inline void prefetch(const A* stream, int64_t n, const BatchNormLayout& l) {
  if (l.rows * l.channels < kInCache) return;
  const int64_t end = std::min(n, (kAhead + 1) * l.width);
  constexpr int64_t kLine = 64 / sizeof(A);
  for (int64_t c = kAhead * l.width; c < end; c += kLine) __builtin_prefetch(stream + c);
}

// d of element i + c, whose x, y and dy stand at c of their arrays.
template <class A>
struct Sources {
  const A *x, *y, *dy;
  const float *mean, *scale, *beta;
  std::span<const uint32_t> mask;
  int64_t i;
};
template <From kFrom, class A>
inline float masked(const Sources<A>& s, int64_t c) {
  const float dy = widen(s.dy[c]);
  if constexpr (kFrom == From::dy) return dy;
  if constexpr (kFrom == From::y) return widen(s.y[c]) > 0.f ? dy : 0.f;
  if constexpr (kFrom == From::x) return normalized(widen(s.x[c]), s.mean[c], s.scale[c], s.beta[c]) > 0.f ? dy : 0.f;
  if constexpr (kFrom == From::mask) return mask_bit(s.mask, s.i + c) ? dy : 0.f;
}

// sum d and sum d (x - mean) over a chunk that starts at element i and has n elements; d also goes to dresidual.
template <From kFrom, Store kStore, class A>
void reduce_chunk(const BatchNormBackward<float, A>& a, const Parameters& p, int64_t i, int64_t n,
                  const BatchNormLayout& l, float* __restrict s1, float* __restrict s2) {
  const float *mean = p.mean.data(), *scale = p.scale.data(), *beta = p.beta.data();
  for (; n > 0; n -= l.width, i += l.width) {
    const A *x = a.x.data + i, *dy = a.dy.data + i, *y = kFrom == From::y ? a.y.data + i : nullptr;
    const Sources<A> sources{x, y, dy, mean, scale, beta, a.mask, i};
    A* dresidual = kStore == Store::no ? nullptr : a.dresidual + i;
    const int64_t end = std::min(n, l.width);
    prefetch(x, n, l);
    prefetch(dy, n, l);
    if constexpr (kFrom == From::y) prefetch(y, n, l);
#pragma GCC ivdep  // dresidual is dy or apart from every other array
    for (int64_t c = 0; c < end; ++c) {
      const float d = masked<kFrom>(sources, c);
      if constexpr (kStore == Store::over) dresidual[c] = rounded_to<A>(d);
      if constexpr (kStore == Store::add) dresidual[c] = rounded_to<A>(widen(dresidual[c]) + d);
      s1[c] += d;
      s2[c] += d * (widen(x[c]) - mean[c]);
    }
  }
}

// dx = scale d + b (x - mean) + e, with the two sums of the first pass in b and e.
struct Gradient {
  AlignedVector<float> b, e;  // repeated
};

template <From kFrom, Store kStore, class A>
void apply_chunk(const BatchNormBackward<float, A>& a, const A* d_source, const Parameters& p, const Gradient& g,
                 int64_t i, int64_t n, const BatchNormLayout& l) {
  const float *mean = p.mean.data(), *scale = p.scale.data(), *beta = p.beta.data(), *b = g.b.data(), *e = g.e.data();
  for (; n > 0; n -= l.width, i += l.width) {
    const A *x = a.x.data + i, *dy = d_source + i, *y = kFrom == From::y ? a.y.data + i : nullptr;
    const Sources<A> sources{x, y, dy, mean, scale, beta, a.mask, i};
    A* dx = a.dx.data + i;
    const int64_t end = std::min(n, l.width);
    prefetch(x, n, l);
    prefetch(dy, n, l);
    if constexpr (kFrom == From::y) prefetch(y, n, l);
#pragma GCC ivdep  // dx is dy or apart from every other array
    for (int64_t c = 0; c < end; ++c) {
      const float d = masked<kFrom>(sources, c);
      const float v = scale[c] * d + (b[c] * (widen(x[c]) - mean[c]) + e[c]);
      dx[c] = rounded_to<A>(kStore == Store::add ? widen(dx[c]) + v : v);
    }
  }
}

template <class F>
void visit(From from, F&& f) {
  if (from == From::dy) f(std::integral_constant<From, From::dy>{});
  if (from == From::y) f(std::integral_constant<From, From::y>{});
  if (from == From::x) f(std::integral_constant<From, From::x>{});
  if (from == From::mask) f(std::integral_constant<From, From::mask>{});
}

template <class F>
void visit(Store store, F&& f) {
  if (store == Store::no) f(std::integral_constant<Store, Store::no>{});
  if (store == Store::over) f(std::integral_constant<Store, Store::over>{});
  if (store == Store::add) f(std::integral_constant<Store, Store::add>{});
}

using Sums = std::vector<double>;  // [2, channels]: sum d, sum d (x - mean)

template <class A>
Sums reduce(const BatchNormBackward<float, A>& a, const BatchNormLayout& l, const Parameters& p, From from,
            Store store) {
  const int64_t channels = l.channels;
  std::vector<double> partial(static_cast<size_t>(l.chunks() * 2 * channels));
  parallel_for(l.rows, l.grain, [&](int64_t begin, int64_t end) {
    AlignedVector<float> s1(static_cast<size_t>(l.width)), s2(s1);
    visit(from, [&](auto f) {
      visit(store, [&](auto s) {
        reduce_chunk<f.value, s.value>(a, p, begin * channels, (end - begin) * channels, l, s1.data(), s2.data());
      });
    });
    double* out = partial.data() + begin / l.grain * 2 * channels;
    for (int64_t c = 0; c < channels; ++c) out[c] = l.unfold(s1, c), out[channels + c] = l.unfold(s2, c);
  });
  Sums sums(static_cast<size_t>(2 * channels));
  for (int64_t chunk = 0; chunk < l.chunks(); ++chunk)
    for (int64_t c = 0; c < 2 * channels; ++c) sums[c] += partial[chunk * 2 * channels + c];
  return sums;
}

}  // namespace

template <class T, class A>
void batch_norm_backward(const BatchNormBackward<T, A>& a) {
  if (a.x.size() == 0 && a.whole == nullptr) return;
  const BatchNormLayout l(a.x.rows, a.x.cols);
  const Parameters p{l.repeat([&](int64_t c) { return a.mean[c]; }),
                     l.repeat([&](int64_t c) { return a.gamma[c] * a.invstd[c]; }),
                     l.repeat([&](int64_t c) { return a.beta.empty() ? 0.f : a.beta[c]; })};
  const From from = !a.relu ? From::dy : !a.mask.empty() ? From::mask : a.y.data ? From::y : From::x;
  const Store store = !a.dresidual ? Store::no : a.write_residual == Write::add ? Store::add : Store::over;
  Sums sums = reduce(a, l, p, from, store);
  const double *const d = sums.data(), *const dx = d + l.channels;
  for (int64_t c = 0; c < l.channels; ++c) {
    write_channel(a.dbeta, c, d[c], a.write_params);
    write_channel(a.dgamma, c, dx[c] * a.invstd[c], a.write_params);
  }
  const double rows = static_cast<double>(a.whole != nullptr ? a.whole->sums(l.rows, sums) : l.rows);
  if (!a.dx.data) return;
  const Gradient g{l.repeat([&](int64_t c) {
                     const double invstd = a.invstd[c];
                     return -a.gamma[c] * invstd * invstd * invstd * dx[c] / rows;
                   }),
                   l.repeat([&](int64_t c) { return -a.gamma[c] * a.invstd[c] * d[c] / rows; })};
  const bool stored = store == Store::over;  // d stands in dresidual: one stream instead of dy and y
  const A* source = stored ? a.dresidual : a.dy.data;
  parallel_for_reversed(l, [&](int64_t begin, int64_t end) {
    visit(stored ? From::dy : from, [&](auto f) {
      const int64_t i = begin * l.channels, n = (end - begin) * l.channels;
      a.write_x == Write::add ? apply_chunk<f.value, Store::add>(a, source, p, g, i, n, l)
                              : apply_chunk<f.value, Store::over>(a, source, p, g, i, n, l);
    });
  });
}

template void batch_norm_backward(const BatchNormBackward<float>&);
template void batch_norm_backward(const BatchNormBackward<float, bf16>&);

}  // namespace kith::kernels::cpu
