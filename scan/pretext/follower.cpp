#include "scan/pretext/follower.h"

#include "kernels/core/check.h"
#include "kernels/elementwise.h"
#include "kernels/optim.h"
#include "scan/train/checkpoint.h"

namespace kith {
namespace {

constexpr const char* kSection = "follower";

}  // namespace

Follower::Follower(Context& ctx, StateView of, StateView own)
    : ctx_(ctx), of_(std::move(of)), own_(std::move(own)), flat_(std::in_place, ctx, own_.parameters) {
  check(of_.parameters.size() == own_.parameters.size() && of_.buffers.size() == own_.buffers.size(),
        "follower: two models of one architecture expected");
  own_.counters.clear();  // of passes: nothing reads them
  copy();
}

void Follower::copy() {
  for (size_t i = 0; i < own_.parameters.size(); ++i) {
    own_.parameters[i].parameter->value.copy_from(of_.parameters[i].parameter->value);
    sync_bf16_copy(*own_.parameters[i].parameter);
  }
  for (size_t i = 0; i < own_.buffers.size(); ++i) own_.buffers[i].tensor->copy_from(*of_.buffers[i].tensor);
}

void Follower::update(float decay) { update(decay, nullptr); }
void Follower::update(const LiveStep* live) { update(0, live); }

void Follower::update(float decay, const LiveStep* live) {
  flat_->expect_bound();
  const OpScope op(ctx_, "ema_step", kernels::ema_step_cost(static_cast<double>(flat_->count())));
  std::vector<std::span<const float>> weights;
  std::vector<std::span<float>> averages;
  for (size_t i = 0; i < own_.parameters.size(); ++i) {
    weights.push_back(of_.parameters[i].parameter->value.span());
    averages.push_back(own_.parameters[i].parameter->value.span());
  }
  kernels::ema_step({.weights = weights, .averages = averages, .decay = decay, .live = live}, ctx_.queue());
  const Tensor& copies = flat_->bf16_copies();
  if (copies.empty()) return;
  const auto count = static_cast<size_t>(copies.size());
  kernels::to_bf16({.x = flat_->values().span().first(count), .y = {static_cast<bf16*>(copies.raw()), count}},
                   ctx_.queue());
}

void Follower::save(SafeTensors& to) const { put_section(to, kSection, save_state(own_)); }

void Follower::load(const SafeTensors& from) { load_state(own_, take_section(from, kSection)); }

}  // namespace kith
