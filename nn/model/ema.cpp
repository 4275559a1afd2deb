#include "kernels/optim.h"
#include "nn/model/optimizer.h"
#include "nn/state/state.h"

namespace kith {

Ema::Ema(Context& ctx, const StateView& view, float decay) : ctx_(ctx), view_(view), decay_(decay) {
  for (const NamedParameter& p : view_.parameters) {
    averages_.push_back(ctx.empty(p.parameter->value.shape()));
    averages_.back().copy_from(p.parameter->value);
  }
}

void Ema::update() {
  std::vector<std::span<const float>> weights;
  std::vector<std::span<float>> averages;
  double count = 0;
  for (size_t i = 0; i < averages_.size(); ++i) {
    weights.push_back(view_.parameters[i].parameter->value.span());
    averages.push_back(averages_[i].span());
    count += static_cast<double>(averages_[i].size());
  }
  const OpScope op(ctx_, "ema_step", kernels::ema_step_cost(count));
  kernels::ema_step({.weights = weights, .averages = averages, .decay = decay_}, ctx_.queue());
}

void Ema::swap() {
  for (size_t i = 0; i < averages_.size(); ++i) {
    std::swap(view_.parameters[i].parameter->value, averages_[i]);
    sync_bf16_copy(*view_.parameters[i].parameter);
  }
}

void Ema::save(SafeTensors& file, const std::string& prefix) const {
  for (size_t i = 0; i < averages_.size(); ++i) file.arrays[prefix + view_.parameters[i].name] = to_array(averages_[i]);
}

void Ema::load(const SafeTensors& file, const std::string& prefix) {
  StrictReader reader(file, "moving average");
  std::vector<const HostArray*> arrays;
  for (size_t i = 0; i < averages_.size(); ++i)
    arrays.push_back(reader.expect(prefix + view_.parameters[i].name, "F32", averages_[i].shape()));
  reader.finish(prefix);
  for (size_t i = 0; i < averages_.size(); ++i) from_array(*arrays[i], averages_[i]);
}

}  // namespace kith
