// The update of one weight reads and writes that weight alone, so there is nothing to block: double and float share the
// loops, and PyTorch's float64 steps are the oracle of both. All tensors of a call are cut into pieces that the threads
// share in one parallel loop, so that many small tensors cost no more than one large one.
#include "kernels/optim.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <vector>

#include "kernels/core/parallel.h"

namespace kith::kernels::cpu {
namespace {

constexpr int64_t kPiece = 16384;

// Elements begin .. end of one slot.
struct Piece {
  size_t slot;
  int64_t begin, end;
};

template <class Size>
std::vector<Piece> cut(size_t slots, Size size) {
  std::vector<Piece> pieces;
  for (size_t s = 0; s < slots; ++s) {
    const int64_t n = static_cast<int64_t>(size(s));
    for (int64_t i = 0; i < n; i += kPiece) pieces.push_back({s, i, std::min(n, i + kPiece)});
  }
  return pieces;
}

template <class T>
std::vector<Piece> cut(std::span<const OptimSlot<T>> slots) {
  return cut(slots.size(), [&](size_t s) { return slots[s].w.size(); });
}

template <class F>
void for_each_piece(const std::vector<Piece>& pieces, F&& f) {
  parallel_for(static_cast<int64_t>(pieces.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) f(pieces[i], i);
  });
}

// Sixteen lanes, so that the sum vectorises in a fixed order.
template <class T>
double sum_of_squares(const T* x, int64_t n) {
  std::array<double, 16> lane{};
  int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (int64_t l = 0; l < 16; ++l) lane[l] += static_cast<double>(x[i + l]) * static_cast<double>(x[i + l]);
  for (; i < n; ++i) lane[i % 16] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  double sum = 0;
  for (double v : lane) sum += v;
  return sum;
}

// The numbers of this step, if it happens; else that is counted.
template <class T>
struct Now {
  T lr;
  int64_t step;
};
template <class T, template <class> class Step>
std::optional<Now<T>> now(const Step<T>& a) {
  if (a.finite != nullptr && *a.finite == 0) return ++*a.skipped, std::nullopt;
  const int64_t skipped = a.skipped != nullptr ? *a.skipped : 0;
  if (a.live == nullptr) return Now<T>{a.lr, a.step - skipped};
  return Now<T>{static_cast<T>(a.live->lr), a.live->step - skipped};
}

// The bf16 copy of weights that are still in the cache.
template <class T>
void write_half(const OptimSlot<T>& s, const Piece& p) {
  if (s.bf16_copy.empty()) return;
  const T* __restrict w = s.w.data();
  bf16* __restrict bf16_copy = s.bf16_copy.data();
  for (int64_t i = p.begin; i < p.end; ++i) bf16_copy[i] = narrow(static_cast<float>(w[i]));
}

}  // namespace

template <class T>
void sgd_step(const SgdStep<T>& a) {
  const std::optional<Now<T>> t = now(a);
  if (!t) return;
  for_each_piece(cut(a.slots), [&](const Piece& p, int64_t) {
    const OptimSlot<T>& s = a.slots[p.slot];
    T* __restrict w = s.w.data();
    T* __restrict v = s.m.data();
    const T* __restrict g = s.g.data();
    const T lr = t->lr, momentum = a.momentum, decay = s.weight_decay;
    if (momentum == T(0)) {  // keeps no velocity
      for (int64_t i = p.begin; i < p.end; ++i) w[i] -= lr * (g[i] + decay * w[i]);
    } else if (t->step == 1) {  // the velocity is not read: it may be uninitialised
      const T factor = a.nesterov ? lr * (T(1) + momentum) : lr;
      for (int64_t i = p.begin; i < p.end; ++i) {
        const T d = g[i] + decay * w[i];
        v[i] = d;
        w[i] -= factor * d;
      }
    } else if (a.nesterov) {
      for (int64_t i = p.begin; i < p.end; ++i) {
        const T d = g[i] + decay * w[i], u = momentum * v[i] + d;
        v[i] = u;
        w[i] -= lr * (d + momentum * u);
      }
    } else {
      for (int64_t i = p.begin; i < p.end; ++i) {
        const T u = momentum * v[i] + (g[i] + decay * w[i]);
        v[i] = u;
        w[i] -= lr * u;
      }
    }
    write_half(s, p);
  });
}

