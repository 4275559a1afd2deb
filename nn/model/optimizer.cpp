#include "nn/model/optimizer.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "kernels/core/check.h"
#include "kernels/optim.h"
#include "nn/state/state.h"

namespace kith {
namespace {

const char* step_name(OptimizerKind kind) {
  switch (kind) {
    case OptimizerKind::sgd:
      return "sgd_step";
    case OptimizerKind::lars:
      return "lars_step";
    default:
      return "adam_step";
  }
}

// Before the first step: the kernels would say it there, of those that they read.
void expect_ranges(const OptimizerConfig& c) {
  const auto expect = [](const char* name, float x, bool inside, const char* range) {
    if (!inside) throw Error(fmt::format("optimizer.{}: expected {}; found {}", name, range, x));
  };
  for (const auto& [name, x] : {std::pair{"momentum", c.momentum}, {"beta1", c.beta1}, {"beta2", c.beta2}})
    expect(name, x, x >= 0 && x < 1, "a number in [0, 1)");
  for (const auto& [name, x] : {std::pair{"eps", c.eps}, {"trust", c.trust}})
    expect(name, x, x > 0 && std::isfinite(x), "a positive number");
  expect("weight_decay", c.weight_decay, c.weight_decay >= 0 && std::isfinite(c.weight_decay), "a number, at least 0");
}

}  // namespace

Optimizer::Optimizer(Context& ctx, std::vector<NamedParameter> parameters, const OptimizerConfig& config)
    : ctx_(ctx), parameters_(std::move(parameters)), config_(config) {
  expect_ranges(config);
  for (const NamedParameter& p : parameters_) {
    m_.push_back(ctx.zeros(p.parameter->value.shape()));
    v_.push_back(two_moments() ? ctx.zeros(p.parameter->value.shape()) : Tensor());
  }
}

bool Optimizer::two_moments() const {
  return config_.kind == OptimizerKind::adam || config_.kind == OptimizerKind::adamw;
}

void Optimizer::zero_grad() {
  for (const NamedParameter& p : parameters_) p.parameter->fresh = true;
}

void Optimizer::step(float lr) {
  if (live_.empty()) live_ = Array<LiveStep>(ctx_, 1);
  const LiveStep now{.lr = lr, .epoch = 0, .step = steps_ + 1};
  live_.copy_from({&now, 1});
  step(live_.data());
  count_step();
}

void Optimizer::step(const LiveStep* live, const int32_t* allowed) {
  std::vector<kernels::OptimSlot<float>> slots;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const NamedParameter& p = parameters_[i];
    if (!has_gradient(*p.parameter)) continue;
    const Tensor& bf16_copy = p.parameter->bf16_copy;
    slots.push_back({.w = p.parameter->value.span(),
                     .g = p.parameter->grad.span(),
                     .m = m_[i].span(),
                     .v = v_[i].span(),
                     .bf16_copy = {static_cast<bf16*>(bf16_copy.raw()), static_cast<size_t>(bf16_copy.size())},
                     .weight_decay = p.is_matrix || config_.decay_all ? config_.weight_decay : 0.f,
                     .adapt = p.is_matrix});
  }
  const OpScope op(ctx_, step_name(config_.kind), step_cost(slots));
  // A step number past 1 makes the kernel read its state; a parameter that joins later starts from zeros.
  const OptimizerConfig& c = config_;
  switch (c.kind) {
    case OptimizerKind::sgd:
      return kernels::sgd_step(
          {.slots = slots, .momentum = c.momentum, .nesterov = c.nesterov, .live = live, .finite = allowed},
          ctx_.queue());
    case OptimizerKind::adam:
    case OptimizerKind::adamw:
      return kernels::adam_step({.slots = slots,
                                 .beta1 = c.beta1,
                                 .beta2 = c.beta2,
                                 .eps = c.eps,
                                 .decoupled = c.kind == OptimizerKind::adamw,
                                 .live = live,
                                 .finite = allowed},
                                ctx_.queue());
    case OptimizerKind::lars:
      return kernels::lars_step(
          {.slots = slots, .momentum = c.momentum, .trust = c.trust, .live = live, .finite = allowed}, ctx_.queue());
  }
}

Cost Optimizer::step_cost(std::span<const kernels::OptimSlot<float>> slots) const {
  double weights = 0, halves = 0;
  for (const auto& slot : slots) {
    weights += static_cast<double>(slot.w.size());
    halves += static_cast<double>(slot.bf16_copy.size());
  }
  if (two_moments()) return kernels::adam_step_cost(weights, halves);
  return config_.kind == OptimizerKind::sgd ? kernels::sgd_step_cost(weights, halves)
                                            : kernels::lars_step_cost(weights, halves);
}

bool Optimizer::has_gradient(const Parameter& p) { return p.trainable && !p.grad.empty() && !p.fresh; }

Optimizer::Gradients Optimizer::gradients() const {
  std::vector<std::span<const float>> grads;
  double count = 0;
  for (const NamedParameter& p : parameters_)
    if (has_gradient(*p.parameter)) {
      grads.push_back(p.parameter->grad.span());
      count += static_cast<double>(grads.back().size());
    }
  const OpScope op(ctx_, "grad_norm", kernels::grad_norm_cost(count));
  Gradients out{.norm = ctx_.empty({}), .finite = {ctx_, 1}};
  kernels::grad_norm({.grads = grads, .norm = out.norm.span(), .finite = out.finite.span()}, ctx_.queue());
  return out;
}

void Optimizer::save(SafeTensors& file, const std::string& prefix) const {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    file.arrays[prefix + parameters_[i].name + ".m"] = to_array(m_[i]);
    if (two_moments()) file.arrays[prefix + parameters_[i].name + ".v"] = to_array(v_[i]);
  }
  file.metadata[prefix + "optimizer.steps"] = std::to_string(steps_);
}

void Optimizer::load(const SafeTensors& file, const std::string& prefix) {
  StrictReader reader(file, "optimiser state");
  std::vector<std::pair<const HostArray*, const Tensor*>> tensors;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const std::string name = prefix + parameters_[i].name;
    tensors.emplace_back(reader.expect(name + ".m", "F32", m_[i].shape()), &m_[i]);
    if (two_moments()) tensors.emplace_back(reader.expect(name + ".v", "F32", v_[i].shape()), &v_[i]);
  }
  reader.finish(prefix);
  const auto it = file.metadata.find(prefix + "optimizer.steps");
  check(it != file.metadata.end(), "optimiser state: metadata " + prefix + "optimizer.steps is missing");
  int64_t steps = -1;
  const std::string& text = it->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), steps);
  check(error == std::errc() && end == text.data() + text.size() && steps >= 0,
        fmt::format("optimiser state: {}optimizer.steps is \"{}\"", prefix, text));
  for (const auto& [array, tensor] : tensors) from_array(*array, *tensor);
  steps_ = steps;
}

}  // namespace kith
