// Optimiser steps over many tensors at once, and the exponential moving average of weights.
//
//   SGD   g += wd w; v = momentum v + g (v = g at step 1); w -= lr (nesterov ? g + momentum v : v) (torch.optim.SGD)
//   Adam  g += wd w (L2) or w -= lr wd w (decoupled: AdamW); m, v moments; bias-corrected; eps outside the root
//                                                                                            (torch.optim.Adam / AdamW)
//   LARS  r = trust |w| / (|g| + wd |w|) where both norms > 0 and the slot is `adapt`, else 1;
//         v = momentum v + lr r (g + wd w); w -= v           (You et al. 2017; biases and norms: adapt = false)
//   EMA   a = decay a + (1 - decay) w
//
// Each slot is one tensor; all spans of a slot have one length (0 is allowed, another length is an Error naming the
// slot). step counts from 1; at step 1 the state is written, not read. momentum = 0 keeps no velocity: m may be empty.
// Bit-equal for any number of threads.
// Cost  DRAM per weight: SGD 20 B, Adam 28 B, LARS 24 B, EMA 12 B.
#pragma once
#include "kernels/core/types.h"

namespace kith::kernels {

template <class T>
struct OptimSlot {
  std::span<T> w;
  std::span<const T> g;
  std::span<T> m = {};  // SGD, LARS: momentum; Adam: first moment
  std::span<T> v = {};  // Adam: second moment; empty otherwise
  T weight_decay = 0;   // of this slot
  bool adapt = true;    // LARS only
};

template <class T>
struct SgdStep {
  std::span<const OptimSlot<T>> slots;
  T lr, momentum;
  bool nesterov = false;
  int64_t step;
};

template <class T>
struct AdamStep {
  std::span<const OptimSlot<T>> slots;
  T lr;
  T beta1 = T(0.9), beta2 = T(0.999), eps = T(1e-8);
  bool decoupled = false;
  int64_t step;
};

template <class T>
struct LarsStep {
  std::span<const OptimSlot<T>> slots;
  T lr, momentum;
  T trust = T(0.001);
  int64_t step;
};

template <class T>
struct EmaStep {
  std::span<const std::span<const T>> weights;
  std::span<const std::span<T>> averages;
  T decay;
};

void sgd_step(const SgdStep<float>&, Queue);
void adam_step(const AdamStep<float>&, Queue);
void lars_step(const LarsStep<float>&, Queue);
void ema_step(const EmaStep<float>&, Queue);

namespace cpu {
template <class T>
void sgd_step(const SgdStep<T>&);
template <class T>
void adam_step(const AdamStep<T>&);
template <class T>
void lars_step(const LarsStep<T>&);
template <class T>
void ema_step(const EmaStep<T>&);
}  // namespace cpu
namespace cuda {  // spans are device memory
void sgd_step(const SgdStep<float>&, Queue);
void adam_step(const AdamStep<float>&, Queue);
void lars_step(const LarsStep<float>&, Queue);
void ema_step(const EmaStep<float>&, Queue);
}

constexpr Cost sgd_step_cost(double weights) { return {.flops = 5 * weights, .bytes = 20 * weights}; }
constexpr Cost adam_step_cost(double weights) { return {.flops = 14 * weights, .bytes = 28 * weights}; }
constexpr Cost lars_step_cost(double weights) { return {.flops = 9 * weights, .bytes = 24 * weights}; }
constexpr Cost ema_step_cost(double weights) { return {.flops = 3 * weights, .bytes = 12 * weights}; }

}  // namespace kith::kernels
