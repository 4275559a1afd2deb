// With a, b the logits of a row of anchors and neighbours, log <p, q> = lse(a + b) - lse(a) - lse(b): the three sums are made
// side by side, a row to 4 to 32 lanes of a warp (core/rows.cuh).
//
// Forward: a block takes one part of a head's rows, as many as it has groups of lanes, 16 at least. Then its threads own classes,
// and sum p over the part; the parts are joined in the same launch (core/parts.cuh). No two threads ever add to one place.
// Backward: a row of a head to its lanes, nothing shared, one launch.
// DRAM: 8 heads rows classes B forward, 16 backward.
#include "kernels/cuda/core/parts.cuh"
#include "kernels/cuda/core/rows.cuh"
#include "kernels/scan_loss.h"

namespace kith::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kFewestLanes = 4, kMostPartRows = kThreads / kFewestLanes;
constexpr float kLogFloor = -100.f, kPbarFloor = 1e-8f;

__host__ __device__ constexpr int part_rows(int lanes) { return lanes > 16 ? 16 : kThreads / lanes; }

// Not fmaxf: a NaN must reach the loss.
__device__ __forceinline__ float at_least(float floor, float x) { return x < floor ? floor : x; }

// Of a pair of rows: sums of exponentials of a, of b, of a + b.
struct Pair {
  LogSum s[3];
  __device__ __forceinline__ Pair(const float* a, const float* b, int classes, const Lanes& l) {
    log_sums(classes, l, s, [=](int c, float(&x)[3]) { x[0] = a[c], x[1] = b[c], x[2] = x[0] + x[1]; });
  }
  // Maxima first: they cancel without loss where softmax is saturated.
  __device__ __forceinline__ float log_dot() const {
    return ((s[2].max - s[0].max) - s[1].max) + (logf(s[2].sum) - logf(s[0].sum) - logf(s[1].sum));
  }
};

// The results of one head.
struct Results {
  float *loss, *consistency, *entropy;  // [heads]
  float* pbar;                          // [heads][classes]
};

// From the sums over all rows, of p by class and of the log terms; run by one block.
__device__ __forceinline__ void finish(const float* sums, int64_t rows, int classes, float lambda, int head,
                                       float* shared, const Results& out) {
  float h = 0.f;
  for (int c = static_cast<int>(threadIdx.x); c < classes; c += kThreads) {
    const float p = sums[c] / static_cast<float>(rows);
    out.pbar[int64_t{head} * classes + c] = p;
    const float clamped = at_least(kPbarFloor, p);
    h -= clamped * logf(clamped);
  }
  h = block_sum<kThreads / kWarp>(h, shared);
  if (threadIdx.x != 0) return;
  const float k = -sums[classes] / static_cast<float>(rows);
  out.consistency[head] = k;
  out.entropy[head] = h;
  out.loss[head] = k - lambda * h;
}

// Block (part, head). parts [heads][gridDim.x and their joins][classes + 1]: sums of p, and of the log terms.
// 4: left alone, ptxas aims at five blocks to a multiprocessor on sm_80, and spills for it.
__global__ void __launch_bounds__(kThreads, 4)
    forward_kernel(const float* __restrict__ anchors, const float* __restrict__ neighbours, int64_t rows, int classes,
                   int lanes, float lambda, int joins, float* parts, unsigned* tickets, Results out) {
  __shared__ float largest[kMostPartRows], share[kMostPartRows], log_dots[kMostPartRows], shared[kThreads];
  const Lanes l(lanes);
  const int head = static_cast<int>(blockIdx.y), part = static_cast<int>(blockIdx.x),
            count = static_cast<int>(gridDim.x);
  const int64_t first = int64_t{part} * part_rows(lanes);
  const int here = static_cast<int>(min(int64_t{part_rows(lanes)}, rows - first));
  const float *a = anchors + (head * rows + first) * classes, *b = neighbours + (head * rows + first) * classes;

  for (int r = static_cast<int>(threadIdx.x) / lanes; r < here; r += kThreads / lanes) {
    const Pair pair(a + int64_t{r} * classes, b + int64_t{r} * classes, classes, l);
    if (l.lane != 0) continue;
    largest[r] = pair.s[0].max;
    share[r] = 1.f / pair.s[0].sum;
    log_dots[r] = at_least(kLogFloor, pair.log_dot());
  }
  __syncthreads();  // what the part's rows need is written

  const int columns = classes + 1;
  float* own = parts + int64_t{head} * (count + joins) * columns;
  sum_columns<kThreads>(here, columns, shared, own + int64_t{part} * columns, [&](int r, int c) {
    return c < classes ? expf(a[int64_t{r} * classes + c] - largest[r]) * share[r] : log_dots[r];
  });
  const float* total = join_parts<kThreads>(own, tickets + head * joins, part, count, columns, shared);
  if (total != nullptr) finish(total, rows, classes, lambda, head, shared, out);
}

