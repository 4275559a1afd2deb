#include "scan/pretext/follower.h"

#include "kernels/core/check.h"
#include "nn/model/heads.h"
#include "tests/scan/stages/stages_support.h"

namespace kith {
namespace {

StateView state_of(MlpHead& head) {
  StateView view;
  head.state(view, "head.");
  return view;
}

std::vector<std::vector<float>> numbers_of(const StateView& view) {
  std::vector<std::vector<float>> all;
  for (const NamedParameter& p : view.parameters) all.push_back(p.parameter->value.to_host());
  for (const NamedBuffer& b : view.buffers) all.push_back(b.tensor->to_host());
  return all;
}

TEST(Follower, BeginsAsACopyAndTakesItsShareOfEachStep) {
  Context ctx({.threads = 1});
  MlpHead of(ctx, 3, 4, 2, 1, "of"), own(ctx, 3, 4, 2, 2, "own");
  state_of(of).buffers[0].tensor->copy_from(ctx.full({4}, 0.25f));
  EXPECT_NE(numbers_of(state_of(own)), numbers_of(state_of(of)));
  Follower follower(ctx, state_of(of), state_of(own));
  EXPECT_EQ(numbers_of(state_of(own)), numbers_of(state_of(of)));
  const std::vector<float> before = state_of(of).parameters[0].parameter->value.to_host();
  state_of(of).parameters[0].parameter->value.copy_from(ctx.full({4, 3}, 8.f));
  state_of(of).buffers[0].tensor->copy_from(ctx.full({4}, 5.f));
  follower.update(0.75f);
  const std::vector<float> after = state_of(own).parameters[0].parameter->value.to_host();
  for (size_t i = 0; i < after.size(); ++i) EXPECT_FLOAT_EQ(after[i], 0.75f * before[i] + 2.f);
  EXPECT_EQ(state_of(own).buffers[0].tensor->to_host(), std::vector<float>(4, 0.25f));  // statistics of its own passes
}

TEST(Follower, WantsOneArchitecture) {
  Context ctx({.threads = 1});
  MlpHead head(ctx, 3, 4, 2, 1, "head");
  ResNet backbone(ctx, {.width = 2, .in_channels = 1}, 1);
  StateView other;
  backbone.state(other, "backbone.");
  EXPECT_THROW(Follower(ctx, other, state_of(head)), Error);
}

}  // namespace
}  // namespace kith
