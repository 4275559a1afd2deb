#include "nn/model/optimizer.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <utility>

#include "kernels/core/check.h"
#include "kernels/optim.h"
#include "nn/device/ranks/collective.h"
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
const OptimizerConfig& in_range(const OptimizerConfig& c) {
  const auto expect = [](const char* name, float x, bool inside, const char* range) {
    if (!inside) throw Error(fmt::format("optimizer.{}: expected {}; found {}", name, range, x));
  };
  for (const auto& [name, x] : {std::pair{"momentum", c.momentum}, {"beta1", c.beta1}, {"beta2", c.beta2}})
    expect(name, x, x >= 0 && x < 1, "a number in [0, 1)");
  for (const auto& [name, x] : {std::pair{"eps", c.eps}, {"trust", c.trust}})
    expect(name, x, x > 0 && std::isfinite(x), "a positive number");
  expect("weight_decay", c.weight_decay, c.weight_decay >= 0 && std::isfinite(c.weight_decay), "a number, at least 0");
  return c;
}

}  // namespace

Optimizer::Optimizer(Context& ctx, const std::vector<NamedParameter>& parameters, const OptimizerConfig& config)
    : ctx_(ctx),
      config_(in_range(config)),
      flat_(ctx, parameters),
      m_(ctx.zeros(flat_.values().shape())),
      skipped_(ctx, 1) {
  skipped_.zero();
  if (two_moments()) v_ = ctx.zeros(flat_.values().shape());
}

bool Optimizer::two_moments() const {
  return config_.kind == OptimizerKind::adam || config_.kind == OptimizerKind::adamw;
}

bool Optimizer::has_gradient(const Parameter& p) { return p.trainable && !p.fresh; }

void Optimizer::zero_grad() {
  for (const FlatParameters::Entry& e : flat_.entries()) e.parameter().fresh = true;
  reduced_ = false;
}

void Optimizer::reduce() {
  flat_.expect_bound();
  if (!std::exchange(reduced_, true)) ctx_.collective().all_reduce(flat_.grads().span(), ctx_.queue());
}

void Optimizer::step(float lr) {
  if (live_.empty()) live_ = Array<LiveStep>(ctx_, 1);
  const LiveStep now{.lr = lr, .epoch = 0, .step = steps_ + 1};
  live_.copy_from({&now, 1});
  step(live_.data());
  count_step();
}

void Optimizer::step(const LiveStep* live, const int32_t* allowed) {
  reduce();
  const std::vector<kernels::OptimSlot<float>> slots = this->slots();
  const OpScope op(ctx_, step_name(config_.kind), step_cost());
  // A step number past 1 makes the kernel read its state; a parameter that joins later starts from zeros.
  const OptimizerConfig& c = config_;
  int64_t* skipped = allowed != nullptr ? skipped_.data() : nullptr;
  switch (c.kind) {
    case OptimizerKind::sgd:
      return kernels::sgd_step({.slots = slots,
                                .momentum = c.momentum,
                                .nesterov = c.nesterov,
                                .live = live,
                                .finite = allowed,
                                .skipped = skipped},
                               ctx_.queue());
    case OptimizerKind::adam:
    case OptimizerKind::adamw:
      return kernels::adam_step({.slots = slots,
                                 .beta1 = c.beta1,
                                 .beta2 = c.beta2,
                                 .eps = c.eps,
                                 .decoupled = c.kind == OptimizerKind::adamw,
                                 .live = live,
                                 .finite = allowed,
                                 .skipped = skipped},
                                ctx_.queue());
    case OptimizerKind::lars:
      return kernels::lars_step({.slots = slots,
                                 .momentum = c.momentum,
                                 .trust = c.trust,
                                 .live = live,
                                 .finite = allowed,
                                 .skipped = skipped},
                                ctx_.queue());
  }
}

