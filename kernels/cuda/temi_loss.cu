// A row of one head belongs to 4 to 32 lanes of a warp (core/rows.cuh), a block takes kPartRows rows.
// The teacher's pass: the lanes make the log-sum-exps and the products of both views, then the block's threads own classes for
// the sums over its rows. A second launch adds the parts into the prior and the heads into the weights, in order.
// Forward: both views in one pass over four rows of logits; no softmax is ever written. The parts are joined in the launch
// (core/parts.cuh). Backward: element by element from what forward saved, nothing is summed.
// Every sum has a fixed order, and no two threads add to one place.
// DRAM: 8, 16 and 24 heads rows classes B, and the saved sums.
#include "kernels/cuda/core/parts.cuh"
#include "kernels/cuda/core/rows.cuh"
#include "kernels/temi_loss.h"

namespace kith::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kPartRows = 64;
constexpr float kPriorFloor = 0x1p-126f;

// Both ends of a block's rows.
struct Part {
  int64_t first;
  int rows;
};
__device__ __forceinline__ Part part_of(int64_t rows) {
  const int64_t first = int64_t{blockIdx.x} * kPartRows;
  return {first, static_cast<int>(min(int64_t{kPartRows}, rows - first))};
}

template <class T>
__device__ __forceinline__ T* row_of(const TemiLogits<T>& z, int64_t view, int64_t head, int64_t row) {
  return z.data + view * z.view + head * z.head + row * z.row;
}

__device__ __forceinline__ float log_prior(float p) { return logf(p < kPriorFloor ? kPriorFloor : p); }

__global__ void __launch_bounds__(kThreads)
    teacher_kernel(TemiLogits<const float> z, int64_t rows, int classes, int lanes, float inverse_temperature,
                   float* __restrict__ log_sum, float* __restrict__ products, float* __restrict__ partial) {
  __shared__ float all[2][kPartRows], shared[kThreads];
  const Lanes l(lanes);
  const int64_t head = blockIdx.y, heads = gridDim.y;
  const Part part = part_of(rows);
  const auto logits_of = [&](int view, int r) { return row_of(z, view, head, part.first + r); };

  for (int r = static_cast<int>(threadIdx.x) / lanes; r < part.rows; r += kThreads / lanes) {
    const float *a = logits_of(0, r), *b = logits_of(1, r);
    LogSum s[2];
    log_sums(classes, l, s,
             [&](int c, float(&x)[2]) { x[0] = inverse_temperature * a[c], x[1] = inverse_temperature * b[c]; });
    const float all_a = s[0].log_sum_exp(), all_b = s[1].log_sum_exp();
    float product = 0.f;
    for (int c = l.lane; c < classes; c += l.count)
      product += expf(inverse_temperature * a[c] - all_a) * expf(inverse_temperature * b[c] - all_b);
    product = row_sum(product, l);
    if (l.lane == 0) {
      all[0][r] = all_a, all[1][r] = all_b;
      log_sum[head * rows + part.first + r] = all_a;
      log_sum[(heads + head) * rows + part.first + r] = all_b;
      products[head * rows + part.first + r] = product;
    }
  }
  __syncthreads();  // the log-sum-exps of the block's rows are written

  sum_columns<kThreads>(part.rows, classes, shared, partial + (head * gridDim.x + blockIdx.x) * classes,
                        [&](int r, int c) {
                          return expf(inverse_temperature * logits_of(0, r)[c] - all[0][r]) +
                                 expf(inverse_temperature * logits_of(1, r)[c] - all[1][r]);
                        });
}

