#include "nn/model/ema.h"

#include "kernels/optim.h"
#include "nn/state/state.h"

namespace kith {

Ema::Ema(Context& ctx, const FlatParameters& flat, float decay)
    : ctx_(ctx), flat_(flat), decay_(decay), averages_(ctx.empty(flat.values().shape())) {
  averages_.copy_from(flat_.values());
}

void Ema::update() {
  flat_.expect_bound();
  const std::span<const float> weights = flat_.values().span();
  const std::span<float> averages = averages_.span();
  const OpScope op(ctx_, "ema_step", kernels::ema_step_cost(static_cast<double>(flat_.count())));
  kernels::ema_step({.weights = {&weights, 1}, .averages = {&averages, 1}, .decay = decay_}, ctx_.queue());
}

void Ema::swap() {
  flat_.expect_bound();
  const Tensor live = ctx_.empty(averages_.shape());
  live.copy_from(flat_.values());
  flat_.values().copy_from(averages_);
  averages_.copy_from(live);
  for (const FlatParameters::Entry& e : flat_.entries()) sync_bf16_copy(e.parameter());
}

void Ema::save(SafeTensors& file, const std::string& prefix) const {
  for (const FlatParameters::Entry& e : flat_.entries())
    file.arrays[prefix + e.named.name] = to_array(flat_.part(averages_, e));
}

void Ema::load(const SafeTensors& file, const std::string& prefix) {
  StrictReader reader(file, "moving average");
  std::vector<std::pair<const HostArray*, Tensor>> tensors;
  for (const FlatParameters::Entry& e : flat_.entries()) {
    const Tensor average = flat_.part(averages_, e);
    tensors.emplace_back(reader.expect(prefix + e.named.name, "F32", average.shape()), average);
  }
  reader.finish(prefix);
  for (const auto& [array, tensor] : tensors) from_array(*array, tensor);
}

}  // namespace kith
