// Optimiser steps over many tensors at once, the exponential moving average of weights, and the norm of gradients.
//
//   SGD   g += wd w; v = momentum v + g (v = g at step 1); w -= lr (nesterov ? g + momentum v : v) (torch.optim.SGD)
//   Adam  g += wd w (L2) or w -= lr wd w (decoupled: AdamW); m, v moments; bias-corrected; eps outside the root
//                                                                                            (torch.optim.Adam / AdamW)
//   LARS  r = trust |w| / (|g| + wd |w|) where both norms > 0 and the slot is `adapt`, else 1;
//         v = momentum v + lr r (g + wd w); w -= v           (You et al. 2017; biases and norms: adapt = false)
//   EMA   a = decay a + (1 - decay) w
//   norm  sqrt of the sum of g^2 over all tensors, summed in f64: it overflows only where the norm itself does
//
// Each slot is one tensor; all spans of a slot have one length (0 is allowed, another length is an Error naming the
// slot). step counts from 1; at step 1 the state is written, not read. momentum = 0 keeps no velocity: m may be empty.
// `bf16_copy` receives the new weights rounded to bf16 (nearest even) in the same pass; empty: no copy is kept.
// `live`, where given, holds the learning rate and the step in memory of the queue's device and overrides lr and step; of EMA
// the decay.
// `finite` and `skipped`, given both or neither, are one number each in memory of the queue's device: the one of grad_norm, and
// how many steps did not happen so far. Where `finite` is 0 the step does not happen: `skipped` becomes one more, and all else
// stays as it is. The number of a step is what `step` or `live` says less `skipped`: Adam's corrections count the steps that
// happened, as with torch.amp.GradScaler, which does not call the optimiser's step.
// Bit-equal for any number of threads.
// Cost  DRAM per weight: SGD 20 B, Adam 28 B, LARS 24 B, EMA 12 B, norm 4 B; 2 B more for a bf16 copy.
// Counted launches, and 32-byte sectors that warps ask for over these bytes, at most (tests/simt):
//         sgd_step 1, 1; adam_step 1, 1; lars_step 3, 1.2;
//         ema_step 1, 1; grad_norm 2, 1.1;
#pragma once
#include "kernels/core/bf16.h"
#include "kernels/core/types.h"

namespace kith::kernels {

template <class T>
struct OptimSlot {
  std::span<T> w;
  std::span<const T> g;
  std::span<T> m = {};  // SGD, LARS: momentum; Adam: first moment
  std::span<T> v = {};  // Adam: second moment; empty otherwise
  std::span<bf16> bf16_copy = {};
  T weight_decay = 0;  // of this slot
  bool adapt = true;   // LARS only
};

template <class T>
struct SgdStep {
  std::span<const OptimSlot<T>> slots;
  T lr = 0, momentum = 0;
  bool nesterov = false;
  int64_t step = 0;
  const LiveStep* live = nullptr;
  const int32_t* finite = nullptr;
  int64_t* skipped = nullptr;
};

template <class T>
struct AdamStep {
  std::span<const OptimSlot<T>> slots;
  T lr = 0;
  T beta1 = T(0.9), beta2 = T(0.999), eps = T(1e-8);
  bool decoupled = false;
  int64_t step = 0;
  const LiveStep* live = nullptr;
  const int32_t* finite = nullptr;
  int64_t* skipped = nullptr;
};

template <class T>
struct LarsStep {
  std::span<const OptimSlot<T>> slots;
  T lr = 0, momentum = 0;
  T trust = T(0.001);
  int64_t step = 0;
  const LiveStep* live = nullptr;
  const int32_t* finite = nullptr;
  int64_t* skipped = nullptr;
};

template <class T>
struct EmaStep {
  std::span<const std::span<const T>> weights;
  std::span<const std::span<T>> averages;
  T decay;
  const LiveStep* live = nullptr;
};

template <class T>
struct GradNorm {
  std::span<const std::span<const T>> grads;
  std::span<T> norm;          // [1]
  std::span<int32_t> finite;  // [1]: 1 where every gradient is a number, 0 where one is infinite or NaN
};

void sgd_step(const SgdStep<float>&, Queue);
void adam_step(const AdamStep<float>&, Queue);
void lars_step(const LarsStep<float>&, Queue);
void ema_step(const EmaStep<float>&, Queue);
void grad_norm(const GradNorm<float>&, Queue);

namespace cpu {
template <class T>
void sgd_step(const SgdStep<T>&);
template <class T>
void adam_step(const AdamStep<T>&);
template <class T>
void lars_step(const LarsStep<T>&);
template <class T>
void ema_step(const EmaStep<T>&);
template <class T>
void grad_norm(const GradNorm<T>&);
}  // namespace cpu
namespace cuda {  // spans are device memory
void sgd_step(const SgdStep<float>&, Queue);
void adam_step(const AdamStep<float>&, Queue);
void lars_step(const LarsStep<float>&, Queue);
void ema_step(const EmaStep<float>&, Queue);
void grad_norm(const GradNorm<float>&, Queue);
}  // namespace cuda

// `halves` of the weights have a bf16 copy.
constexpr Cost sgd_step_cost(double weights, double halves = 0) {
  return {.flops = 5 * weights, .bytes = 20 * weights + 2 * halves};
}
constexpr Cost adam_step_cost(double weights, double halves = 0) {
  return {.flops = 14 * weights, .bytes = 28 * weights + 2 * halves};
}
constexpr Cost lars_step_cost(double weights, double halves = 0) {
  return {.flops = 9 * weights, .bytes = 24 * weights + 2 * halves};
}
constexpr Cost ema_step_cost(double weights) { return {.flops = 3 * weights, .bytes = 12 * weights}; }
constexpr Cost grad_norm_cost(double weights) { return {.flops = 2 * weights, .bytes = 4 * weights}; }

}  // namespace kith::kernels
