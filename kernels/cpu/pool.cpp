#include "kernels/pool.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/core/parallel.h"
#include "kernels/pool_windows.h"

namespace kith::kernels::cpu {
namespace {

constexpr int64_t kGrain = 1 << 15;  // elements of a chunk of work: tens of microseconds
constexpr int kLanes = 64;           // channels handled at a time: their maxima or sums stay in registers or L1

// Calls pixel(image, y, x, from, count) for every pixel of `images` images and every group of channels.
template <class F>
void for_pixels(int64_t images, int height, int width, int channels, F&& pixel) {
  const int64_t row = int64_t{width} * channels;
  parallel_for(images * height, std::max<int64_t>(1, kGrain / row), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      for (int x = 0; x < width; ++x)
        for (int c = 0; c < channels; c += kLanes)
          pixel(r / height, static_cast<int>(r % height), x, c, std::min(kLanes, channels - c));
  });
}

template <class A>
void put(A* out, const Arithmetic<A>* v, int count, Write write) {
  if (write == Write::add)
    for (int c = 0; c < count; ++c) out[c] = rounded_to<A>(widen(out[c]) + v[c]);
  else
    for (int c = 0; c < count; ++c) out[c] = rounded_to<A>(v[c]);
}

// dx = the sum that add_window(output element, y, x, oy, ox, count, sum) makes over the windows that hold x.
template <class A, class F>
void gather(const PoolShape& s, A* dx, Write write, F&& add_window) {
  const int out_h = s.out_height(), out_w = s.out_width();
  for_pixels(s.images, s.height, s.width, s.channels, [&](int64_t n, int y, int x, int from, int count) {
    Arithmetic<A> sum[kLanes] = {};
    const PoolWindow holders = pool_holders(s, y, x);
    for (int oy = holders.rows.first; oy < holders.rows.last; ++oy)
      for (int ox = holders.columns.first; ox < holders.columns.last; ++ox)
        add_window(((n * out_h + oy) * out_w + ox) * s.channels + from, y, x, oy, ox, count, sum);
    put(dx + ((n * s.height + y) * s.width + x) * s.channels + from, sum, count, write);
  });
}

}  // namespace

template <class A>
void max_pool_forward(const MaxPoolForward<A>& a) {
  const PoolShape& s = a.shape;
  const int out_h = s.out_height(), out_w = s.out_width();
  for_pixels(s.images, out_h, out_w, s.channels, [&](int64_t n, int oy, int ox, int from, int count) {
    const PoolWindow window = pool_window(s, oy, ox);
    using T = Arithmetic<A>;
    T best[kLanes];
    int32_t where[kLanes] = {};
    std::fill_n(best, kLanes, -std::numeric_limits<T>::infinity());
    bool first = true;
    for (int y = window.rows.first; y < window.rows.last; ++y)
      for (int x = window.columns.first; x < window.columns.last; ++x) {
        const A* in = a.x.data() + ((n * s.height + y) * s.width + x) * s.channels + from;
        const int32_t code = pool_position(s, oy, ox, y, x);
        if (first) {  // also where it is -inf
          std::transform(in, in + count, best, [](A v) { return widen(v); });
          std::fill_n(where, count, code);
          first = false;
          continue;
        }
        for (int c = 0; c < count; ++c) {
          const T v = widen(in[c]);
          const bool better = v > best[c] || v != v;
          best[c] = better ? v : best[c];
          where[c] = better ? code : where[c];
        }
      }
    const int64_t out = ((n * out_h + oy) * out_w + ox) * s.channels + from;
    put(a.y.data() + out, best, count, Write::overwrite);
    if (!a.position.empty())
      for (int c = 0; c < count; ++c) a.position[out + c] = static_cast<uint8_t>(where[c]);
  });
}

template <class A>
void max_pool_backward(const MaxPoolBackward<A>& a) {
  const PoolShape& s = a.shape;
  gather(s, a.dx.data(), a.write, [&](int64_t out, int y, int x, int oy, int ox, int count, Arithmetic<A>* sum) {
    const int32_t code = pool_position(s, oy, ox, y, x);
    const A* dy = a.dy.data() + out;
    const uint8_t* position = a.position.data() + out;
    for (int c = 0; c < count; ++c) sum[c] += position[c] == code ? widen(dy[c]) : 0;
  });
}

