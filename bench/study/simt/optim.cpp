#include "kernels/optim.h"

#include "bench/study/simt/study.h"

namespace kith::study {
namespace {

using namespace kernels;
using test::normal, test::poison, test::Seed;

// `tensors` slots of `weights` each, with gradients, state and, with bf16, copies.
struct Model {
  std::vector<std::unique_ptr<OnDevice<float>>> memory;
  std::vector<std::unique_ptr<OnDevice<bf16>>> halves;
  std::vector<OptimSlot<float>> slots;
  double weights, copies = 0;

  explicit Model(const Sizes& s, bool bf16_copies = false) : weights(static_cast<double>(s["tensors"] * s["weights"])) {
    const auto span = [&](float scale) {
      memory.push_back(std::make_unique<OnDevice<float>>(normal(s["weights"], Seed{memory.size()}, scale)));
      return memory.back()->span();
    };
    for (int64_t i = 0; i < s["tensors"]; ++i) {
      slots.push_back({.w = span(1), .g = span(1), .m = span(0), .v = span(0), .weight_decay = 1e-4f});
      if (!bf16_copies) continue;
      halves.push_back(std::make_unique<OnDevice<bf16>>(poison<bf16>(s["weights"])));
      slots.back().bf16_copy = halves.back()->span();
    }
    if (bf16_copies) copies = weights;
  }
};

Cost run_sgd_step(const Sizes& s, Queue q) {
  const Model model(s, s["bf16"] != 0);
  sgd_step({.slots = model.slots, .lr = 0.1f, .momentum = 0.9f, .step = 2}, q);
  return sgd_step_cost(model.weights, model.copies);
}

Cost run_adam_step(const Sizes& s, Queue q) {
  const Model model(s, s["bf16"] != 0);
  adam_step({.slots = model.slots, .lr = 0.1f, .step = 2}, q);
  return adam_step_cost(model.weights, model.copies);
}

Cost run_lars_step(const Sizes& s, Queue q) {
  const Model model(s, s["bf16"] != 0);
  lars_step({.slots = model.slots, .lr = 0.1f, .momentum = 0.9f, .step = 2}, q);
  return lars_step_cost(model.weights, model.copies);
}

Cost run_ema_step(const Sizes& s, Queue q) {
  const Model model(s);
  std::vector<std::span<const float>> weights;
  std::vector<std::span<float>> averages;
  for (const OptimSlot<float>& slot : model.slots) weights.push_back(slot.w), averages.push_back(slot.m);
  ema_step({.weights = weights, .averages = averages, .decay = 0.99f}, q);
  return ema_step_cost(model.weights);
}

Cost run_grad_norm(const Sizes& s, Queue q) {
  const Model model(s);
  const OnDevice<float> norm(poison<float>(1));
  const OnDevice<int32_t> finite(poison<int32_t>(1));
  std::vector<std::span<const float>> grads;
  for (const OptimSlot<float>& slot : model.slots) grads.push_back(slot.g);
  grad_norm({.grads = grads, .norm = norm.span(), .finite = finite.span()}, q);
  return grad_norm_cost(model.weights);
}

const Sizes kTensors{{"tensors", 4}, {"weights", 16384}};
const Sizes kModel{{"tensors", 4}, {"weights", 16384}, {"bf16", 0}};
const Entries kOptimEntries{{{"sgd_step", kModel, run_sgd_step},
                             {"adam_step", kModel, run_adam_step},
                             {"lars_step", kModel, run_lars_step},
                             {"ema_step", kTensors, run_ema_step},
                             {"grad_norm", kTensors, run_grad_norm}}};

}  // namespace
}  // namespace kith::study
