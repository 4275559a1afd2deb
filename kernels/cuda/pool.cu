// A thread owns neighbouring channels, 16 bytes of them where they are aligned, of one pixel: of y on the way forward, of dx
// on the way back, where it visits the windows that hold its pixel and writes dx once. blockIdx.y walks over images, so that an
// index within one fits 32 bits. The global average: a thread adds its channels over the pixels of an image, in order.
// DRAM: each tensor once, a byte of position per output; windows that overlap are read again from L1 and L2.
#include <algorithm>
#include <initializer_list>

#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/core/vector.cuh"
#include "kernels/pool.h"
#include "kernels/pool_windows.h"

namespace kith::kernels::cuda {
namespace {

constexpr int kThreads = 256,
              kResident = 4;       // blocks of a multiprocessor: 64 registers a thread, with which nothing spills
constexpr int64_t kImages = 1024;  // the most blocks along y: enough for any GPU; further images share them

// A thread's vector within an image: pixel (y, x), first channel; y == height past the last.
struct Place {
  int y, x, channel;
};
template <int V>
__device__ __forceinline__ Place place(int height, int width, int channels) {
  const unsigned vectors = static_cast<unsigned>(channels / V);
  const unsigned i = blockIdx.x * kThreads + threadIdx.x, pixel = i / vectors;
  const unsigned y = pixel / static_cast<unsigned>(width);
  return {static_cast<int>(min(y, static_cast<unsigned>(height))),
          static_cast<int>(pixel - y * static_cast<unsigned>(width)), static_cast<int>(i - pixel * vectors) * V};
}

// Positions of V neighbouring outputs, one access.
template <int V>
struct alignas(V) Positions {
  uint8_t at[V];
};

template <class A, int V>
__global__ void __launch_bounds__(kThreads, kResident)
    max_forward_kernel(const A* __restrict__ x, PoolShape s, A* __restrict__ y, uint8_t* __restrict__ position) {
  const int out_h = s.out_height(), out_w = s.out_width();
  const Place p = place<V>(out_h, out_w, s.channels);
  if (p.y == out_h) return;
  const PoolWindow window = pool_window(s, p.y, p.x);
  for (int64_t n = blockIdx.y; n < s.images; n += gridDim.y) {
    float best[V];
    int where[V];
    bool first = true;
    for (int iy = window.rows.first; iy < window.rows.last; ++iy)
      for (int ix = window.columns.first; ix < window.columns.last; ++ix) {
        const int code = pool_position(s, p.y, p.x, iy, ix);
        float v[V];
        load<V>(x + ((n * s.height + iy) * s.width + ix) * s.channels + p.channel).get(v);
#pragma unroll
        for (int k = 0; k < V; ++k)
          if (first || v[k] > best[k] || v[k] != v[k]) best[k] = v[k], where[k] = code;
        first = false;
      }
    const int64_t out = ((n * out_h + p.y) * out_w + p.x) * s.channels + p.channel;
    store<V>(y + out, best, 0);
    if (position == nullptr) continue;
    Positions<V> packed;
#pragma unroll
    for (int k = 0; k < V; ++k) packed.at[k] = static_cast<uint8_t>(where[k]);
    *reinterpret_cast<Positions<V>*>(position + out) = packed;
  }
}

template <class A, int V>
__global__ void __launch_bounds__(kThreads, kResident)
    average_forward_kernel(const A* __restrict__ x, PoolShape s, A* __restrict__ y) {
  const int out_h = s.out_height(), out_w = s.out_width();
  const Place p = place<V>(out_h, out_w, s.channels);
  if (p.y == out_h) return;
  const PoolWindow window = pool_window(s, p.y, p.x);
  const float size = static_cast<float>(window.size());
  for (int64_t n = blockIdx.y; n < s.images; n += gridDim.y) {
    float sum[V] = {};
    for (int iy = window.rows.first; iy < window.rows.last; ++iy)
      for (int ix = window.columns.first; ix < window.columns.last; ++ix) {
        float v[V];
        load<V>(x + ((n * s.height + iy) * s.width + ix) * s.channels + p.channel).get(v);
#pragma unroll
        for (int k = 0; k < V; ++k) sum[k] += v[k];
      }
#pragma unroll
    for (int k = 0; k < V; ++k) sum[k] /= size;
    store<V>(y + ((n * out_h + p.y) * out_w + p.x) * s.channels + p.channel, sum, 0);
  }
}

// dx of either pooling: position is null for the average.
template <class A, int V>
__global__ void __launch_bounds__(kThreads, kResident)
    backward_kernel(const A* __restrict__ dy, const uint8_t* __restrict__ position, PoolShape s, A* __restrict__ dx,
                    int add) {
  const int out_h = s.out_height(), out_w = s.out_width();
  const Place p = place<V>(s.height, s.width, s.channels);
  if (p.y == s.height) return;
  const PoolWindow holders = pool_holders(s, p.y, p.x);
  for (int64_t n = blockIdx.y; n < s.images; n += gridDim.y) {
    float sum[V] = {};
    for (int oy = holders.rows.first; oy < holders.rows.last; ++oy)
      for (int ox = holders.columns.first; ox < holders.columns.last; ++ox) {
        const int64_t out = ((n * out_h + oy) * out_w + ox) * s.channels + p.channel;
        float d[V];
        load<V>(dy + out).get(d);
        if (position != nullptr) {
          const int code = pool_position(s, oy, ox, p.y, p.x);
          const Positions<V> packed = *reinterpret_cast<const Positions<V>*>(position + out);
#pragma unroll
          for (int k = 0; k < V; ++k) sum[k] += packed.at[k] == code ? d[k] : 0.f;
        } else {
          const float size = static_cast<float>(pool_window(s, oy, ox).size());
#pragma unroll
          for (int k = 0; k < V; ++k) sum[k] += d[k] / size;
        }
      }
    store<V>(dx + ((n * s.height + p.y) * s.width + p.x) * s.channels + p.channel, sum, add);
  }
}

// V f32 beside V activations: one access, or two.
template <int V>
__device__ __forceinline__ void load_f32(const float* p, float (&v)[V]) {
  constexpr int kStep = V == 1 ? 1 : 4;
#pragma unroll
  for (int k = 0; k < V; k += kStep) {
    float part[kStep];
    load<kStep>(p + k).get(part);
#pragma unroll
    for (int j = 0; j < kStep; ++j) v[k + j] = part[j];
  }
}
template <int V>
__device__ __forceinline__ void store_f32(float* p, const float (&v)[V]) {
  constexpr int kStep = V == 1 ? 1 : 4;
#pragma unroll
  for (int k = 0; k < V; k += kStep) {
    float part[kStep];
#pragma unroll
    for (int j = 0; j < kStep; ++j) part[j] = v[k + j];
    store<kStep>(p + k, part, 0);
  }
}

template <class A, int V>
__global__ void __launch_bounds__(kThreads, kResident)
    global_forward_kernel(const A* __restrict__ x, int64_t images, int pixels, int channels, float* __restrict__ y) {
  const int64_t vector = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  const int64_t n = vector / (channels / V), c = (vector - n * (channels / V)) * V;
  if (n >= images) return;
  float sum[V] = {};
#pragma unroll 4  // independent loads in flight
  for (int p = 0; p < pixels; ++p) {
    float v[V];
    load<V>(x + (n * pixels + p) * channels + c).get(v);
#pragma unroll
    for (int k = 0; k < V; ++k) sum[k] += v[k];
  }
#pragma unroll
  for (int k = 0; k < V; ++k) sum[k] /= static_cast<float>(pixels);
  store_f32<V>(y + n * channels + c, sum);
}

template <class A, int V>
__global__ void __launch_bounds__(kThreads, kResident)
    global_backward_kernel(const float* __restrict__ dy, int64_t images, int pixels, int channels, A* __restrict__ dx,
                           int add) {
  const Place p = place<V>(pixels, 1, channels);
  if (p.y == pixels) return;
  for (int64_t n = blockIdx.y; n < images; n += gridDim.y) {
    float share[V];
    load_f32<V>(dy + n * channels + p.channel, share);
#pragma unroll
    for (int k = 0; k < V; ++k) share[k] /= static_cast<float>(pixels);
    store<V>(dx + (n * pixels + p.y) * channels + p.channel, share, add);
  }
}

LaunchShape per_image(int64_t images, int64_t vectors) {
  return {.grid = dim3(static_cast<unsigned>(ceil_div(vectors, kThreads)),
                       static_cast<unsigned>(std::min(images, kImages))),
          .block = dim3(kThreads)};
}

// Calls f with the number of channels of a thread: those of 16 bytes, or 1 where they do not divide or a pointer is not
// aligned.
template <class A, class F>
void with_vectors(int64_t channels, std::initializer_list<const void*> pointers, F f) {
  const bool aligned = std::all_of(pointers.begin(), pointers.end(),
                                   [](const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; });
  if (aligned && channels % kVector<A> == 0)
    f(std::integral_constant<int, kVector<A>>());
  else
    f(std::integral_constant<int, 1>());
}

template <class A>
void forward(const MaxPoolForward<A>& a, Queue q) {
  const PoolShape& s = a.shape;
  if (s.images == 0) return;
  uint8_t* position = a.position.empty() ? nullptr : a.position.data();
  with_vectors<A>(s.channels, {a.x.data(), a.y.data(), position}, [&](auto v) {
    launch("max_pool_forward", max_forward_kernel<A, v()>, per_image(s.images, s.out_size() / s.images / v()), q,
           a.x.data(), s, a.y.data(), position);
  });
}

template <class A>
void forward(const AveragePoolForward<A>& a, Queue q) {
  const PoolShape& s = a.shape;
  if (s.images == 0) return;
  with_vectors<A>(s.channels, {a.x.data(), a.y.data()}, [&](auto v) {
    launch("average_pool_forward", average_forward_kernel<A, v()>, per_image(s.images, s.out_size() / s.images / v()),
           q, a.x.data(), s, a.y.data());
  });
}

template <class A>
void backward(const char* name, const PoolShape& s, const A* dy, const uint8_t* position, A* dx, Write write, Queue q) {
  if (s.images == 0) return;
  with_vectors<A>(s.channels, {dy, position, dx}, [&](auto v) {
    launch(name, backward_kernel<A, v()>, per_image(s.images, s.in_size() / s.images / v()), q, dy, position, s, dx,
           write == Write::add ? 1 : 0);
  });
}

template <class A>
void forward(const GlobalAveragePoolForward<float, A>& a, Queue q) {
  if (a.images == 0) return;
  with_vectors<A>(a.channels, {a.x.data(), a.y.data()}, [&](auto v) {
    const int64_t vectors = a.images * a.channels / v();
    launch("global_average_pool_forward", global_forward_kernel<A, v()>,
           {.grid = dim3(static_cast<unsigned>(ceil_div(vectors, kThreads))), .block = dim3(kThreads)}, q, a.x.data(),
           a.images, static_cast<int>(a.pixels), static_cast<int>(a.channels), a.y.data());
  });
}

template <class A>
void backward(const GlobalAveragePoolBackward<float, A>& a, Queue q) {
  if (a.images == 0) return;
  with_vectors<A>(a.channels, {a.dy.data(), a.dx.data()}, [&](auto v) {
    launch("global_average_pool_backward", global_backward_kernel<A, v()>,
           per_image(a.images, a.pixels * a.channels / v()), q, a.dy.data(), a.images, static_cast<int>(a.pixels),
           static_cast<int>(a.channels), a.dx.data(), a.write == Write::add ? 1 : 0);
  });
}

template <class A>
void max_backward(const MaxPoolBackward<A>& a, Queue q) {
  backward("max_pool_backward", a.shape, a.dy.data(), a.position.data(), a.dx.data(), a.write, q);
}
template <class A>
void average_backward(const AveragePoolBackward<A>& a, Queue q) {
  backward<A>("average_pool_backward", a.shape, a.dy.data(), nullptr, a.dx.data(), a.write, q);
}

}  // namespace

void max_pool_forward(const MaxPoolForward<float>& a, Queue q) { forward(a, q); }
void max_pool_forward(const MaxPoolForward<bf16>& a, Queue q) { forward(a, q); }
void max_pool_backward(const MaxPoolBackward<float>& a, Queue q) { max_backward(a, q); }
void max_pool_backward(const MaxPoolBackward<bf16>& a, Queue q) { max_backward(a, q); }
void average_pool_forward(const AveragePoolForward<float>& a, Queue q) { forward(a, q); }
void average_pool_forward(const AveragePoolForward<bf16>& a, Queue q) { forward(a, q); }
void average_pool_backward(const AveragePoolBackward<float>& a, Queue q) { average_backward(a, q); }
void average_pool_backward(const AveragePoolBackward<bf16>& a, Queue q) { average_backward(a, q); }
void global_average_pool_forward(const GlobalAveragePoolForward<float>& a, Queue q) { forward(a, q); }
void global_average_pool_forward(const GlobalAveragePoolForward<float, bf16>& a, Queue q) { forward(a, q); }
void global_average_pool_backward(const GlobalAveragePoolBackward<float>& a, Queue q) { backward(a, q); }
void global_average_pool_backward(const GlobalAveragePoolBackward<float, bf16>& a, Queue q) { backward(a, q); }

}  // namespace kith::kernels::cuda
