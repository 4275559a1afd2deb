// SGD, Adam and the moving average over all tensors of a model in one launch (see optim.cuh). A thread has all its loads
// in flight before it needs the first number; what depends on the step alone (Adam's corrections, in f64) one thread of
// a block computes meanwhile. At step 1 the state is written, not read. The bf16 copy leaves from the same registers.
// DRAM per weight: SGD 20 B, Adam 28 B, EMA 12 B; 2 B more for a bf16 copy.
#include <vector>

#include "kernels/cuda/optim.cuh"

namespace kith::kernels::cuda {
namespace {

using namespace optim;

// beta^t by squaring: multiplications alone, so host, device and every launch have the same bits. Its relative error,
// about t 2^-53, is nothing in f32 for any number of steps a training has.
__device__ __forceinline__ double power(double beta, int64_t t) {
  double result = 1;
  for (; t > 0; t /= 2) {
    if (t % 2 != 0) result *= beta;
    beta *= beta;
  }
  return result;
}

// What a rule knows of a step beyond its constants.
struct Rates {
  float lr, size, root;  // size = lr / (1 - beta1^t), root = 1 / sqrt(1 - beta2^t): Adam
};

struct Sgd {
  static constexpr bool kCorrected = false;
  float momentum;
  int nesterov;
  __device__ __forceinline__ bool keeps_m() const { return momentum != 0.f; }
  __device__ __forceinline__ bool keeps_v() const { return false; }
  __device__ __forceinline__ void operator()(Rates r, float decay, float& w, float g, float& m, float&) const {
    g += decay * w;
    m = momentum * m + g;  // with no momentum: g
    w -= r.lr * (nesterov ? g + momentum * m : m);
  }
};

struct Adam {
  static constexpr bool kCorrected = true;
  float beta1, beta2, eps;
  int decoupled;
  __device__ __forceinline__ bool keeps_m() const { return true; }
  __device__ __forceinline__ bool keeps_v() const { return true; }
  __device__ __forceinline__ Rates rates(Step s) const {
    return {s.lr, static_cast<float>(s.lr / (1 - power(beta1, s.count))),
            static_cast<float>(1 / sqrt(1 - power(beta2, s.count)))};
  }
  __device__ __forceinline__ void operator()(Rates r, float decay, float& w, float g, float& m, float& v) const {
    if (decoupled)
      w -= r.lr * decay * w;
    else
      g += decay * w;
    m = beta1 * m + (1.f - beta1) * g;
    v = beta2 * v + (1.f - beta2) * g * g;
    w -= r.size * m / (sqrtf(v) * r.root + eps);
  }
};

// An average is a slot whose "weight" is the average and whose "gradient" is the weight.
struct Average {
  static constexpr bool kCorrected = false;
  float decay;
  const LiveStep* live;
  __device__ __forceinline__ bool keeps_m() const { return false; }
  __device__ __forceinline__ bool keeps_v() const { return false; }
  __device__ __forceinline__ void operator()(Rates, float, float& w, float g, float&, float&) const {
    const float d = live != nullptr ? live->decay : decay;
    w = d * w + (1.f - d) * g;
  }
};

template <class Rule>
__global__ void __launch_bounds__(kThreads)
    step_kernel(const __grid_constant__ Slots slots, StepSource source, Rule rule) {
  __shared__ Rates shared;
  const int block = static_cast<int>(blockIdx.x), at = slot_of(slots, block), chunk = block - slots.first_block[at];
  const Slot& slot = slots.slot[at];
  if (!source.happens()) return source.skip();
  const Step step = source.now();
  const bool load_m = rule.keeps_m() && step.first == 0, load_v = rule.keeps_v() && step.first == 0;

  Group group[kVectors];
  float w[kVectors][4], g[kVectors][4], m[kVectors][4] = {}, v[kVectors][4] = {};
#pragma unroll
  for (int k = 0; k < kVectors; ++k) {
    group[k] = group_of(slot, chunk, k);
    load(w[k], slot.w, group[k]);
    load(g[k], slot.g, group[k]);
    if (load_m) load(m[k], slot.m, group[k]);
    if (load_v) load(v[k], slot.v, group[k]);
  }
  Rates rates{step.lr, 0.f, 0.f};
  if constexpr (Rule::kCorrected) {
    if (threadIdx.x == 0) shared = rule.rates(step);
    __syncthreads();  // the rates are written
    rates = shared;
  }
#pragma unroll
  for (int k = 0; k < kVectors; ++k) {
#pragma unroll
    for (int j = 0; j < 4; ++j) rule(rates, slot.weight_decay, w[k][j], g[k][j], m[k][j], v[k][j]);
    store(slot.w, w[k], group[k]);
    if (slot.bf16_copy != nullptr) store(slot.bf16_copy, w[k], group[k]);
    if (rule.keeps_m()) store(slot.m, m[k], group[k]);
    if (rule.keeps_v()) store(slot.v, v[k], group[k]);
  }
}

template <class Rule>
void step(const char* name, std::span<const OptimSlot<float>> slots, StepSource source, Rule rule, Queue q) {
  for_each_launch(slots, [&](const Slots& s, unsigned blocks) {
    launch(name, step_kernel<Rule>, {.grid = dim3(blocks), .block = dim3(kThreads)}, q, s, source, rule);
    source.counts = 0;
  });
}

}  // namespace

void sgd_step(const SgdStep<float>& a, Queue q) {
  step("sgd_step", a.slots, {a.live, a.finite, a.skipped, a.lr, a.step}, Sgd{a.momentum, a.nesterov ? 1 : 0}, q);
}

void adam_step(const AdamStep<float>& a, Queue q) {
  step("adam_step", a.slots, {a.live, a.finite, a.skipped, a.lr, a.step},
       Adam{a.beta1, a.beta2, a.eps, a.decoupled ? 1 : 0}, q);
}

void ema_step(const EmaStep<float>& a, Queue q) {
  std::vector<OptimSlot<float>> slots;
  for (size_t i = 0; i < a.weights.size(); ++i)
    slots.push_back({.w = a.averages[i], .g = a.weights[i], .m = {}, .v = {}});
  step("ema_step", slots, {nullptr, nullptr, nullptr, 0.f, 0}, Average{a.decay, a.live}, q);
}

}  // namespace kith::kernels::cuda
