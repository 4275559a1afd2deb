// All tensors of a model in one launch: the slots travel as a kernel argument, a block finds its tensor by its index and
// takes kChunk elements of it, each thread kPerThread of them with independent loads in flight. At step 1 the state is
// written, not read. LARS needs |w| and |g| of every tensor first: partial sums of squares per chunk, then one block per
// tensor adds them in order and leaves the tensor's rate; two more launches. No atomics.
// DRAM per weight: SGD 20 B, Adam 28 B, LARS 32 B (w and g twice), EMA 12 B.
#include <algorithm>
#include <vector>

#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/core/reduce.cuh"
#include "kernels/cuda/core/scratch.cuh"
#include "kernels/optim.h"

namespace kith::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kPerThread = 8;
constexpr int kChunk = kThreads * kPerThread;
constexpr int kSlots = 48;  // of one launch: 48 x 56 B and the offsets stay below the 4 KiB that arguments may have

struct Slot {
  float* w;
  const float* g;
  float* m;
  float* v;
  int64_t count;
  float weight_decay;
  int adapt;
};

struct Slots {
  Slot slot[kSlots];
  int first_block[kSlots + 1];  // blocks first_block[s] .. first_block[s + 1] - 1 work on slot s
  int count;
};

// The slot of a block; slots are few, so a linear search costs less than it reads.
__device__ __forceinline__ int slot_of(const Slots& s, int block) {
  int i = 0;
  while (i + 1 < s.count && block >= s.first_block[i + 1]) ++i;
  return i;
}

// Calls f(index) for this thread's elements of its block's chunk.
template <class F>
__device__ __forceinline__ void for_chunk(const Slot& slot, int chunk, F f) {
#pragma unroll
  for (int k = 0; k < kPerThread; ++k) {
    const int64_t i = int64_t{chunk} * kChunk + k * kThreads + static_cast<int>(threadIdx.x);
    if (i < slot.count) f(i);
  }
}

struct Sgd {
  float lr, momentum;
  int nesterov, first;
  __device__ __forceinline__ void operator()(const Slot& s, int64_t i) const {
    const float w = s.w[i], g = s.g[i] + s.weight_decay * w;
    if (momentum == 0.f) {
      s.w[i] = w - lr * g;
      return;
    }
    const float v = first ? g : momentum * s.m[i] + g;
    s.m[i] = v;
    s.w[i] = w - lr * (nesterov ? g + momentum * v : v);
  }
};

struct Adam {
  float lr, beta1, beta2, eps, correction1, correction2;  // corrections: 1 / (1 - beta^step), the second under a root
  int decoupled, first;
  __device__ __forceinline__ void operator()(const Slot& s, int64_t i) const {
    float w = s.w[i], g = s.g[i];
    if (decoupled)
      w -= lr * s.weight_decay * w;
    else
      g += s.weight_decay * w;
    const float m = (first ? 0.f : beta1 * s.m[i]) + (1.f - beta1) * g;
    const float v = (first ? 0.f : beta2 * s.v[i]) + (1.f - beta2) * g * g;
    s.m[i] = m;
    s.v[i] = v;
    s.w[i] = w - lr * correction1 * m / (sqrtf(v) * correction2 + eps);
  }
};

template <class Rule>
__global__ void __launch_bounds__(kThreads) step_kernel(const __grid_constant__ Slots slots, Rule rule) {
  const int block = static_cast<int>(blockIdx.x), at = slot_of(slots, block);
  const Slot& slot = slots.slot[at];
  for_chunk(slot, block - slots.first_block[at], [&](int64_t i) { rule(slot, i); });
}

// partial[block] = sums of squares of w and of g over the block's chunk.
__global__ void __launch_bounds__(kThreads)
    squares_kernel(const __grid_constant__ Slots slots, float2* __restrict__ partial) {
  __shared__ float scratch[kThreads / kWarp];
  const int block = static_cast<int>(blockIdx.x), at = slot_of(slots, block);
  const Slot& slot = slots.slot[at];
  float w2 = 0.f, g2 = 0.f;
  for_chunk(slot, block - slots.first_block[at], [&](int64_t i) {
    w2 += slot.w[i] * slot.w[i];
    g2 += slot.g[i] * slot.g[i];
  });
  w2 = block_sum<kThreads / kWarp>(w2, scratch);
  g2 = block_sum<kThreads / kWarp>(g2, scratch);
  if (threadIdx.x == 0) partial[block] = make_float2(w2, g2);
}

