// What needs norms of whole tensors first: LARS, and the norm of all gradients. Sums of squares per chunk, in f64, so
// that squares of f32 numbers neither overflow nor vanish and a sum that is not finite has met a gradient that is not;
// then one block adds the chunks of a tensor (LARS: leaving the tensor's rate) or of all tensors, in order. No atomics.
// DRAM per weight: LARS 32 B (w and g twice; 2 B more for a bf16 copy), norm 4 B.
#include <vector>

#include "kernels/cuda/core/scratch.cuh"
#include "kernels/cuda/optim.cuh"

namespace kith::kernels::cuda {
namespace {

using namespace optim;

struct Squares {
  double w, g;
};

__device__ __forceinline__ double squares(const float (&x)[4]) {
  double sum = 0;
#pragma unroll
  for (int j = 0; j < 4; ++j) sum += double{x[j]} * double{x[j]};
  return sum;
}

// partial[block] = sums of squares of g, and of w where the slot has one, over the block's chunk. Slots that do not
// adapt have no norms.
__global__ void __launch_bounds__(kThreads)
    squares_kernel(const __grid_constant__ Slots slots, Squares* __restrict__ partial) {
  __shared__ double scratch[kWarps];
  const int block = static_cast<int>(blockIdx.x), at = slot_of(slots, block), chunk = block - slots.first_block[at];
  const Slot& slot = slots.slot[at];
  if (!slot.adapt) return;
  Squares sum{0, 0};
#pragma unroll
  for (int k = 0; k < kVectors; ++k) {
    const Group group = group_of(slot, chunk, k);
    float x[4];
    load(x, slot.g, group);
    sum.g += squares(x);
    if (slot.w == nullptr) continue;
    load(x, slot.w, group);
    sum.w += squares(x);
  }
  sum.w = block_sum<kWarps>(sum.w, scratch);
  sum.g = block_sum<kWarps>(sum.g, scratch);
  if (threadIdx.x == 0) partial[block] = sum;
}

// The sum of partial[begin .. end - 1], for every thread of the block.
__device__ __forceinline__ Squares sum_partials(const Squares* __restrict__ partial, int64_t begin, int64_t end,
                                                double* scratch) {
  Squares sum{0, 0};
  for (int64_t b = begin + static_cast<int>(threadIdx.x); b < end; b += kThreads) {
    sum.w += partial[b].w;
    sum.g += partial[b].g;
  }
  sum.w = block_sum<kWarps>(sum.w, scratch);
  sum.g = block_sum<kWarps>(sum.g, scratch);
  return sum;
}

// rate[slot] = lr r of the contract.
__global__ void __launch_bounds__(kThreads)
    trust_kernel(const __grid_constant__ Slots slots, StepSource source, const Squares* __restrict__ partial,
                 float trust, float* __restrict__ rate) {
  __shared__ double scratch[kWarps];
  const int at = static_cast<int>(blockIdx.x);
  const Slot& slot = slots.slot[at];
  if (!source.happens()) return;
  const float lr = source.now().lr;
  double ratio = 1;
  if (slot.adapt) {
    const Squares sum = sum_partials(partial, slots.first_block[at], slots.first_block[at + 1], scratch);
    const double w = sqrt(sum.w), g = sqrt(sum.g);
    if (w > 0 && g > 0) ratio = trust * w / (g + double{slot.weight_decay} * w);
  }
  if (threadIdx.x == 0) rate[at] = static_cast<float>(lr * ratio);
}

__global__ void __launch_bounds__(kThreads) lars_kernel(const __grid_constant__ Slots slots, StepSource source,
                                                        float momentum, const float* __restrict__ rate) {
  const int block = static_cast<int>(blockIdx.x), at = slot_of(slots, block), chunk = block - slots.first_block[at];
  const Slot& slot = slots.slot[at];
  if (!source.happens()) return source.skip();
  const Step step = source.now();
  const float lr = rate[at];
#pragma unroll
  for (int k = 0; k < kVectors; ++k) {
    const Group group = group_of(slot, chunk, k);
    float w[4], g[4], v[4] = {};
    load(w, slot.w, group);
    load(g, slot.g, group);
    if (momentum != 0.f && step.first == 0) load(v, slot.m, group);
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      v[j] = momentum * v[j] + lr * (g[j] + slot.weight_decay * w[j]);
      w[j] -= v[j];
    }
    store(slot.w, w, group);
    if (slot.bf16_copy != nullptr) store(slot.bf16_copy, w, group);
    if (momentum != 0.f) store(slot.m, v, group);
  }
}

__global__ void __launch_bounds__(kThreads) norm_kernel(const Squares* __restrict__ partial, int64_t count,
                                                        float* __restrict__ norm, int32_t* __restrict__ finite) {
  __shared__ double scratch[kWarps];
  const double sum = sum_partials(partial, 0, count, scratch).g;
  if (threadIdx.x != 0) return;
  *norm = static_cast<float>(sqrt(sum));
  *finite = sum < INFINITY ? 1 : 0;  // false for NaN
}

}  // namespace

void lars_step(const LarsStep<float>& a, Queue q) {
  StepSource source{a.live, a.finite, a.skipped, a.lr, a.step};
  for_each_launch(a.slots, [&](const Slots& s, unsigned blocks) {
    Scratch<Squares> partial(blocks, q);
    Scratch<float> rate(s.count, q);
    const LaunchShape chunks{.grid = dim3(blocks), .block = dim3(kThreads)};
    launch("lars_squares", squares_kernel, chunks, q, s, partial.data());
    launch("lars_trust", trust_kernel, {.grid = dim3(static_cast<unsigned>(s.count)), .block = dim3(kThreads)}, q, s,
           source, partial.data(), a.trust, rate.data());
    launch("lars_step", lars_kernel, chunks, q, s, source, a.momentum, rate.data());
    source.counts = 0;
  });
}

void grad_norm(const GradNorm<float>& a, Queue q) {
  std::vector<OptimSlot<float>> slots;
  int64_t chunks = 0;
  for (const std::span<const float> g : a.grads) {
    slots.push_back({.w = {}, .g = g});
    chunks += ceil_div(static_cast<int64_t>(g.size()), kChunk);
  }
  Scratch<Squares> partial(chunks, q);
  int64_t done = 0;
  for_each_launch(slots, [&](const Slots& s, unsigned blocks) {
    launch("grad_squares", squares_kernel, {.grid = dim3(blocks), .block = dim3(kThreads)}, q, s,
           partial.data() + done);
    done += blocks;
  });
  launch("grad_norm", norm_kernel, {.grid = dim3(1), .block = dim3(kThreads)}, q, partial.data(), chunks, a.norm.data(),
         a.finite.data());
}

}  // namespace kith::kernels::cuda
