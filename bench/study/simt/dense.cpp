#include "bench/study/simt/study.h"
#include "kernels/batch_norm.h"
#include "kernels/optim.h"

namespace kith::study {
namespace {

using namespace kernels;
using test::normal, test::normal_rows, test::OnDevice, test::poison, test::Seed;

std::vector<float> filled(int64_t count, float value) { return std::vector<float>(static_cast<size_t>(count), value); }

// Activations of type A; with a mask, backward reads it in place of y.
template <class A>
Cost run_batch_norm_forward(const Sizes& s, Queue q) {
  const int64_t rows = s["rows"], channels = s["channels"];
  const bool residual = s["residual"] != 0, masked = s["mask"] != 0;
  const std::vector<A> zeros(static_cast<size_t>(rows * channels));
  const OnDevice<A> x(zeros), r(zeros), y(poison<A>(rows * channels));
  const OnDevice<float> gamma(filled(channels, 1.f)), beta(filled(channels, 0.f)), running_mean(filled(channels, 0.f)),
      running_var(filled(channels, 1.f)), mean(poison<float>(channels)), invstd(poison<float>(channels));
  const OnDevice<uint32_t> mask(poison<uint32_t>(masked ? batch_norm_mask_words(rows, channels) : 0));
  batch_norm_forward(BatchNormForward<float, A>{.x = {x.data(), rows, channels},
                                                .gamma = gamma.span(),
                                                .beta = beta.span(),
                                                .residual = residual ? r.data() : nullptr,
                                                .relu = true,
                                                .running_mean = running_mean.span(),
                                                .running_var = running_var.span(),
                                                .mean = mean.span(),
                                                .invstd = invstd.span(),
                                                .y = {y.data(), rows, channels},
                                                .mask = mask.span()},
                     q);
  return batch_norm_forward_cost(static_cast<double>(rows), static_cast<double>(channels), residual, sizeof(A),
                                 masked ? BatchNormSign::from_mask : BatchNormSign::from_y);
}

template <class A>
Cost run_batch_norm_backward(const Sizes& s, Queue q) {
  const int64_t rows = s["rows"], channels = s["channels"];
  const bool residual = s["residual"] != 0, masked = s["mask"] != 0;
  const std::vector<A> zeros(static_cast<size_t>(rows * channels));
  const OnDevice<A> x(zeros), y(zeros), dy(zeros), dx(poison<A>(rows * channels)),
      dresidual(poison<A>(rows * channels));
  const OnDevice<float> gamma(filled(channels, 1.f)), mean(filled(channels, 0.f)), invstd(filled(channels, 1.f)),
      dgamma(poison<float>(channels)), dbeta(poison<float>(channels));
  const OnDevice<uint32_t> mask(std::vector<uint32_t>(masked ? batch_norm_mask_words(rows, channels) : 0));
  batch_norm_backward(BatchNormBackward<float, A>{.x = {x.data(), rows, channels},
                                                  .y = {y.data(), rows, channels},
                                                  .dy = {dy.data(), rows, channels},
                                                  .gamma = gamma.span(),
                                                  .mean = mean.span(),
                                                  .invstd = invstd.span(),
                                                  .relu = true,
                                                  .dgamma = dgamma.span(),
                                                  .dbeta = dbeta.span(),
                                                  .dx = {dx.data(), rows, channels},
                                                  .dresidual = residual ? dresidual.data() : nullptr,
                                                  .mask = mask.span()},
                      q);
  return batch_norm_backward_cost(static_cast<double>(rows), static_cast<double>(channels), residual,
                                  masked ? BatchNormSign::from_mask : BatchNormSign::from_y, sizeof(A));
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

}  // namespace

std::vector<Study> dense_studies() {
  const Sizes images{{"rows", 1024}, {"channels", 64}, {"residual", 0}, {"mask", 0}, {"bf16", 0}},
      tensors{{"tensors", 4}, {"weights", 16384}}, model{{"tensors", 4}, {"weights", 16384}, {"bf16", 0}};
  return {{"batch_norm_forward", images,
           [](const Sizes& s, Queue q) {
             return s["bf16"] != 0 ? run_batch_norm_forward<bf16>(s, q) : run_batch_norm_forward<float>(s, q);
           }},
          {"batch_norm_backward", images,
           [](const Sizes& s, Queue q) {
             return s["bf16"] != 0 ? run_batch_norm_backward<bf16>(s, q) : run_batch_norm_backward<float>(s, q);
           }},
          {"sgd_step", model, run_sgd_step},
          {"adam_step", model, run_adam_step},
          {"lars_step", model, run_lars_step},
          {"ema_step", tensors, run_ema_step},
          {"grad_norm", tensors, run_grad_norm}};
}

}  // namespace kith::study
