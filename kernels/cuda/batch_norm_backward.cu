// Backward: a pass of sums per chunk of rows, which also writes dresidual, joins the chunks in f64 (core/parts.cuh) and
// turns them into the coefficients of dx; a pass that applies, each chunk backwards (see batch_norm.cu). Where dresidual
// holds d alone the last pass reads it in place of dy and the sign. A fixed order of additions: the same bits in every run.
// DRAM, in elements: x and dy twice, dx; dresidual once more; y twice (once with dresidual), or 1 bit for each.
#include "kernels/cuda/batch_norm.cuh"

namespace kith::kernels::cuda {
namespace batch_norm {
namespace {

// Where the sign of y comes from; the unused ones are null.
template <class A>
struct Signs {
  const A* y;
  const uint8_t* mask;
  const float *gamma, *beta;
};

constexpr int kBatch = 2;  // vectors in flight of each tensor read

// Blocks of a multiprocessor: 80 registers a thread; a third tensor, or the parameters that give the sign from x, need more.
constexpr int resident(BatchNormSign s) { return s == BatchNormSign::none || s == BatchNormSign::from_mask ? 3 : 2; }

// The tensors read, for one batch: gradients masked by the sign of y.
template <class A, int V, BatchNormSign S>
struct Reader {
  const A* __restrict__ x;
  const A* dy;
  Signs<A> signs;
  float mean[V], scale[V], beta[V];
  Vector<A, V> xs[kBatch], ds[kBatch], ys[kBatch];
  unsigned bits[kBatch];

  __device__ __forceinline__ Reader(const A* x_, const A* dy_, const Signs<A>& signs_, const float* mean_,
                                    const float* invstd, int channels)
      : x(x_), dy(dy_), signs(signs_) {
    per_channel<V>(mean_, channels, mean);
    if constexpr (S == BatchNormSign::from_x) {
      float gamma[V];
      per_channel<V>(signs.gamma, channels, gamma);
      per_channel<V>(invstd, channels, scale);
      per_channel<V>(signs.beta, channels, beta);
#pragma unroll
      for (int k = 0; k < V; ++k) scale[k] *= gamma[k];
    }
  }
  __device__ __forceinline__ void fetch(int b, int64_t i) {
    xs[b] = load<V>(x + i);
    ds[b] = load<V>(dy + i);
    if constexpr (S == BatchNormSign::from_y) ys[b] = load<V>(signs.y + i);
    if constexpr (S == BatchNormSign::from_mask) bits[b] = static_cast<unsigned>(signs.mask[i / 8]) >> (i % 8);
  }
  // d and x - mean
  __device__ __forceinline__ void get(int b, float (&d)[V], float (&centered)[V]) const {
    float u[V], y[V];
    xs[b].get(u);
    ds[b].get(d);
    if constexpr (S == BatchNormSign::from_y) ys[b].get(y);
#pragma unroll
    for (int k = 0; k < V; ++k) {
      bool positive = true;
      if constexpr (S == BatchNormSign::from_x) positive = normalized(u[k], mean[k], scale[k], beta[k]) > 0.f;
      if constexpr (S == BatchNormSign::from_y) positive = y[k] > 0.f;
      if constexpr (S == BatchNormSign::from_mask) positive = (bits[b] >> k & 1u) != 0;
      if (!positive) d[k] = 0.f;
      centered[k] = u[k] - mean[k];
    }
  }
};

// dbeta and dgamma where wanted; coefficients [3][channels] of dx = c0 d + c1 (x - mean) + c2.
struct Sums {
  float *coefficients, *dbeta, *dgamma;
  int add;

