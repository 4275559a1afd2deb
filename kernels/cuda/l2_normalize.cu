// One warp per row. Forward reads a row twice (the second time from L1) and writes it once, backward reads y and dy twice
// and writes dx. Squares are summed in f64, where those of f32 neither overflow nor vanish.
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

}  // namespace kith::kernels::cuda
