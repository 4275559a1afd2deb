#include "kernels/batch_norm.h"
#include "kernels/optim.h"
#include "tests/simt/study/study.h"

namespace kith::study {
namespace {

using namespace kernels;
using test::normal, test::normal_rows, test::OnDevice, test::poison, test::Seed;

std::vector<float> filled(int64_t count, float value) { return std::vector<float>(static_cast<size_t>(count), value); }

Cost run_batch_norm_forward(const Sizes& s, Queue q) {
  const int64_t rows = s["rows"], channels = s["channels"];
  const bool residual = s["residual"] != 0;
  const OnDevice<float> x(normal_rows(rows, channels, Seed{1})), r(normal_rows(rows, channels, Seed{2})),
      gamma(filled(channels, 1.f)), beta(filled(channels, 0.f)), running_mean(filled(channels, 0.f)),
      running_var(filled(channels, 1.f)), mean(poison<float>(channels)), invstd(poison<float>(channels)),
      y(poison<float>(rows * channels));
  batch_norm_forward({.x = x.matrix(),
                      .gamma = gamma.span(),
                      .beta = beta.span(),
                      .residual = residual ? r.data() : nullptr,
                      .relu = true,
                      .running_mean = running_mean.span(),
                      .running_var = running_var.span(),
                      .mean = mean.span(),
                      .invstd = invstd.span(),
                      .y = {y.data(), rows, channels}},
                     q);
  return batch_norm_forward_cost(static_cast<double>(rows), static_cast<double>(channels), residual);
}

Cost run_batch_norm_backward(const Sizes& s, Queue q) {
  const int64_t rows = s["rows"], channels = s["channels"];
  const bool residual = s["residual"] != 0;
  const OnDevice<float> x(normal_rows(rows, channels, Seed{1})), y(normal_rows(rows, channels, Seed{2})),
      dy(normal_rows(rows, channels, Seed{3})), gamma(filled(channels, 1.f)), mean(filled(channels, 0.f)),
      invstd(filled(channels, 1.f)), dgamma(poison<float>(channels)), dbeta(poison<float>(channels)),
      dx(poison<float>(rows * channels)), dresidual(poison<float>(rows * channels));
  batch_norm_backward({.x = x.matrix(),
                       .y = y.matrix(),
                       .dy = dy.matrix(),
                       .gamma = gamma.span(),
                       .mean = mean.span(),
                       .invstd = invstd.span(),
                       .relu = true,
                       .dgamma = dgamma.span(),
                       .dbeta = dbeta.span(),
                       .dx = {dx.data(), rows, channels},
                       .dresidual = residual ? dresidual.data() : nullptr},
                      q);
  return batch_norm_backward_cost(static_cast<double>(rows), static_cast<double>(channels), residual);
}

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
      slots.back().half = halves.back()->span();
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

}  // namespace

std::vector<Study> dense_studies() {
  const Sizes images{{"rows", 1024}, {"channels", 64}, {"residual", 0}}, tensors{{"tensors", 4}, {"weights", 16384}},
      model{{"tensors", 4}, {"weights", 16384}, {"bf16", 0}};
  return {{"batch_norm_forward", images, run_batch_norm_forward},
          {"batch_norm_backward", images, run_batch_norm_backward},
          {"sgd_step", model, run_sgd_step},
          {"adam_step", model, run_adam_step},
          {"lars_step", model, run_lars_step},
          {"ema_step", tensors, run_ema_step},
          {"grad_norm", tensors, run_grad_norm}};
}

}  // namespace kith::study
