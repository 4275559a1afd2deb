// One warp per row. Forward reads a row twice (the second time from L1) and writes it once, backward reads y and dy twice
// and writes dx. Weight normalisation likewise, with a gain per row. Squares are summed in f64, where those of f32 neither overflow nor vanish.
// DRAM: 8 rows dim B forward, 12 rows dim B backward.
#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/core/reduce.cuh"
#include "kernels/l2_normalize.h"

namespace kith::kernels::cuda {
namespace {

constexpr int kWarps = 8;
constexpr double kEps = 1e-12;

__global__ void __launch_bounds__(kWarps* kWarp) forward_kernel(const float* __restrict__ x, int64_t rows, int dim,
                                                                float* __restrict__ y, float* __restrict__ norm) {
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  if (row >= rows) return;  // whole warps leave together
  const float* in = x + row * dim;
  double sum = 0;
  for (int c = lane; c < dim; c += kWarp) sum += double{in[c]} * double{in[c]};
  const double n = sqrt(warp_sum(sum));
  const double inverse = 1 / (n < kEps ? kEps : n);  // not fmax: the norm of a row with a NaN reaches all of it
  for (int c = lane; c < dim; c += kWarp) y[row * dim + c] = static_cast<float>(in[c] * inverse);
  if (lane == 0) norm[row] = static_cast<float>(n);
}

__global__ void __launch_bounds__(kWarps* kWarp)
    backward_kernel(const float* __restrict__ y, const float* __restrict__ dy, const float* __restrict__ norm,
                    int64_t rows, int dim, float* __restrict__ dx, int add) {
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  if (row >= rows) return;
  float dot = 0.f;
  for (int c = lane; c < dim; c += kWarp) dot += y[row * dim + c] * dy[row * dim + c];
  const float n = norm[row];
  // Below eps the forward pass divides by the constant eps: the projection term vanishes.
  const bool clamped = n < kEps;
  const float along = clamped ? 0.f : warp_sum(dot);
  const float inverse = 1.f / (clamped ? static_cast<float>(kEps) : n);
  for (int c = lane; c < dim; c += kWarp)
    put(dx + row * dim + c, (dy[row * dim + c] - y[row * dim + c] * along) * inverse, add);
}

__global__ void __launch_bounds__(kWarps* kWarp)
    weight_forward_kernel(const float* __restrict__ v, const float* __restrict__ gain, int64_t rows, int dim,
                          float* __restrict__ w, float* __restrict__ norm) {
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  if (row >= rows) return;
  const float* in = v + row * dim;
  double sum = 0;
  for (int c = lane; c < dim; c += kWarp) sum += double{in[c]} * double{in[c]};
  const double n = sqrt(warp_sum(sum));
  const double scale = double{gain[row]} / (n < kEps ? kEps : n);
  for (int c = lane; c < dim; c += kWarp) w[row * dim + c] = static_cast<float>(in[c] * scale);
  if (lane == 0) norm[row] = static_cast<float>(n);
}

// dv and dgain may be null.
__global__ void __launch_bounds__(kWarps* kWarp)
    weight_backward_kernel(const float* __restrict__ v, const float* __restrict__ gain, const float* __restrict__ norm,
                           const float* __restrict__ dw, int64_t rows, int dim, float* __restrict__ dv, int add_v,
                           float* __restrict__ dgain, int add_gain) {
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  if (row >= rows) return;
  const float *in = v + row * dim, *out = dw + row * dim;
  double sum = 0;
  for (int c = lane; c < dim; c += kWarp) sum += double{in[c]} * double{out[c]};
  const double n = norm[row];
  const bool clamped = n < kEps;
  const double length = clamped ? kEps : n, along = warp_sum(sum) / length;
  if (dgain != nullptr && lane == 0) put(dgain + row, static_cast<float>(along), add_gain);
  if (dv == nullptr) return;
  const double scale = double{gain[row]} / length, back = clamped ? 0 : along / length;
  for (int c = lane; c < dim; c += kWarp)
    put(dv + row * dim + c, static_cast<float>((out[c] - in[c] * back) * scale), add_v);
}

}  // namespace

void l2_normalize_forward(const L2NormalizeForward<float>& a, Queue q) {
  if (a.x.rows == 0) return;
  launch("l2_normalize_forward", forward_kernel,
         {.grid = dim3(static_cast<unsigned>(ceil_div(a.x.rows, kWarps))), .block = dim3(kWarps * kWarp)}, q, a.x.data,
         a.x.rows, static_cast<int>(a.x.cols), a.y.data, a.norm.data());
}

void l2_normalize_backward(const L2NormalizeBackward<float>& a, Queue q) {
  if (a.y.rows == 0) return;
  launch("l2_normalize_backward", backward_kernel,
         {.grid = dim3(static_cast<unsigned>(ceil_div(a.y.rows, kWarps))), .block = dim3(kWarps * kWarp)}, q, a.y.data,
         a.dy.data, a.norm.data(), a.y.rows, static_cast<int>(a.y.cols), a.dx.data, a.write == Write::add ? 1 : 0);
}

void weight_norm_forward(const WeightNormForward<float>& a, Queue q) {
  if (a.v.rows == 0) return;
  launch("weight_norm_forward", weight_forward_kernel,
         {.grid = dim3(static_cast<unsigned>(ceil_div(a.v.rows, kWarps))), .block = dim3(kWarps * kWarp)}, q, a.v.data,
         a.gain.data(), a.v.rows, static_cast<int>(a.v.cols), a.w.data, a.norm.data());
}

void weight_norm_backward(const WeightNormBackward<float>& a, Queue q) {
  if (a.v.rows == 0) return;
  float* const dgain = a.dgain.empty() ? nullptr : a.dgain.data();
  launch("weight_norm_backward", weight_backward_kernel,
         {.grid = dim3(static_cast<unsigned>(ceil_div(a.v.rows, kWarps))), .block = dim3(kWarps * kWarp)}, q, a.v.data,
         a.gain.data(), a.norm.data(), a.dw.data, a.v.rows, static_cast<int>(a.v.cols), a.dv.data,
         a.write_v == Write::add ? 1 : 0, dgain, a.write_gain == Write::add ? 1 : 0);
}

}  // namespace kith::kernels::cuda
