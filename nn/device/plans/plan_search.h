// The choice among what a library proposes: each proposal is tried, the fastest wins.
#pragma once
#include <functional>
#include <span>

#include "nn/device/plans/plan_store.h"

namespace kith {

inline constexpr int kTriedPlans = 10;  // the heuristics' order is rarely wrong by more

// `attempt` makes a plan and times it: it returns the choice with its workspace and microseconds, or throws Error where the
// library refuses after all. The first kTriedPlans that can be tried are; equal times go to the earlier proposal.
// Error, with the last refusal, when none can.
PlanChoice fastest(const ConvPlanKey&, std::span<const PlanChoice> proposed,
                   const std::function<PlanChoice(const PlanChoice&)>& attempt);

}  // namespace kith