template <class T>
void adam_step(const AdamStep<T>& a) {
  const std::optional<Now<T>> t = now(a);
  if (!t) return;
  // Corrections in double: 1 - beta2 is 1e-3, so float would lose three digits of it in the first steps.
  const double steps = static_cast<double>(t->step);
  const T step_size = static_cast<T>(t->lr / (1 - std::pow(static_cast<double>(a.beta1), steps)));
  const T inv_root = static_cast<T>(1 / std::sqrt(1 - std::pow(static_cast<double>(a.beta2), steps)));
  const T c1 = static_cast<T>(1 - static_cast<double>(a.beta1)), c2 = static_cast<T>(1 - static_cast<double>(a.beta2));
  for_each_piece(cut(a.slots), [&](const Piece& p, int64_t) {
    const OptimSlot<T>& s = a.slots[p.slot];
    T* __restrict w = s.w.data();
    T* __restrict m = s.m.data();
    T* __restrict v = s.v.data();
    const T* __restrict g = s.g.data();
    const T beta1 = a.beta1, beta2 = a.beta2, eps = a.eps, b1 = c1, b2 = c2, size = step_size, root = inv_root;
    const T l2 = a.decoupled ? T(0) : s.weight_decay;
    const T keep = a.decoupled ? T(1) - t->lr * s.weight_decay : T(1);
    const bool first = t->step == 1;  // the moments are not read: they may be uninitialised
    if (first) {
      for (int64_t i = p.begin; i < p.end; ++i) m[i] = T(0);
      for (int64_t i = p.begin; i < p.end; ++i) v[i] = T(0);
    }
    for (int64_t i = p.begin; i < p.end; ++i) {
      const T d = g[i] + l2 * w[i];
      const T mi = beta1 * m[i] + b1 * d, vi = beta2 * v[i] + b2 * d * d;
      m[i] = mi;
      v[i] = vi;
      w[i] = keep * w[i] - size * mi / (std::sqrt(vi) * root + eps);
    }
    write_half(s, p);
  });
}

template <class T>
void lars_step(const LarsStep<T>& a) {
  const std::optional<Now<T>> t = now(a);
  if (!t) return;
  const std::vector<Piece> pieces = cut(a.slots);
  struct Norms {
    double w = 0, g = 0;
  };
  std::vector<Norms> partial(pieces.size()), total(a.slots.size());
  for_each_piece(pieces, [&](const Piece& p, int64_t i) {
    const OptimSlot<T>& s = a.slots[p.slot];
    if (!s.adapt) return;
    partial[i] = {sum_of_squares(s.w.data() + p.begin, p.end - p.begin),
                  sum_of_squares(s.g.data() + p.begin, p.end - p.begin)};
  });
  for (size_t i = 0; i < pieces.size(); ++i) {
    total[pieces[i].slot].w += partial[i].w;
    total[pieces[i].slot].g += partial[i].g;
  }
  for_each_piece(pieces, [&](const Piece& p, int64_t) {
    const OptimSlot<T>& s = a.slots[p.slot];
    const double w_norm = std::sqrt(total[p.slot].w), g_norm = std::sqrt(total[p.slot].g);
    const double ratio = s.adapt && w_norm > 0 && g_norm > 0
                             ? a.trust * w_norm / (g_norm + static_cast<double>(s.weight_decay) * w_norm)
                             : 1;
    T* __restrict w = s.w.data();
    T* __restrict v = s.m.data();
    const T* __restrict g = s.g.data();
    const T rate = static_cast<T>(t->lr * ratio), momentum = a.momentum, decay = s.weight_decay;
    if (momentum == T(0)) {
      for (int64_t i = p.begin; i < p.end; ++i) w[i] -= rate * (g[i] + decay * w[i]);
    } else if (t->step == 1) {
      for (int64_t i = p.begin; i < p.end; ++i) {
        v[i] = rate * (g[i] + decay * w[i]);
        w[i] -= v[i];
      }
    } else {
      for (int64_t i = p.begin; i < p.end; ++i) {
        v[i] = momentum * v[i] + rate * (g[i] + decay * w[i]);
        w[i] -= v[i];
      }
    }
    write_half(s, p);
  });
}

template <class T>
void ema_step(const EmaStep<T>& a) {
  const T decay = a.live != nullptr ? static_cast<T>(a.live->decay) : a.decay;
  const T rest = static_cast<T>(1 - static_cast<double>(decay));
  for_each_piece(cut(a.weights.size(), [&](size_t s) { return a.weights[s].size(); }), [&](const Piece& p, int64_t) {
    const T* __restrict w = a.weights[p.slot].data();
    T* __restrict average = a.averages[p.slot].data();
    for (int64_t i = p.begin; i < p.end; ++i) average[i] = decay * average[i] + rest * w[i];
  });
}

template <class T>
void grad_norm(const GradNorm<T>& a) {
  const std::vector<Piece> pieces = cut(a.grads.size(), [&](size_t s) { return a.grads[s].size(); });
  std::vector<double> partial(pieces.size());
  for_each_piece(pieces, [&](const Piece& p, int64_t i) {
    partial[i] = sum_of_squares(a.grads[p.slot].data() + p.begin, p.end - p.begin);
  });
  double sum = 0;
  for (double v : partial) sum += v;
  a.norm[0] = static_cast<T>(std::sqrt(sum));
  a.finite[0] = std::isfinite(sum) ? 1 : 0;  // squares of finite f32 numbers cannot overflow a double
}

template void sgd_step(const SgdStep<float>&);
template void sgd_step(const SgdStep<double>&);
template void adam_step(const AdamStep<float>&);
template void adam_step(const AdamStep<double>&);
template void lars_step(const LarsStep<float>&);
template void lars_step(const LarsStep<double>&);
template void ema_step(const EmaStep<float>&);
template void ema_step(const EmaStep<double>&);
template void grad_norm(const GradNorm<float>&);
template void grad_norm(const GradNorm<double>&);

}  // namespace kith::kernels::cpu
