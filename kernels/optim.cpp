#include "kernels/optim.h"

#include <fmt/format.h>

#include "kernels/core/check.h"

namespace kith::kernels {
namespace {

void expect(bool ok, std::string_view entry, size_t slot, std::string_view what, size_t expected, size_t found) {
  if (ok) return;
  throw Error(fmt::format("{}: slot {}: {} has {} elements, expected {}", entry, slot, what, found, expected));
}

void check_slots(std::span<const OptimSlot<float>> slots, std::string_view entry, bool need_m, bool need_v) {
  for (size_t i = 0; i < slots.size(); ++i) {
    const OptimSlot<float>& s = slots[i];
    const size_t n = s.w.size();
    expect(s.g.size() == n, entry, i, "g", n, s.g.size());
    expect(s.bf16_copy.empty() || s.bf16_copy.size() == n, entry, i, "bf16_copy", n, s.bf16_copy.size());
    if (need_m) expect(s.m.size() == n, entry, i, "m", n, s.m.size());
    if (need_v) expect(s.v.size() == n, entry, i, "v", n, s.v.size());
  }
}

// A live count on a device is not the host's to read.
template <class Step>
void check_count(const Step& a, Queue q, std::string_view entry) {
  check((a.finite == nullptr) == (a.skipped == nullptr),
        fmt::format("{}: finite and skipped are given both or neither", entry));
  if (a.live != nullptr && q.device != Device::cpu) return;
  const int64_t step = a.live != nullptr ? a.live->step : a.step;
  if (step < 1) throw Error(fmt::format("{}: steps count from 1, found {}", entry, step));
}

}  // namespace

void sgd_step(const SgdStep<float>& a, Queue q) {
  check_count(a, q, "sgd_step");
  check_slots(a.slots, "sgd_step", a.momentum != 0, false);
  if (q.device == Device::cuda) return cuda::sgd_step(a, q);
  cpu::sgd_step(a);
}

void adam_step(const AdamStep<float>& a, Queue q) {
  check_count(a, q, "adam_step");
  check_slots(a.slots, "adam_step", true, true);
  check(a.beta1 >= 0 && a.beta1 < 1 && a.beta2 >= 0 && a.beta2 < 1,
        fmt::format("adam_step: betas {} and {} must lie in [0, 1)", a.beta1, a.beta2));
  if (q.device == Device::cuda) return cuda::adam_step(a, q);
  cpu::adam_step(a);
}

void lars_step(const LarsStep<float>& a, Queue q) {
  check_count(a, q, "lars_step");
  check_slots(a.slots, "lars_step", a.momentum != 0, false);
  if (q.device == Device::cuda) return cuda::lars_step(a, q);
  cpu::lars_step(a);
}

void ema_step(const EmaStep<float>& a, Queue q) {
  check(a.weights.size() == a.averages.size(),
        fmt::format("ema_step: {} averages for {} weights", a.averages.size(), a.weights.size()));
  for (size_t i = 0; i < a.weights.size(); ++i)
    expect(a.averages[i].size() == a.weights[i].size(), "ema_step", i, "average", a.weights[i].size(),
           a.averages[i].size());
  if (q.device == Device::cuda) return cuda::ema_step(a, q);
  cpu::ema_step(a);
}

void grad_norm(const GradNorm<float>& a, Queue q) {
  check(a.norm.size() == 1 && a.finite.size() == 1,
        fmt::format("grad_norm: norm and finite have {} and {} elements, expected 1", a.norm.size(), a.finite.size()));
  if (q.device == Device::cuda) return cuda::grad_norm(a, q);
  cpu::grad_norm(a);
}

}  // namespace kith::kernels
