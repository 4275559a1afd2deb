// Forward. Train: a pass of shifted sums per chunk of rows (the shift is the tensor's first row, so a large mean cancels
// nothing), which joins the chunks in f64 (core/parts.cuh), and a pass that applies; eval, again: the last alone. That pass
// walks each chunk backwards: what the first read last is still in L2. Sums are added in a fixed order: the same bits in
// every run.
// DRAM, in elements: x twice (less what L2 kept), y once, residual once, 1 bit for the mask.
#include "kernels/cuda/batch_norm.cuh"

namespace kith::kernels::cuda {
namespace batch_norm {
namespace {

// Blocks of a multiprocessor: 64 and 80 registers a thread.
constexpr int kStatisticsResident = 4, kApplyResident = 3;

// Where the statistics go; the running ones, or null.
struct Statistics {
  float eps, momentum;
  float *mean, *invstd, *running_mean, *running_var;

  // From the sums of x - first and of its squares.
  __device__ __forceinline__ void write(const Pair& sums, double n, float first) const {
    const int c = sums.channel;
    const double shift = sums.a / n, m = shift + first;
    double var = sums.b / n - shift * shift;
    if (var < 0) var = 0;  // not fmax: a NaN must reach the statistics
    mean[c] = static_cast<float>(m);
    invstd[c] = static_cast<float>(1 / sqrt(var + eps));
    if (running_mean != nullptr)
      running_mean[c] = static_cast<float>((1.0 - momentum) * running_mean[c] + momentum * m);
    if (running_var != nullptr)
      running_var[c] = static_cast<float>((1.0 - momentum) * running_var[c] + momentum * var * n / (n - 1));
  }
};

template <class A, int V>
__global__ void __launch_bounds__(kThreads, kStatisticsResident)
    statistics_kernel(const A* __restrict__ x, Shape s, Joins joins, Statistics out) {
  constexpr int kBatch = 4;
  float shift[V] = {}, sum[V] = {}, squares[V] = {};
  if (first_channel<V>() < s.channels) load<V>(x + first_channel<V>()).get(shift);
  Vector<A, V> xs[kBatch];
  for_rows<V, kBatch, Order::forward>(
      s, [&](int b, int64_t i) { xs[b] = load<V>(x + i); },
      [&](int b, int64_t, bool there) {
        if (!there) return;
        float v[V];
        xs[b].get(v);
#pragma unroll
        for (int k = 0; k < V; ++k) {
          const float d = v[k] - shift[k];
          sum[k] += d;
          squares[k] += d * d;
        }
      });
  const Pair sums = sum_pairs<V>(sum, squares, s.channels, joins);
  if (sums.channel < 0) return;
  float first[1];
  load<1>(x + sums.channel).get(first);
  out.write(sums, static_cast<double>(s.rows), first[0]);
}

// y = relu(gamma (x - mean) s + beta + residual), s is invstd, or 1 / sqrt(variance + eps) when `variance`. `mask` is null or
// takes a byte for 8 elements.
template <class A, int V>
__global__ void __launch_bounds__(kThreads, kApplyResident)
    apply_kernel(const A* __restrict__ x, Shape s, const float* __restrict__ gamma, const float* __restrict__ beta,
                 const float* __restrict__ mean, const float* __restrict__ spread, int variance, float eps,
                 const A* residual, int relu, A* y, uint8_t* __restrict__ mask) {
  constexpr int kBatch = 2;
  float m[V], scale[V], shift[V], g[V];
  per_channel<V>(mean, s.channels, m);
  per_channel<V>(spread, s.channels, scale);
  per_channel<V>(gamma, s.channels, g);
  per_channel<V>(beta, s.channels, shift);
#pragma unroll
  for (int k = 0; k < V; ++k) scale[k] = g[k] * (variance ? 1.f / sqrtf(scale[k] + eps) : scale[k]);
  Vector<A, V> xs[kBatch], rs[kBatch];
  for_rows<V, kBatch, Order::backward>(
      s,
      [&](int b, int64_t i) {
        xs[b] = load<V>(x + i);
        if (residual != nullptr) rs[b] = load<V>(residual + i);
      },
      [&](int b, int64_t i, bool there) {
        unsigned bits = 0;
        if (there) {
          float u[V], r[V];
          xs[b].get(u);
          if (residual != nullptr) rs[b].get(r);
#pragma unroll
          for (int k = 0; k < V; ++k) {
            u[k] = normalized(u[k], m[k], scale[k], shift[k]);
            if (residual != nullptr) u[k] += r[k];
            if (relu && u[k] < 0.f) u[k] = 0.f;  // NaN stays NaN
            bits |= u[k] > 0.f ? 1u << k : 0u;
          }
          store<V>(y + i, u, 0);
        }
        if (mask == nullptr) return;
        if constexpr (V == 4) bits |= __shfl_xor_sync(kAllLanes, bits, 1) << 4;  // the byte's other half: of even lanes
        if (there && i % 8 == 0) mask[i / 8] = static_cast<uint8_t>(bits);
      });
}

// The mask where vectors and bytes do not coincide: a warp for a word.
template <class A>
__global__ void __launch_bounds__(kThreads) mask_kernel(const A* __restrict__ y, int64_t count, uint32_t* mask) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + static_cast<int>(threadIdx.x);
  float v[1] = {};
  if (i < count) load<1>(y + i).get(v);
  const unsigned bits = __ballot_sync(kAllLanes, v[0] > 0.f);
  if (i % kWarp == 0 && i < count) mask[i / kWarp] = bits;
}

template <int V, class A>
void forward(const BatchNormForward<float, A>& a, Queue q) {
  if (a.train && !a.again) {
    const Geometry<V> g(a.x.rows, a.x.cols, kStatisticsResident, q);
    const JoinMemory<V> joins(g, q);
    launch(
        "batch_norm_statistics", statistics_kernel<A, V>, g.pass(), q, a.x.data, g.shape, joins.get(),
        Statistics{a.eps, a.momentum, a.mean.data(), a.invstd.data(), pointer(a.running_mean), pointer(a.running_var)});
  }
  const Geometry<V> g(a.x.rows, a.x.cols, kApplyResident, q);
  launch("batch_norm_apply", apply_kernel<A, V>, g.pass(), q, a.x.data, g.shape, a.gamma.data(), a.beta.data(),
         a.train ? a.mean.data() : a.running_mean.data(), a.train ? a.invstd.data() : a.running_var.data(),
         a.train ? 0 : 1, a.eps, a.residual, a.relu ? 1 : 0, a.y.data,
         V == 1 ? nullptr : reinterpret_cast<uint8_t*>(pointer(a.mask)));
  if (V == 1 && !a.mask.empty())
    launch("batch_norm_mask", mask_kernel<A>,
           {.grid = dim3(static_cast<unsigned>(ceil_div(a.y.size(), kThreads))), .block = dim3(kThreads)}, q, a.y.data,
           a.y.size(), a.mask.data());
}

template <class A>
void run(const BatchNormForward<float, A>& a, Queue q) {
  if (a.x.size() == 0) return;
  if (vectors(a.x.cols,
              {a.x.data, a.residual, a.y.data, a.gamma.data(), a.beta.data(),
               a.train ? a.mean.data() : a.running_mean.data(), a.train ? a.invstd.data() : a.running_var.data()}))
    forward<kVector<A>>(a, q);
  else
    forward<1>(a, q);
}

}  // namespace
}  // namespace batch_norm

void batch_norm_forward(const BatchNormForward<float>& a, Queue q) { batch_norm::run(a, q); }
void batch_norm_forward(const BatchNormForward<float, bf16>& a, Queue q) { batch_norm::run(a, q); }

}  // namespace kith::kernels::cuda
