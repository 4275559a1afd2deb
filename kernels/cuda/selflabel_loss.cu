// A row to 4 to 32 lanes of a warp (core/rows.cuh). Forward, one launch: a row's target comes from its weak logits or is given,
// and its cross-entropy waits in its weight, because weights want the counts of all rows. The block that comes last
// counts the targets, and turns cross-entropies into weights and their sum in a fixed order. Integer atomics only; nothing
// returns to the host. Backward: a row to its lanes, nothing shared, one launch.
// DRAM: 8 rows classes B forward, 8 backward.
#include "kernels/cuda/core/rows.cuh"
#include "kernels/cuda/core/ticket.cuh"
#include "kernels/selflabel_loss.h"

namespace kith::kernels::cuda {
namespace {

constexpr int kThreads = kRowThreads, kWarps = kThreads / kWarp;
constexpr int kSharedClasses = 8192;  // up to which the counts are in shared memory

constexpr int kNone = -1;   // target of rows that are not kept
constexpr int kWrong = -2;  // of rows whose label is no class, or whose softmax is NaN

// Where targets come from.
struct Rule {
  const float* weak;  // [rows][classes], or null
  float threshold;
  const int32_t* labels;  // [images]
  const int64_t* index;   // [rows]
  int64_t images;
};

__device__ __forceinline__ int label_of(int64_t row, int classes, const Rule& rule) {
  const int64_t image = rule.index[row];
  const int label = image >= 0 && image < rule.images ? rule.labels[image] : kWrong;
  return label >= kNone && label < classes ? label : kWrong;
}

// The class of the largest logit (the lowest on a tie) where its probability exceeds the threshold, or what is given.
__device__ __forceinline__ int target_of(int64_t row, int classes, const Rule& rule, const Lanes& l) {
  if (rule.weak == nullptr) return label_of(row, classes, rule);
  const float* logits = rule.weak + row * classes;
  const LogSum s = log_sum(logits, classes, l);
  int at = classes;
  for (int c = l.lane; c < classes; c += l.count)
    if (logits[c] == s.max) at = min(at, c);
  at = row_min(at, l);
  const float confidence = 1.f / s.sum;     // the largest exponential is exp(0)
  if (!(confidence >= 0.f)) return kWrong;  // NaN
  return confidence > rule.threshold ? at : kNone;
}

// By how many a row's share is divided: `of` rows (0: the kept ones), or balanced.
struct Mean {
  int balanced;
  int64_t of;
};

__device__ __forceinline__ float weight_of(int target, const int* counts, int kept, int present, Mean mean) {
  if (target < 0) return target == kNone ? 0.f : NAN;
  if (mean.balanced) return 1.f / (static_cast<float>(counts[target]) * static_cast<float>(present));
  return 1.f / static_cast<float>(mean.of > 0 ? mean.of : kept);
}

// What all rows make together.
struct Results {
  float* loss;
  int32_t *kept, *seen;  // seen [classes], or null
};

// From the targets and cross-entropies of all rows; run by one block. counts [classes], with anything in it.
__device__ __forceinline__ void finish(int64_t rows, int classes, Mean mean, const int32_t* target, float* weight,
                                       int* counts, const Results& out) {
  __shared__ int integers[kWarps];
  __shared__ float sums[kWarps];
  const int thread = static_cast<int>(threadIdx.x);
  for (int c = thread; c < classes; c += kThreads) counts[c] = 0;
  __syncthreads();  // counts are zero
  for (int64_t i = thread; i < rows; i += kThreads)
    if (target[i] >= 0) atomicAdd(counts + target[i], 1);
  __syncthreads();  // counts are complete
  int kept = 0, present = 0;
  for (int c = thread; c < classes; c += kThreads) {
    kept += counts[c];
    present += counts[c] > 0;
    if (out.seen != nullptr) out.seen[c] += counts[c];
  }
  kept = block_sum<kWarps>(kept, integers);
  present = block_sum<kWarps>(present, integers);
  float loss = 0.f;
#pragma unroll 4
  for (int64_t i = thread; i < rows; i += kThreads) {
    const int t = target[i];
    const float w = weight_of(t, counts, kept, present, mean);
    loss += t >= 0 ? w * weight[i] : w;
    weight[i] = w;
  }
  loss = block_sum<kWarps>(loss, sums);
  if (thread != 0) return;
  *out.loss = loss;
  *out.kept = kept;
}

__global__ void __launch_bounds__(kThreads)
    forward_kernel(const float* __restrict__ strong, int64_t rows, int classes, int lanes, Rule rule, Mean mean,
                   int* counts, int32_t* target, float* weight, unsigned* ticket, Results out) {
  const int64_t row = own_row(lanes);
  if (row < rows) {
    const Lanes l(lanes);
    const int t = target_of(row, classes, rule, l);  // the lanes of a row agree
    float cross_entropy = 0.f;
    if (t >= 0) {
      const float* logits = strong + row * classes;
      const LogSum s = log_sum(logits, classes, l);
      cross_entropy = (s.max - logits[t]) + logf(s.sum);  // exact where they are equal
    }
    if (l.lane == 0) target[row] = t, weight[row] = cross_entropy;
  }
  if (!last_block(ticket, gridDim.x)) return;
  finish(rows, classes, mean, target, weight, counts != nullptr ? counts : dynamic_shared<int>(), out);
}

__global__ void __launch_bounds__(kThreads)
    backward_kernel(const float* __restrict__ strong, const int32_t* __restrict__ target,
                    const float* __restrict__ weight, const float* __restrict__ dloss, int64_t rows, int classes,
                    int lanes, float* __restrict__ dstrong, int add) {
  const int64_t row = own_row(lanes), at = row * classes;
  if (row >= rows) return;  // the lanes of a row leave together
  const Lanes l(lanes);
  const int t = target[row];
  if (t < 0) {
    const float nothing = t == kNone ? 0.f : NAN;
    for (int c = l.lane; c < classes; c += l.count) put(dstrong + at + c, nothing, add);
    return;
  }
  const LogSum s = log_sum(strong + at, classes, l);
  const float share = 1.f / s.sum, g = *dloss * weight[row];
  for (int c = l.lane; c < classes; c += l.count)
    put(dstrong + at + c, g * (expf(strong[at + c] - s.max) * share - (c == t ? 1.f : 0.f)), add);
}

}  // namespace

void selflabel_loss_forward(const SelflabelLossForward<float>& a, Queue q) {
  const int64_t rows = a.strong.rows, classes = a.strong.cols;
  const int lanes = lanes_for(classes);
  const Mean mean{a.mean == SelflabelMean::balanced ? 1 : 0, a.mean == SelflabelMean::rows ? rows : 0};
  const Rule rule{a.weak.data, a.threshold, a.labels.data(), a.index.data(), static_cast<int64_t>(a.labels.size())};
  const bool shared = classes <= kSharedClasses;
  const Scratch<int> counts(shared ? 0 : classes, q);
  const Tickets ticket(1, q);
  LaunchShape shape = shape_of_rows(rows, lanes);
  shape.smem_bytes = shared ? sizeof(int) * static_cast<size_t>(classes) : 0;
  launch("selflabel_loss_forward", forward_kernel, shape, q, a.strong.data, rows, static_cast<int>(classes), lanes,
         rule, mean, counts.data(), a.target.data(), a.weight.data(), ticket.data(),
         Results{a.loss.data(), a.kept.data(), a.seen.data()});
}

void selflabel_loss_backward(const SelflabelLossBackward<float>& a, Queue q) {
  const int lanes = lanes_for(a.strong.cols);
  launch("selflabel_loss_backward", backward_kernel, shape_of_rows(a.strong.rows, lanes), q, a.strong.data,
         a.target.data(), a.weight.data(), a.dloss.data(), a.strong.rows, static_cast<int>(a.strong.cols), lanes,
         a.dstrong.data, a.write == Write::add ? 1 : 0);
}

}  // namespace kith::kernels::cuda
