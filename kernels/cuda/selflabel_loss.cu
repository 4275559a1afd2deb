// Targets come from the weak rows (one warp per row: argmax and its probability) or are given, class counts are integers, so
// each row's weight follows from them without a sum over rows. The loss is a
// fixed two-level sum.
//
// Small (rows x classes up to kOneBlock): one block, one launch. Large: a launch for targets and counts, one for weights
// and partial losses, one that adds the partials in order. Integer atomics only; nothing returns to the host.
// DRAM: 8 rows classes B forward, 8 backward.
#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/core/reduce.cuh"
#include "kernels/cuda/core/scratch.cuh"
#include "kernels/selflabel_loss.h"

namespace kith::kernels::cuda {
namespace {

constexpr int kWarps = 16;
constexpr int kThreads = kWarps * kWarp;
constexpr int64_t kOneBlock = 1 << 16;

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
__device__ __forceinline__ int target_of(int64_t row, int classes, const Rule& rule, int lane) {
  if (rule.weak == nullptr) return label_of(row, classes, rule);
  const float* logits = rule.weak + row * classes;
  LogSum acc;
  float best = -INFINITY;
  int at = classes;
  for (int c = lane; c < classes; c += kWarp) {
    acc.add(logits[c]);
    if (logits[c] > best) {
      best = logits[c];
      at = c;
    }
  }
  for (int bits = kWarp / 2; bits > 0; bits /= 2) {
    const float other = __shfl_xor_sync(kAllLanes, best, bits);
    const int other_at = __shfl_xor_sync(kAllLanes, at, bits);
    if (other > best || (other == best && other_at < at)) {
      best = other;
      at = other_at;
    }
  }
  const float confidence = expf(best - warp_merge(acc).log_sum_exp());
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

__device__ __forceinline__ float cross_entropy(const float* logits, int classes, int target, int lane) {
  LogSum acc;
  for (int c = lane; c < classes; c += kWarp) acc.add(logits[c]);
  return warp_merge(acc).log_sum_exp() - logits[target];
}

// Kept rows and classes present, from counts, for every thread of a block.
__device__ __forceinline__ int2 totals(const int* counts, int classes, int* scratch) {
  int kept = 0, present = 0;
  for (int c = static_cast<int>(threadIdx.x); c < classes; c += kThreads) {
    kept += counts[c];
    present += counts[c] > 0;
  }
  kept = block_sum<kWarps>(kept, scratch);
  present = block_sum<kWarps>(present, scratch);
  return make_int2(kept, present);
}

// Rows of this block: weights, and the block's share of the loss (valid in thread 0).
__device__ __forceinline__ float weigh_rows(const float* strong, int64_t rows, int classes, const int* counts,
                                            int2 total, Mean mean, const int32_t* target, float* weight,
                                            float* scratch) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  float sum = 0.f;
  for (int64_t i = int64_t{blockIdx.x} * kWarps + warp; i < rows; i += int64_t{gridDim.x} * kWarps) {
    const int t = target[i];
    const float w = weight_of(t, counts, total.x, total.y, mean);
    if (lane == 0) weight[i] = w;
    // The whole warp agrees on t.
    sum += t >= 0 ? w * cross_entropy(strong + i * classes, classes, t, lane) : w;
  }
  if (lane == 0) scratch[warp] = sum;
  __syncthreads();
  float loss = 0.f;
  for (int w = 0; w < kWarps; ++w) loss += scratch[w];
  return loss;
}

// The only block that runs adds the counts of this call to those of earlier ones.
__device__ __forceinline__ void add_counts(const int* counts, int classes, int32_t* seen) {
  if (seen == nullptr) return;
  for (int c = static_cast<int>(threadIdx.x); c < classes; c += kThreads) seen[c] += counts[c];
}

// Shared memory: counts [classes], then kWarps of scratch.
__global__ void __launch_bounds__(kThreads, 1)
    one_block_kernel(const float* __restrict__ strong, int64_t rows, int classes, Rule rule, Mean mean, int32_t* target,
                     float* __restrict__ weight, float* __restrict__ loss, int32_t* __restrict__ kept,
                     int32_t* __restrict__ seen) {
  int* counts = dynamic_shared<int>();
  int* scratch = counts + classes;
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  for (int c = static_cast<int>(threadIdx.x); c < classes; c += kThreads) counts[c] = 0;
  __syncthreads();  // counts are zero
  for (int64_t i = warp; i < rows; i += kWarps) {
    const int t = target_of(i, classes, rule, lane);
    if (lane != 0) continue;
    target[i] = t;
    if (t >= 0) atomicAdd(counts + t, 1);
  }
  __syncthreads();  // counts are complete, and target is visible to the block
  add_counts(counts, classes, seen);
  const int2 total = totals(counts, classes, scratch);
  const float sum =
      weigh_rows(strong, rows, classes, counts, total, mean, target, weight, reinterpret_cast<float*>(scratch));
  if (threadIdx.x == 0) {
    *loss = sum;
    *kept = total.x;
  }
}

__global__ void __launch_bounds__(kThreads)
    target_kernel(int64_t rows, int classes, Rule rule, int32_t* __restrict__ target, int* __restrict__ counts) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t i = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp;
  if (i >= rows) return;
  const int t = target_of(i, classes, rule, lane);
  if (lane == 0) {
    target[i] = t;
    if (t >= 0) atomicAdd(counts + t, 1);
  }
}

// 2: left alone, ptxas aims at four blocks to a multiprocessor on sm_90a, and spills for it.
__global__ void __launch_bounds__(kThreads, 2)
    weigh_kernel(const float* __restrict__ strong, int64_t rows, int classes, Mean mean, const int* __restrict__ counts,
                 const int32_t* __restrict__ target, float* __restrict__ weight, float* __restrict__ partial) {
  __shared__ int scratch[kWarps];
  __shared__ float sums[kWarps];
  const int2 total = totals(counts, classes, scratch);
  const float sum = weigh_rows(strong, rows, classes, counts, total, mean, target, weight, sums);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

__global__ void __launch_bounds__(kThreads)
    combine_kernel(const float* __restrict__ partial, int parts, const int* __restrict__ counts, int classes,
                   float* __restrict__ loss, int32_t* __restrict__ kept, int32_t* __restrict__ seen) {
  __shared__ int scratch[kWarps];
  add_counts(counts, classes, seen);
  const int2 total = totals(counts, classes, scratch);
  if (threadIdx.x != 0) return;
  float sum = 0.f;
  for (int p = 0; p < parts; ++p) sum += partial[p];
  *loss = sum;
  *kept = total.x;
}

__global__ void __launch_bounds__(kThreads)
    backward_kernel(const float* __restrict__ strong, const int32_t* __restrict__ target,
                    const float* __restrict__ weight, const float* __restrict__ dloss, int64_t rows, int classes,
                    float* __restrict__ dstrong, int add) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t i = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp;
  if (i >= rows) return;
  const float* logits = strong + i * classes;
  const int t = target[i];
  if (t < 0) {
    const float nothing = t == kNone ? 0.f : NAN;
    for (int c = lane; c < classes; c += kWarp) put(dstrong + i * classes + c, nothing, add);
    return;
  }
  LogSum acc;
  for (int c = lane; c < classes; c += kWarp) acc.add(logits[c]);
  const float lse = warp_merge(acc).log_sum_exp(), g = *dloss * weight[i];
  for (int c = lane; c < classes; c += kWarp)
    put(dstrong + i * classes + c, g * (expf(logits[c] - lse) - (c == t ? 1.f : 0.f)), add);
}

}  // namespace

