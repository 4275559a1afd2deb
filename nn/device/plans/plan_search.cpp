#include "nn/device/plans/plan_search.h"

#include <fmt/format.h>

#include <optional>

#include "kernels/core/check.h"

namespace kith {

PlanChoice fastest(const ConvPlanKey& key, std::span<const PlanChoice> proposed,
                   const std::function<PlanChoice(const PlanChoice&)>& attempt) {
  std::optional<PlanChoice> best;
  std::string refusal = "no engine is proposed for it on this device";
  int tried = 0;
  for (const PlanChoice& candidate : proposed) {
    if (tried == kTriedPlans) break;
    try {
      PlanChoice measured = attempt(candidate);
      ++tried;
      if (!best || measured.microseconds < best->microseconds) best = std::move(measured);
    } catch (const Error& e) {
      refusal = e.what();
    }
  }
  if (!best) throw Error(fmt::format("{}: {}", to_string(key), refusal));
  return *std::move(best);
}

}  // namespace kith
