#include "nn/model/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/core/check.h"

namespace kith {

double learning_rate(const ScheduleConfig& c, int64_t epoch, int64_t step, int64_t steps_per_epoch, int64_t epochs) {
  check(epoch >= 0 && step >= 0 && steps_per_epoch >= 1 && step < steps_per_epoch,
        fmt::format("learning rate at epoch {}, step {} of {}", epoch, step, steps_per_epoch));
  const double t = static_cast<double>(epoch) +
                   (c.per_step ? static_cast<double>(step) / static_cast<double>(steps_per_epoch) : 0.0);
  if (t < c.warmup_epochs) {
    const double unit = c.per_step ? 1.0 / static_cast<double>(steps_per_epoch) : 1.0;
    return c.lr * std::min(1.0, (t + unit) / c.warmup_epochs);
  }
  const double length = static_cast<double>(epochs) - c.warmup_epochs;
  const double progress = length > 0 ? std::min(1.0, (t - c.warmup_epochs) / length) : 1.0;
  switch (c.kind) {
    case ScheduleKind::constant:
      return c.lr;
    case ScheduleKind::part_cosine:
      return c.lr * std::cos(7 * std::numbers::pi / 16 * progress);
    case ScheduleKind::cosine: {
      const double end = c.lr * c.final_ratio;
      return end + (c.lr - end) * (1 + std::cos(std::numbers::pi * progress)) / 2;
    }
    case ScheduleKind::step: {
      const auto passed = std::ranges::count_if(c.milestones, [t](double m) { return t >= m; });
      return c.lr * std::pow(c.gamma, static_cast<double>(passed));
    }
  }
  throw Error("learning rate: unknown schedule");
}

}  // namespace kith