void selflabel_loss_forward(const SelflabelLossForward<float>& a, Queue q) {
  const int64_t rows = a.strong.rows;
  const int classes = static_cast<int>(a.strong.cols);
  const Mean mean{a.mean == SelflabelMean::balanced ? 1 : 0, a.mean == SelflabelMean::rows ? rows : 0};
  const Rule rule{a.weak.data, a.threshold, a.labels.data(), a.index.data(), static_cast<int64_t>(a.labels.size())};
  if (rows * classes <= kOneBlock) {
    launch(
        "selflabel_loss_forward", one_block_kernel,
        {.grid = dim3(1), .block = dim3(kThreads), .smem_bytes = sizeof(int) * (static_cast<size_t>(classes) + kWarps)},
        q, a.strong.data, rows, classes, rule, mean, a.target.data(), a.weight.data(), a.loss.data(), a.kept.data(),
        a.seen.data());
    return;
  }
  const int row_blocks = static_cast<int>(ceil_div(rows, kWarps)), parts = std::min(row_blocks, 512);
  Scratch<int> counts(classes, q);
  Scratch<float> partial(parts, q);
  cuda_check(cudaMemsetAsync(counts.data(), 0, sizeof(int) * static_cast<size_t>(classes), q.stream));
  launch("selflabel_loss_target", target_kernel,
         {.grid = dim3(static_cast<unsigned>(row_blocks)), .block = dim3(kThreads)}, q, rows, classes, rule,
         a.target.data(), counts.data());
  launch("selflabel_loss_weigh", weigh_kernel, {.grid = dim3(static_cast<unsigned>(parts)), .block = dim3(kThreads)}, q,
         a.strong.data, rows, classes, mean, counts.data(), a.target.data(), a.weight.data(), partial.data());
  launch("selflabel_loss_combine", combine_kernel, {.grid = dim3(1), .block = dim3(kThreads)}, q, partial.data(), parts,
         counts.data(), classes, a.loss.data(), a.kept.data(), a.seen.data());
}

void selflabel_loss_backward(const SelflabelLossBackward<float>& a, Queue q) {
  launch("selflabel_loss_backward", backward_kernel,
         {.grid = dim3(static_cast<unsigned>(ceil_div(a.strong.rows, kWarps))), .block = dim3(kThreads)}, q,
         a.strong.data, a.target.data(), a.weight.data(), a.dloss.data(), a.strong.rows,
         static_cast<int>(a.strong.cols), a.dstrong.data, a.write == Write::add ? 1 : 0);
}

}  // namespace kith::kernels::cuda
