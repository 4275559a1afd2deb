// Learning-rate schedules.
#pragma once
#include <cstdint>
#include <vector>

namespace kith {

// lr as a function of progress, in epochs (fractional epochs for per-step schedules).
enum class ScheduleKind : uint8_t { constant, cosine, step, part_cosine };
struct ScheduleConfig {
  ScheduleKind kind = ScheduleKind::constant;
  double lr = 0.1;
  double final_ratio = 1e-3;  // cosine ends at lr * final_ratio; part_cosine is lr cos(7 pi / 16 progress), FixMatch's
  double warmup_epochs = 0;   // linear; the first step (or epoch) already has its share, so lr is never 0
  bool per_step = false;      // false: the value changes at epoch boundaries only, as the authors' code
  std::vector<double> milestones;  // step: epochs
  double gamma = 0.1;              // step: factor
};
// epoch + step / steps_per_epoch of total epochs.
double learning_rate(const ScheduleConfig&, int64_t epoch, int64_t step, int64_t steps_per_epoch, int64_t epochs);

}  // namespace kith