// A thread per row for its weight, then one per head and class for the prior.
__global__ void __launch_bounds__(kThreads)
    finish_teacher_kernel(const float* __restrict__ products, const float* __restrict__ partial, int64_t heads,
                          int64_t rows, int64_t classes, int64_t parts, float momentum, float* __restrict__ weight,
                          float* __restrict__ prior) {
  const int64_t at = int64_t{blockIdx.x} * kThreads + static_cast<int>(threadIdx.x);
  if (at < rows) {
    double sum = 0;
    for (int64_t h = 0; h < heads; ++h) sum += double{products[h * rows + at]};
    weight[at] = static_cast<float>(sum / static_cast<double>(heads));
    return;
  }
  const int64_t cell = at - rows, head = cell / classes, c = cell % classes;
  if (head >= heads) return;
  double sum = 0;
  for (int64_t p = 0; p < parts; ++p) sum += double{partial[(head * parts + p) * classes + c]};
  const double mean = sum / (2 * static_cast<double>(rows));
  // Momentum 0 forgets what was there, be it NaN.
  const double kept = momentum > 0.f ? double{momentum} * double{prior[cell]} : 0.;
  prior[cell] = static_cast<float>(kept + (1 - double{momentum}) * mean);
}

struct LossScales {
  float student, teacher, beta;  // 1 / temperatures
};

// parts [heads][gridDim.x and their joins].
__global__ void __launch_bounds__(kThreads)
    forward_kernel(TemiLogits<const float> student, TemiLogits<const float> teacher, int64_t rows, int classes,
                   int lanes, LossScales scales, const float* __restrict__ prior,
                   const float* __restrict__ teacher_log_sum, const float* __restrict__ weight,
                   float* __restrict__ log_sum, float* __restrict__ log_mass, int joins, double* parts,
                   unsigned* tickets, float* __restrict__ loss) {
  __shared__ float terms[kPartRows];
  __shared__ double shared[kThreads];
  const Lanes l(lanes);
  const int64_t head = blockIdx.y, heads = gridDim.y;
  const Part part = part_of(rows);
  const float* own_prior = prior + head * classes;

  for (int r = static_cast<int>(threadIdx.x) / lanes; r < part.rows; r += kThreads / lanes) {
    const int64_t row = part.first + r, at = head * rows + row, other = heads * rows;
    const float *s0 = row_of(student, 0, head, row), *s1 = row_of(student, 1, head, row);
    const float *t0 = row_of(teacher, 0, head, row), *t1 = row_of(teacher, 1, head, row);
    LogSum s[4];
    log_sums(classes, l, s, [&](int c, float(&x)[4]) {
      const float lp = log_prior(own_prior[c]);
      x[0] = scales.student * s0[c], x[1] = scales.student * s1[c];
      x[2] = scales.beta * (scales.teacher * t1[c] + x[0]) - lp;
      x[3] = scales.beta * (scales.teacher * t0[c] + x[1]) - lp;
    });
    if (l.lane != 0) continue;
    const float all0 = s[0].log_sum_exp(), all1 = s[1].log_sum_exp();
    const float m0 = s[2].log_sum_exp(), m1 = s[3].log_sum_exp();
    terms[r] = weight[row] * ((m0 - scales.beta * (teacher_log_sum[other + at] + all0)) +
                              (m1 - scales.beta * (teacher_log_sum[at] + all1)));
    log_sum[at] = all0, log_sum[other + at] = all1;
    log_mass[at] = m0, log_mass[other + at] = m1;
  }
  __syncthreads();  // the terms of the block's rows are written

  const int count = static_cast<int>(gridDim.x), place = static_cast<int>(blockIdx.x);
  double* own = parts + head * (count + joins);
  sum_columns<kThreads>(part.rows, 1, shared, own + place, [&](int r, int) { return double{terms[r]}; });
  const double* total = join_parts<kThreads>(own, tickets + head * joins, place, count, 1, shared);
  if (total != nullptr && threadIdx.x == 0) loss[head] = static_cast<float>(-*total / (2 * static_cast<double>(rows)));
}