// rate[slot] = lr r of the contract.
__global__ void __launch_bounds__(kThreads)
    trust_kernel(const __grid_constant__ Slots slots, const float2* __restrict__ partial, float lr, float trust,
                 float* __restrict__ rate) {
  __shared__ double scratch[kThreads / kWarp];
  const int at = static_cast<int>(blockIdx.x);
  double w2 = 0, g2 = 0;
  for (int b = slots.first_block[at] + static_cast<int>(threadIdx.x); b < slots.first_block[at + 1]; b += kThreads) {
    w2 += partial[b].x;
    g2 += partial[b].y;
  }
  w2 = block_sum<kThreads / kWarp>(w2, scratch);
  g2 = block_sum<kThreads / kWarp>(g2, scratch);
  if (threadIdx.x != 0) return;
  const float w = static_cast<float>(sqrt(w2)), g = static_cast<float>(sqrt(g2));
  const bool adapt = slots.slot[at].adapt && w > 0.f && g > 0.f;
  rate[at] = adapt ? lr * (trust * w / (g + slots.slot[at].weight_decay * w)) : lr;
}

__global__ void __launch_bounds__(kThreads)
    lars_kernel(const __grid_constant__ Slots slots, float momentum, int first, const float* __restrict__ rate) {
  const int block = static_cast<int>(blockIdx.x), at = slot_of(slots, block);
  const Slot& s = slots.slot[at];
  const float lr = rate[at];
  for_chunk(s, block - slots.first_block[at], [&](int64_t i) {
    const float w = s.w[i], step = lr * (s.g[i] + s.weight_decay * w);
    const float v = momentum == 0.f || first ? step : momentum * s.m[i] + step;
    if (momentum != 0.f) s.m[i] = v;
    s.w[i] = w - v;
  });
}

// Packs slots into as many launches as they need, empty tensors left out, and calls run(slots, blocks) for each.
template <class F>
void for_each_launch(std::span<const OptimSlot<float>> all, F run) {
  Slots s{};
  const auto flush = [&] {
    if (s.count > 0) run(s, static_cast<unsigned>(s.first_block[s.count]));
    s = {};
  };
  for (const OptimSlot<float>& slot : all) {
    const auto n = static_cast<int64_t>(slot.w.size());
    if (n == 0) continue;
    s.slot[s.count] = {slot.w.data(),     slot.g.data(),     slot.m.data(), slot.v.data(), n,
                       slot.weight_decay, slot.adapt ? 1 : 0};
    s.first_block[s.count + 1] = s.first_block[s.count] + static_cast<int>(ceil_div(n, kChunk));
    if (++s.count == kSlots) flush();
  }
  flush();
}

template <class Rule>
void step(const char* name, std::span<const OptimSlot<float>> slots, Rule rule, Queue q) {
  for_each_launch(slots, [&](const Slots& s, unsigned blocks) {
    launch(name, step_kernel<Rule>, {.grid = dim3(blocks), .block = dim3(kThreads)}, q, s, rule);
  });
}

struct Average {
  float decay;
  __device__ __forceinline__ void operator()(const Slot& s, int64_t i) const {
    s.w[i] = decay * s.w[i] + (1.f - decay) * s.g[i];
  }
};

}  // namespace

void sgd_step(const SgdStep<float>& a, Queue q) {
  step("sgd_step", a.slots, Sgd{a.lr, a.momentum, a.nesterov ? 1 : 0, a.step == 1 ? 1 : 0}, q);
}

void adam_step(const AdamStep<float>& a, Queue q) {
  const double t = static_cast<double>(a.step);
  const double correction1 = 1 / (1 - std::pow(double{a.beta1}, t)),
               correction2 = 1 / std::sqrt(1 - std::pow(double{a.beta2}, t));
  step("adam_step", a.slots,
       Adam{a.lr, a.beta1, a.beta2, a.eps, static_cast<float>(correction1), static_cast<float>(correction2),
            a.decoupled ? 1 : 0, a.step == 1 ? 1 : 0},
       q);
}

void lars_step(const LarsStep<float>& a, Queue q) {
  for_each_launch(a.slots, [&](const Slots& s, unsigned blocks) {
    Scratch<float2> partial(blocks, q);
    Scratch<float> rate(s.count, q);
    const LaunchShape chunks{.grid = dim3(blocks), .block = dim3(kThreads)};
    launch("lars_squares", squares_kernel, chunks, q, s, partial.data());
    launch("lars_trust", trust_kernel, {.grid = dim3(static_cast<unsigned>(s.count)), .block = dim3(kThreads)}, q, s,
           partial.data(), a.lr, a.trust, rate.data());
    launch("lars_step", lars_kernel, chunks, q, s, a.momentum, a.step == 1 ? 1 : 0, rate.data());
  });
}

void ema_step(const EmaStep<float>& a, Queue q) {
  // An average is a slot whose "weight" is the average and whose "gradient" is the weight.
  std::vector<OptimSlot<float>> slots;
  for (size_t i = 0; i < a.weights.size(); ++i)
    slots.push_back({.w = a.averages[i], .g = a.weights[i], .m = {}, .v = {}});
  step("ema_step", slots, Average{a.decay}, q);
}

}  // namespace kith::kernels::cuda