  // From the sums of d and of d (x - mean).
  __device__ __forceinline__ void write(const Pair& sums, double n, int channels, double gamma, double s) const {
    const int c = sums.channel;
    const double scale = gamma * s;
    coefficients[c] = static_cast<float>(scale);
    coefficients[channels + c] = static_cast<float>(-scale * s * s * sums.b / n);
    coefficients[2 * channels + c] = static_cast<float>(-scale * sums.a / n);
    if (dbeta != nullptr) put(dbeta + c, static_cast<float>(sums.a), add);
    if (dgamma != nullptr) put(dgamma + c, static_cast<float>(sums.b * s), add);
  }
};

// dresidual may be the buffer of dy: each vector is read before it is written, by one thread.
template <class A, int V, BatchNormSign S>
__global__ void __launch_bounds__(kThreads, resident(S))
    backward_sums_kernel(const A* __restrict__ x, const A* dy, Shape s, const float* __restrict__ mean,
                         const float* __restrict__ invstd, Signs<A> signs, A* dresidual, int add_residual, Joins joins,
                         Sums out) {
  Reader<A, V, S> in(x, dy, signs, mean, invstd, s.channels);
  float sum[V] = {}, dot[V] = {};
  for_rows<V, kBatch, Order::forward>(
      s, [&](int b, int64_t i) { in.fetch(b, i); },
      [&](int b, int64_t i, bool there) {
        if (!there) return;
        float d[V], centered[V];
        in.get(b, d, centered);
        if (dresidual != nullptr) store<V>(dresidual + i, d, add_residual);
#pragma unroll
        for (int k = 0; k < V; ++k) {
          sum[k] += d[k];
          dot[k] += d[k] * centered[k];
        }
      });
  const Pair sums = sum_pairs<V>(sum, dot, s.channels, joins);
  if (sums.channel >= 0)
    out.write(sums, static_cast<double>(s.rows), s.channels, signs.gamma[sums.channel], invstd[sums.channel]);
}

// dx may be the buffer of dy: each vector is read before it is written, by one thread.
template <class A, int V, BatchNormSign S>
__global__ void __launch_bounds__(kThreads, resident(S))
    backward_apply_kernel(const A* __restrict__ x, const A* dy, Shape s, const float* __restrict__ mean,
                          const float* __restrict__ invstd, Signs<A> signs, const float* __restrict__ coefficients,
                          A* dx, int add) {
  Reader<A, V, S> in(x, dy, signs, mean, invstd, s.channels);
  float c0[V], c1[V], c2[V];
  per_channel<V>(coefficients, s.channels, c0);
  per_channel<V>(coefficients + s.channels, s.channels, c1);
  per_channel<V>(coefficients + 2 * s.channels, s.channels, c2);
  for_rows<V, kBatch, Order::backward>(
      s, [&](int b, int64_t i) { in.fetch(b, i); },
      [&](int b, int64_t i, bool there) {
        if (!there) return;
        float d[V], v[V];
        in.get(b, d, v);
#pragma unroll
        for (int k = 0; k < V; ++k) v[k] = c0[k] * d[k] + (c1[k] * v[k] + c2[k]);
        store<V>(dx + i, v, add);
      });
}

template <class F>
void with_sign(BatchNormSign sign, F f) {
  using enum BatchNormSign;
  if (sign == none) f(std::integral_constant<BatchNormSign, none>{});
  if (sign == from_x) f(std::integral_constant<BatchNormSign, from_x>{});
  if (sign == from_y) f(std::integral_constant<BatchNormSign, from_y>{});
  if (sign == from_mask) f(std::integral_constant<BatchNormSign, from_mask>{});
}

template <int V, class A>
void backward(const BatchNormBackward<float, A>& a, Queue q) {
  const Signs<A> signs{a.y.data, reinterpret_cast<const uint8_t*>(pointer(a.mask)), a.gamma.data(), pointer(a.beta)};
  const BatchNormSign sign = !a.relu           ? BatchNormSign::none
                             : !a.mask.empty() ? BatchNormSign::from_mask
                             : a.y.data        ? BatchNormSign::from_y
                                               : BatchNormSign::from_x;
  const Geometry<V> g(a.x.rows, a.x.cols, resident(sign), q);
  const JoinMemory<V> joins(g, q);
  const Scratch<float> coefficients(int64_t{3} * g.shape.channels, q);
  const Sums sums{coefficients.data(), pointer(a.dbeta), pointer(a.dgamma), a.write_params == Write::add ? 1 : 0};
  with_sign(sign, [&](auto s) {
    launch("batch_norm_backward_sums", backward_sums_kernel<A, V, s.value>, g.pass(), q, a.x.data, a.dy.data, g.shape,
           a.mean.data(), a.invstd.data(), signs, a.dresidual, a.write_residual == Write::add ? 1 : 0, joins.get(),
           sums);
  });
  if (a.dx.data == nullptr) return;
  const bool stored = a.dresidual != nullptr && a.write_residual == Write::overwrite;  // dresidual is d
  const BatchNormSign last_sign = stored ? BatchNormSign::none : sign;
  const Geometry<V> last(a.x.rows, a.x.cols, resident(last_sign), q);
  with_sign(last_sign, [&](auto s) {
    launch("batch_norm_backward_apply", backward_apply_kernel<A, V, s.value>, last.pass(), q, a.x.data,
           stored ? a.dresidual : a.dy.data, last.shape, a.mean.data(), a.invstd.data(), signs, coefficients.data(),
           a.dx.data, a.write_x == Write::add ? 1 : 0);
  });
}

template <class A>
void run(const BatchNormBackward<float, A>& a, Queue q) {
  if (vectors(a.x.cols, {a.x.data, a.y.data, a.dy.data, a.dx.data, a.dresidual, a.gamma.data(), a.mean.data(),
                         a.invstd.data(), a.beta.data()}))
    backward<kVector<A>>(a, q);
  else
    backward<1>(a, q);
}

}  // namespace
}  // namespace batch_norm

void batch_norm_backward(const BatchNormBackward<float>& a, Queue q) { batch_norm::run(a, q); }
void batch_norm_backward(const BatchNormBackward<float, bf16>& a, Queue q) { batch_norm::run(a, q); }

}  // namespace kith::kernels::cuda