// Neighbours in memory that are treated alike are one slot: with one weight decay for all of them the whole buffer. LARS
// needs the norms of each matrix.
std::vector<kernels::OptimSlot<float>> Optimizer::slots() const {
  struct Run {
    int64_t begin, end;
    float decay;
    bool adapt, copied;
    bool joins(const Run& next) const { return !adapt && !next.adapt && decay == next.decay && copied == next.copied; }
  };
  std::vector<Run> runs;
  bool adjacent = false;  // the parameter before, in memory, has a gradient too
  for (const size_t i : flat_.memory_order()) {
    const FlatParameters::Entry& e = flat_.entries()[i];
    const bool matrix = e.named.is_matrix;
    const Run run{.begin = e.offset,
                  .end = e.end(),
                  .decay = matrix || config_.decay_all ? config_.weight_decay : 0.f,
                  .adapt = config_.kind == OptimizerKind::lars && matrix,
                  .copied = !e.parameter().bf16_copy.empty()};
    if (!has_gradient(e.parameter()))
      adjacent = false;
    else if (adjacent && runs.back().joins(run))
      runs.back().end = run.end;
    else
      runs.push_back(run), adjacent = true;
  }
  const auto part = [](const Tensor& t, const Run& r) {
    return t.empty() ? std::span<float>() : t.span().subspan(r.begin, r.end - r.begin);
  };
  std::vector<kernels::OptimSlot<float>> slots;
  for (const Run& r : runs) {
    auto* copies = static_cast<bf16*>(flat_.bf16_copies().raw());
    slots.push_back({.w = part(flat_.values(), r),
                     .g = part(flat_.grads(), r),
                     .m = part(m_, r),
                     .v = part(v_, r),
                     .bf16_copy = r.copied ? std::span(copies + r.begin, copies + r.end) : std::span<bf16>(),
                     .weight_decay = r.decay,
                     .adapt = r.adapt});
  }
  return slots;
}

Cost Optimizer::step_cost() const {
  double weights = 0, halves = 0;
  for (const FlatParameters::Entry& e : flat_.entries()) {
    if (!has_gradient(e.parameter())) continue;
    weights += static_cast<double>(e.size);
    halves += static_cast<double>(e.parameter().bf16_copy.size());
  }
  if (two_moments()) return kernels::adam_step_cost(weights, halves);
  return config_.kind == OptimizerKind::sgd ? kernels::sgd_step_cost(weights, halves)
                                            : kernels::lars_step_cost(weights, halves);
}

Optimizer::Gradients Optimizer::gradients() {
  reduce();
  // Neighbours in memory are one span, with the zeros between them: the whole buffer where every parameter has a gradient.
  std::vector<std::span<const float>> grads;
  double count = 0;
  bool adjacent = false;
  for (const size_t i : flat_.memory_order()) {
    const FlatParameters::Entry& e = flat_.entries()[i];
    if (!has_gradient(e.parameter())) {
      adjacent = false;
      continue;
    }
    count += static_cast<double>(e.size);
    const float* first = adjacent ? grads.back().data() : flat_.grads().data() + e.offset;
    if (adjacent) grads.pop_back();
    grads.emplace_back(first, flat_.grads().data() + e.end());
    adjacent = true;
  }
  const OpScope op(ctx_, "grad_norm", kernels::grad_norm_cost(count));
  Gradients out{.norm = ctx_.empty({}), .finite = {ctx_, 1}};
  kernels::grad_norm({.grads = grads, .norm = out.norm.span(), .finite = out.finite.span()}, ctx_.queue());
  return out;
}

void Optimizer::save(SafeTensors& file, const std::string& prefix) const {
  for (const FlatParameters::Entry& e : flat_.entries()) {
    file.arrays[prefix + e.named.name + ".m"] = to_array(flat_.part(m_, e));
    if (two_moments()) file.arrays[prefix + e.named.name + ".v"] = to_array(flat_.part(v_, e));
  }
  file.metadata[prefix + "optimizer.steps"] = std::to_string(steps_ - skipped_.to_host()[0]);
}

void Optimizer::load(const SafeTensors& file, const std::string& prefix) {
  StrictReader reader(file, "optimiser state");
  std::vector<std::pair<const HostArray*, Tensor>> tensors;
  const auto expect = [&](const std::string& name, const Tensor& to) {
    tensors.emplace_back(reader.expect(name, "F32", to.shape()), to);
  };
  for (const FlatParameters::Entry& e : flat_.entries()) {
    expect(prefix + e.named.name + ".m", flat_.part(m_, e));
    if (two_moments()) expect(prefix + e.named.name + ".v", flat_.part(v_, e));
  }
  reader.finish(prefix);
  const auto it = file.metadata.find(prefix + "optimizer.steps");
  check(it != file.metadata.end(), "optimiser state: metadata " + prefix + "optimizer.steps is missing");
  int64_t steps = -1;
  const std::string& text = it->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), steps);
  check(error == std::errc() && end == text.data() + text.size() && steps >= 0,
        fmt::format("optimiser state: {}optimizer.steps is \"{}\"", prefix, text));
  for (const auto& [array, tensor] : tensors) from_array(*array, tensor);
  steps_ = steps;
  skipped_.zero();
}

}  // namespace kith
