// One warp per row. Forward reads x and y once, backward twice (the second time from L1) and writes dx. Sums are f64: squares
// of f32 neither overflow nor vanish. DRAM: 8 rows dim B forward, 12 rows dim B backward.
#include "kernels/cosine_loss.h"
#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/core/reduce.cuh"

namespace kith::kernels::cuda {
namespace {

constexpr int kWarps = 8;
constexpr double kShortest = 1e-12;

// Of a row, in every lane of its warp.
struct Sums {
  double x, y, cosine;  // lengths, kShortest at least
  bool clamped;         // x was shorter
};

// Not fmax: a NaN must reach the result.
__device__ __forceinline__ double at_least(double norm) { return norm < kShortest ? kShortest : norm; }

__device__ __forceinline__ Sums sums_of(const float* x, const float* y, int dim, int lane) {
  double xx = 0, yy = 0, xy = 0;
  for (int c = lane; c < dim; c += kWarp) {
    const double a = x[c], b = y[c];
    xx += a * a, yy += b * b, xy += a * b;
  }
  const double length = sqrt(warp_sum(xx)), other = at_least(sqrt(warp_sum(yy)));
  const double from = at_least(length);
  return {from, other, warp_sum(xy) / from / other, length < kShortest};
}

__global__ void __launch_bounds__(kWarps* kWarp)
    forward_kernel(const float* __restrict__ x, const float* __restrict__ y, int64_t rows, int dim,
                   float* __restrict__ loss) {
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  if (row >= rows) return;  // whole warps leave together
  const Sums s = sums_of(x + row * dim, y + row * dim, dim, lane);
  if (lane == 0) loss[row] = static_cast<float>(2 - 2 * s.cosine);
}

__global__ void __launch_bounds__(kWarps* kWarp)
    backward_kernel(const float* __restrict__ x, const float* __restrict__ y, const float* __restrict__ dloss,
                    int64_t rows, int dim, float* __restrict__ dx, int add) {
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  if (row >= rows) return;
  const float *from = x + row * dim, *to = y + row * dim;
  const Sums s = sums_of(from, to, dim, lane);
  const double factor = 2 * double{dloss[row]} / s.x;
  const double of_x = s.clamped ? 0 : factor * s.cosine / s.x, of_y = factor / s.y;
  for (int c = lane; c < dim; c += kWarp)
    put(dx + row * dim + c, static_cast<float>(of_x * from[c] - of_y * to[c]), add);
}

LaunchShape shape_of(int64_t rows) {
  return {.grid = dim3(static_cast<unsigned>(ceil_div(rows, kWarps))), .block = dim3(kWarps * kWarp)};
}

}  // namespace

void cosine_loss_forward(const CosineLossForward<float>& a, Queue q) {
  if (a.x.rows == 0) return;
  launch("cosine_loss_forward", forward_kernel, shape_of(a.x.rows), q, a.x.data, a.y.data, a.x.rows,
         static_cast<int>(a.x.cols), a.loss.data());
}

void cosine_loss_backward(const CosineLossBackward<float>& a, Queue q) {
  if (a.x.rows == 0) return;
  launch("cosine_loss_backward", backward_kernel, shape_of(a.x.rows), q, a.x.data, a.y.data, a.dloss.data(), a.x.rows,
         static_cast<int>(a.x.cols), a.dx.data, a.write == Write::add ? 1 : 0);
}

}  // namespace kith::kernels::cuda
