// With a, b the logits of a row of anchors and neighbours, log <p, q> = lse(a + b) - lse(a) - lse(b): one pass over both
// gives the three sums; a second pass (L1) adds p to pbar.
//
// Small (rows x classes up to kOneBlock per head): one block per head does everything in one launch. Large: blocks of rows
// write partial sums [head, part, classes + 1], a second launch adds them in order. Either way pbar is a fixed two-level
// sum: warps of a block own rows, lanes own classes, so no two threads ever add to one place.
// Backward: one warp per row and head, nothing shared, one launch.
// DRAM: 8 heads rows classes B forward, 16 backward.
#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/core/reduce.cuh"
#include "kernels/cuda/core/scratch.cuh"
#include "kernels/scan_loss.h"

namespace kith::kernels::cuda {
namespace {

constexpr int kWarps = 8;
constexpr int64_t kOneBlock = 1 << 16;
constexpr int kRowsPerPart = 64;
constexpr float kLogFloor = -100.f, kPbarFloor = 1e-8f;

// Not fmaxf: a NaN must reach the loss.
__device__ __forceinline__ float at_least(float floor, float x) { return x < floor ? floor : x; }

struct Sums {
  float a, b, both;  // log-sum-exp of a, of b, of a + b
  __device__ __forceinline__ float log_dot() const { return both - a - b; }
};

__device__ __forceinline__ Sums row_sums(const float* a, const float* b, int classes, int lane) {
  LogSum sa, sb, sab;
  for (int c = lane; c < classes; c += kWarp) {
    const float x = a[c], y = b[c];
    sa.add(x);
    sb.add(y);
    sab.add(x + y);
  }
  return {warp_merge(sa).log_sum_exp(), warp_merge(sb).log_sum_exp(), warp_merge(sab).log_sum_exp()};
}

// Adds rows first, first + step, ... < last: this warp's sum of p into own [classes] (shared), returns its sum of log terms.
__device__ __forceinline__ float add_rows(const float* a, const float* b, int64_t first, int64_t last, int64_t step,
                                          int classes, int lane, float* own) {
  for (int c = lane; c < classes; c += kWarp) own[c] = 0.f;
  float total = 0.f;
  for (int64_t i = first; i < last; i += step) {
    const Sums s = row_sums(a + i * classes, b + i * classes, classes, lane);
    total += at_least(kLogFloor, s.log_dot());
    for (int c = lane; c < classes; c += kWarp) own[c] += expf(a[i * classes + c] - s.a);
  }
  return total;
}

// pbar and the three results of one head from sums over all rows; run by one block.
__device__ __forceinline__ void finish(const float* sums, float log_total, int64_t rows, int classes, float lambda,
                                       int head, float* scratch, float* loss, float* consistency, float* entropy,
                                       float* pbar) {
  float h = 0.f;
  for (int c = static_cast<int>(threadIdx.x); c < classes; c += kWarps * kWarp) {
    const float p = sums[c] / static_cast<float>(rows);
    pbar[static_cast<int64_t>(head) * classes + c] = p;
    const float clamped = at_least(kPbarFloor, p);
    h -= clamped * logf(clamped);
  }
  h = block_sum<kWarps>(h, scratch);
  if (threadIdx.x == 0) {
    const float k = -log_total / static_cast<float>(rows);
    consistency[head] = k;
    entropy[head] = h;
    loss[head] = k - lambda * h;
  }
}

// Shared memory: [kWarps][classes] sums of p, then kWarps sums of log terms.
// parts == 1: finishes the head. Otherwise writes partial [head][part][classes + 1].
__global__ void __launch_bounds__(kWarps* kWarp)
    forward_kernel(const float* __restrict__ anchors, const float* __restrict__ neighbours, int64_t rows, int classes,
                   float lambda, int parts, float* __restrict__ partial, float* __restrict__ loss,
                   float* __restrict__ consistency, float* __restrict__ entropy, float* __restrict__ pbar) {
  float* smem = dynamic_shared<float>();
  float* scratch = smem + kWarps * classes;
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int head = static_cast<int>(blockIdx.y), part = static_cast<int>(blockIdx.x);
  const int64_t offset = head * rows * classes;
  const int64_t first = parts == 1 ? 0 : int64_t{part} * kRowsPerPart;
  const int64_t last = parts == 1 ? rows : min(rows, first + kRowsPerPart);

  const float mine =
      add_rows(anchors + offset, neighbours + offset, first + warp, last, kWarps, classes, lane, smem + warp * classes);
  if (lane == 0) scratch[warp] = mine;
  __syncthreads();  // the sums of all warps are written
  float log_total = 0.f;
  for (int w = 0; w < kWarps; ++w) log_total += scratch[w];
  float* out = parts == 1 ? smem : partial + (int64_t{head} * parts + part) * (classes + 1);
  for (int c = static_cast<int>(threadIdx.x); c < classes; c += kWarps * kWarp) {
    float sum = 0.f;
    for (int w = 0; w < kWarps; ++w) sum += smem[w * classes + c];
    out[c] = sum;  // column c belongs to this thread alone
  }
  if (parts > 1) {
    if (threadIdx.x == 0) out[classes] = log_total;
    return;
  }
  __syncthreads();  // out is complete, scratch has been read
  finish(smem, log_total, rows, classes, lambda, head, scratch, loss, consistency, entropy, pbar);
}

// One block per head: adds the parts in order.
__global__ void __launch_bounds__(kWarps* kWarp)
    combine_kernel(const float* __restrict__ partial, int64_t rows, int classes, float lambda, int parts,
                   float* __restrict__ loss, float* __restrict__ consistency, float* __restrict__ entropy,
                   float* __restrict__ pbar) {
  float* sums = dynamic_shared<float>();  // [classes + 1], then kWarps of scratch
  float* scratch = sums + classes + 1;
  const int head = static_cast<int>(blockIdx.x);
  const float* in = partial + int64_t{head} * parts * (classes + 1);
  for (int c = static_cast<int>(threadIdx.x); c <= classes; c += kWarps * kWarp) {
    float sum = 0.f;
    for (int p = 0; p < parts; ++p) sum += in[int64_t{p} * (classes + 1) + c];
    sums[c] = sum;
  }
  __syncthreads();
  finish(sums, sums[classes], rows, classes, lambda, head, scratch, loss, consistency, entropy, pbar);
}

__global__ void __launch_bounds__(kWarps* kWarp)
    backward_kernel(const float* __restrict__ anchors, const float* __restrict__ neighbours, int64_t rows, int classes,
                    float lambda, const float* __restrict__ pbar, const float* __restrict__ dloss,
                    float* __restrict__ danchors, float* __restrict__ dneighbours, int add_anchors,
                    int add_neighbours) {
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp, head = static_cast<int>(blockIdx.y);
  if (row >= rows) return;
  const int64_t at = (head * rows + row) * classes;
  const float* a = anchors + at;
  const float* b = neighbours + at;
  const float* mean = pbar + int64_t{head} * classes;
  const Sums s = row_sums(a, b, classes, lane);
  const float g = dloss[head] / static_cast<float>(rows);
  const float k = s.log_dot() < kLogFloor ? 0.f : g;  // a clamped term has no gradient

  // d(-lambda H) / da_c = lambda/rows p_c (h_c - sum_j p_j h_j), h = log pbar + 1, and 0 where pbar is clamped.
  float inner = 0.f;
  if (danchors != nullptr) {
    for (int c = lane; c < classes; c += kWarp)
      if (!(mean[c] < kPbarFloor)) inner += expf(a[c] - s.a) * (logf(mean[c]) + 1.f);
    inner = warp_sum(inner);
  }
  for (int c = lane; c < classes; c += kWarp) {
    const float r = expf(a[c] + b[c] - s.both);
    if (danchors != nullptr) {
      const float p = expf(a[c] - s.a), h = mean[c] < kPbarFloor ? 0.f : logf(mean[c]) + 1.f;
      put(danchors + at + c, k * (p - r) + g * lambda * p * (h - inner), add_anchors);
    }
    if (dneighbours != nullptr) put(dneighbours + at + c, k * (expf(b[c] - s.b) - r), add_neighbours);
  }
}

}  // namespace

void scan_loss_forward(const ScanLossForward<float>& a, Queue q) {
  const int classes = static_cast<int>(a.classes);
  const int parts = a.rows * a.classes <= kOneBlock ? 1 : static_cast<int>(ceil_div(a.rows, kRowsPerPart));
  const unsigned heads = static_cast<unsigned>(a.heads);
  Scratch<float> partial(parts == 1 ? 0 : a.heads * parts * (a.classes + 1), q);
  launch("scan_loss_forward", forward_kernel,
         {.grid = dim3(static_cast<unsigned>(parts), heads),
          .block = dim3(kWarps * kWarp),
          .smem_bytes = sizeof(float) * (kWarps * static_cast<size_t>(classes) + kWarps)},
         q, a.anchors, a.neighbours, a.rows, classes, a.lambda, parts, partial.data(), a.loss.data(),
         a.consistency.data(), a.entropy.data(), a.pbar.data);
  if (parts == 1) return;
  launch("scan_loss_combine", combine_kernel,
         {.grid = dim3(heads),
          .block = dim3(kWarps * kWarp),
          .smem_bytes = sizeof(float) * (static_cast<size_t>(classes) + 1 + kWarps)},
         q, partial.data(), a.rows, classes, a.lambda, parts, a.loss.data(), a.consistency.data(), a.entropy.data(),
         a.pbar.data);
}

void scan_loss_backward(const ScanLossBackward<float>& a, Queue q) {
  if (a.danchors == nullptr && a.dneighbours == nullptr) return;
  launch("scan_loss_backward", backward_kernel,
         {.grid = dim3(static_cast<unsigned>(ceil_div(a.rows, kWarps)), static_cast<unsigned>(a.heads)),
          .block = dim3(kWarps * kWarp)},
         q, a.anchors, a.neighbours, a.rows, static_cast<int>(a.classes), a.lambda, a.pbar.data, a.dloss.data(),
         a.danchors, a.dneighbours, a.write_anchors == Write::add ? 1 : 0, a.write_neighbours == Write::add ? 1 : 0);
}

}  // namespace kith::kernels::cuda
