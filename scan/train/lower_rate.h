// What is advised where a training diverged: a lower learning rate.
#pragma once
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "scan/config/config.h"

namespace kith {

// "; try a lower learning rate, --set STAGE.schedule.lr=0.0005": a quarter of the one that it had, but no more than what presets have
// for such an optimiser, of which 1e30 has no quarter worth a try. Empty where it is so low that it is not to blame.
inline std::string lower_rate_hint(const std::string& stage, const TrainConfig& t) {
  constexpr double kLowest = 1e-6, kMostOfAdam = 2e-3, kMost = 1;
  const bool adam = t.optimizer.kind == OptimizerKind::adam || t.optimizer.kind == OptimizerKind::adamw;
  const double rate = std::min(t.schedule.lr / 4, adam ? kMostOfAdam : kMost);
  return rate < kLowest ? "" : fmt::format("; try a lower learning rate, --set {}.schedule.lr={:.2g}", stage, rate);
}

}  // namespace kith