// Block (part, head, view).
__global__ void __launch_bounds__(kThreads)
    backward_kernel(TemiLogits<const float> student, TemiLogits<const float> teacher, int64_t rows, int classes,
                    LossScales scales, const float* __restrict__ prior, const float* __restrict__ weight,
                    const float* __restrict__ log_sum, const float* __restrict__ log_mass,
                    const float* __restrict__ dloss, TemiLogits<float> out, int add) {
  const int64_t head = blockIdx.y, heads = gridDim.y, view = blockIdx.z;
  const Part part = part_of(rows);
  const float factor = -dloss[head] * scales.beta * scales.student / (2.f * static_cast<float>(rows));
  for (int64_t e = static_cast<int>(threadIdx.x); e < int64_t{part.rows} * classes; e += kThreads) {
    const int r = static_cast<int>(e) / classes, c = static_cast<int>(e) % classes;
    const int64_t row = part.first + r, at = (view * heads + head) * rows + row;
    const float x = scales.student * row_of(student, view, head, row)[c];
    const float y = scales.beta * (scales.teacher * row_of(teacher, 1 - view, head, row)[c] + x) -
                    log_prior(prior[head * classes + c]);
    put(row_of(out, view, head, row) + c, factor * weight[row] * (expf(y - log_mass[at]) - expf(x - log_sum[at])), add);
  }
}

LossScales scales_of(float student, float teacher, float beta) {
  return {.student = 1.f / student, .teacher = 1.f / teacher, .beta = beta};
}

unsigned parts_of(int64_t rows) { return static_cast<unsigned>(ceil_div(rows, kPartRows)); }

}  // namespace

void temi_teacher(const TemiTeacher<float>& a, Queue q) {
  const unsigned parts = parts_of(a.rows);
  const Scratch<float> products(a.heads * a.rows, q), partial(a.heads * parts * a.classes, q);
  launch("temi_teacher", teacher_kernel, {.grid = dim3(parts, static_cast<unsigned>(a.heads)), .block = dim3(kThreads)},
         q, a.teacher, a.rows, static_cast<int>(a.classes), lanes_for(a.classes), 1.f / a.temperature, a.log_sum.data(),
         products.data(), partial.data());
  const int64_t threads = a.rows + a.heads * a.classes;
  launch("temi_teacher_finish", finish_teacher_kernel,
         {.grid = dim3(static_cast<unsigned>(ceil_div(threads, kThreads))), .block = dim3(kThreads)}, q,
         products.data(), partial.data(), a.heads, a.rows, a.classes, int64_t{parts}, a.momentum, a.weight.data(),
         a.prior.data);
}

void temi_loss_forward(const TemiLossForward<float>& a, Queue q) {
  const unsigned parts = parts_of(a.rows), heads = static_cast<unsigned>(a.heads);
  const int64_t joins = joins_of(parts);
  const Scratch<double> sums(a.heads * (parts + joins), q);
  const Tickets tickets(a.heads * joins, q);
  launch("temi_loss_forward", forward_kernel, {.grid = dim3(parts, heads), .block = dim3(kThreads)}, q, a.student,
         a.teacher, a.rows, static_cast<int>(a.classes), lanes_for(a.classes),
         scales_of(a.student_temperature, a.teacher_temperature, a.beta), a.prior.data, a.teacher_log_sum.data(),
         a.weight.data(), a.log_sum.data(), a.log_mass.data(), static_cast<int>(joins), sums.data(), tickets.data(),
         a.loss.data());
}

void temi_loss_backward(const TemiLossBackward<float>& a, Queue q) {
  launch("temi_loss_backward", backward_kernel,
         {.grid = dim3(parts_of(a.rows), static_cast<unsigned>(a.heads), 2), .block = dim3(kThreads)}, q, a.student,
         a.teacher, a.rows, static_cast<int>(a.classes),
         scales_of(a.student_temperature, a.teacher_temperature, a.beta), a.prior.data, a.weight.data(),
         a.log_sum.data(), a.log_mass.data(), a.dloss.data(), a.dstudent, a.write == Write::add ? 1 : 0);
}

}  // namespace kith::kernels::cuda