__global__ void __launch_bounds__(kRowThreads)
    backward_kernel(const float* __restrict__ anchors, const float* __restrict__ neighbours, int64_t rows, int classes,
                    int lanes, float lambda, const float* __restrict__ pbar, const float* __restrict__ dloss,
                    float* __restrict__ danchors, float* __restrict__ dneighbours, int add_anchors,
                    int add_neighbours) {
  const int64_t row = own_row(lanes);
  const int head = static_cast<int>(blockIdx.y);
  if (row >= rows) return;  // the lanes of a row leave together
  const Lanes l(lanes);
  const int64_t at = (head * rows + row) * classes;
  const float *a = anchors + at, *b = neighbours + at, *mean = pbar + int64_t{head} * classes;
  const Pair pair(a, b, classes, l);
  const auto& [of_a, of_b, both] = pair.s;
  const float p_share = 1.f / of_a.sum, q_share = 1.f / of_b.sum, r_share = 1.f / both.sum;
  const float g = dloss[head] / static_cast<float>(rows);
  const float k = pair.log_dot() < kLogFloor ? 0.f : g;  // a clamped term has no gradient

  // d(-lambda H) / da_c = lambda/rows p_c (h_c - sum_j p_j h_j), h = log pbar + 1, and 0 where pbar is clamped.
  float inner = 0.f;
  if (danchors != nullptr) {
    for (int c = l.lane; c < classes; c += l.count)
      if (!(mean[c] < kPbarFloor)) inner += expf(a[c] - of_a.max) * p_share * (logf(mean[c]) + 1.f);
    inner = row_sum(inner, l);
  }
  for (int c = l.lane; c < classes; c += l.count) {
    const float r = expf((a[c] + b[c]) - both.max) * r_share;
    if (danchors != nullptr) {
      const float p = expf(a[c] - of_a.max) * p_share, h = mean[c] < kPbarFloor ? 0.f : logf(mean[c]) + 1.f;
      put(danchors + at + c, k * (p - r) + g * lambda * p * (h - inner), add_anchors);
    }
    if (dneighbours != nullptr) put(dneighbours + at + c, k * (expf(b[c] - of_b.max) * q_share - r), add_neighbours);
  }
}

}  // namespace

void scan_loss_forward(const ScanLossForward<float>& a, Queue q) {
  const int lanes = lanes_for(a.classes);
  const int64_t count = ceil_div(a.rows, part_rows(lanes)), joins = joins_of(count);
  const Scratch<float> parts(a.heads * (count + joins) * (a.classes + 1), q);
  const Tickets tickets(a.heads * joins, q);
  launch("scan_loss_forward", forward_kernel,
         {.grid = dim3(static_cast<unsigned>(count), static_cast<unsigned>(a.heads)), .block = dim3(kThreads)}, q,
         a.anchors, a.neighbours, a.rows, static_cast<int>(a.classes), lanes, a.lambda, static_cast<int>(joins),
         parts.data(), tickets.data(), Results{a.loss.data(), a.consistency.data(), a.entropy.data(), a.pbar.data});
}

void scan_loss_backward(const ScanLossBackward<float>& a, Queue q) {
  if (a.danchors == nullptr && a.dneighbours == nullptr) return;
  const int lanes = lanes_for(a.classes);
  LaunchShape shape = shape_of_rows(a.rows, lanes);
  shape.grid.y = static_cast<unsigned>(a.heads);
  launch("scan_loss_backward", backward_kernel, shape, q, a.anchors, a.neighbours, a.rows, static_cast<int>(a.classes),
         lanes, a.lambda, a.pbar.data, a.dloss.data(), a.danchors, a.dneighbours, a.write_anchors == Write::add ? 1 : 0,
         a.write_neighbours == Write::add ? 1 : 0);
}

}  // namespace kith::kernels::cuda