template <class A>
void average_pool_forward(const AveragePoolForward<A>& a) {
  const PoolShape& s = a.shape;
  const int out_h = s.out_height(), out_w = s.out_width();
  for_pixels(s.images, out_h, out_w, s.channels, [&](int64_t n, int oy, int ox, int from, int count) {
    const PoolWindow window = pool_window(s, oy, ox);
    Arithmetic<A> sum[kLanes] = {};
    for (int y = window.rows.first; y < window.rows.last; ++y)
      for (int x = window.columns.first; x < window.columns.last; ++x) {
        const A* in = a.x.data() + ((n * s.height + y) * s.width + x) * s.channels + from;
        for (int c = 0; c < count; ++c) sum[c] += widen(in[c]);
      }
    const auto size = static_cast<Arithmetic<A>>(window.size());
    for (int c = 0; c < count; ++c) sum[c] /= size;
    put(a.y.data() + ((n * out_h + oy) * out_w + ox) * s.channels + from, sum, count, Write::overwrite);
  });
}

template <class A>
void average_pool_backward(const AveragePoolBackward<A>& a) {
  const PoolShape& s = a.shape;
  gather(s, a.dx.data(), a.write, [&](int64_t out, int, int, int oy, int ox, int count, Arithmetic<A>* sum) {
    const PoolWindow window = pool_window(s, oy, ox);
    const auto size = static_cast<Arithmetic<A>>(window.size());
    const A* dy = a.dy.data() + out;
    for (int c = 0; c < count; ++c) sum[c] += widen(dy[c]) / size;
  });
}

template <class T, class A>
void global_average_pool_forward(const GlobalAveragePoolForward<T, A>& a) {
  const T size = static_cast<T>(a.pixels);
  parallel_for(a.images, std::max<int64_t>(1, kGrain / (a.pixels * a.channels)), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n)
      for (int64_t from = 0; from < a.channels; from += kLanes) {
        const int count = static_cast<int>(std::min<int64_t>(kLanes, a.channels - from));
        T sum[kLanes] = {};
        for (int64_t p = 0; p < a.pixels; ++p) {
          const A* in = a.x.data() + (n * a.pixels + p) * a.channels + from;
          for (int c = 0; c < count; ++c) sum[c] += widen(in[c]);
        }
        for (int c = 0; c < count; ++c) a.y[n * a.channels + from + c] = sum[c] / size;
      }
  });
}

template <class T, class A>
void global_average_pool_backward(const GlobalAveragePoolBackward<T, A>& a) {
  const T size = static_cast<T>(a.pixels);
  parallel_for(a.images, std::max<int64_t>(1, kGrain / (a.pixels * a.channels)), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n)
      for (int64_t from = 0; from < a.channels; from += kLanes) {
        const int count = static_cast<int>(std::min<int64_t>(kLanes, a.channels - from));
        T share[kLanes];
        for (int c = 0; c < count; ++c) share[c] = a.dy[n * a.channels + from + c] / size;
        for (int64_t p = 0; p < a.pixels; ++p)
          put(a.dx.data() + (n * a.pixels + p) * a.channels + from, share, count, a.write);
      }
  });
}

template void max_pool_forward(const MaxPoolForward<float>&);
template void max_pool_forward(const MaxPoolForward<bf16>&);
template void max_pool_forward(const MaxPoolForward<double>&);
template void max_pool_backward(const MaxPoolBackward<float>&);
template void max_pool_backward(const MaxPoolBackward<bf16>&);
template void max_pool_backward(const MaxPoolBackward<double>&);
template void average_pool_forward(const AveragePoolForward<float>&);
template void average_pool_forward(const AveragePoolForward<bf16>&);
template void average_pool_forward(const AveragePoolForward<double>&);
template void average_pool_backward(const AveragePoolBackward<float>&);
template void average_pool_backward(const AveragePoolBackward<bf16>&);
template void average_pool_backward(const AveragePoolBackward<double>&);
template void global_average_pool_forward(const GlobalAveragePoolForward<float>&);
template void global_average_pool_forward(const GlobalAveragePoolForward<float, bf16>&);
template void global_average_pool_forward(const GlobalAveragePoolForward<double>&);
template void global_average_pool_backward(const GlobalAveragePoolBackward<float>&);
template void global_average_pool_backward(const GlobalAveragePoolBackward<float, bf16>&);
template void global_average_pool_backward(const GlobalAveragePoolBackward<double>&);

}  // namespace kith::kernels::cpu
