#include "nn/model/module.h"

namespace kith {

Var Conv2d::operator()(Tape& tape, Var x) { return conv2d(tape, x, tape.parameter(weight), spec); }

Var BatchNorm::operator()(Tape& tape, Var x, BatchNormOptions options, std::optional<Var> residual) {
  if (options.train && options.momentum != 0.f) ++num_batches_tracked;
  return batch_norm(tape, x, tape.parameter(weight), tape.parameter(bias), state, options, residual);
}

Var Linear::operator()(Tape& tape, Var x) { return linear(tape, x, tape.parameter(weight), tape.parameter(bias)); }

void Conv2d::list(StateView& view, const std::string& prefix) {
  view.parameters.push_back({.name = prefix + "weight", .parameter = &weight, .is_matrix = true});
}

void BatchNorm::list(StateView& view, const std::string& prefix) {
  view.parameters.push_back({.name = prefix + "weight", .parameter = &weight, .is_matrix = false});
  view.parameters.push_back({.name = prefix + "bias", .parameter = &bias, .is_matrix = false});
  view.buffers.push_back({.name = prefix + "running_mean", .tensor = &state.running_mean});
  view.buffers.push_back({.name = prefix + "running_var", .tensor = &state.running_var});
  view.counters.emplace_back(prefix + "num_batches_tracked", &num_batches_tracked);
}

void Linear::list(StateView& view, const std::string& prefix) {
  view.parameters.push_back({.name = prefix + "weight", .parameter = &weight, .is_matrix = true});
  view.parameters.push_back({.name = prefix + "bias", .parameter = &bias, .is_matrix = false});
}

}  // namespace kith
