#include "scan/text/few_steps.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/formats/counted.h"

namespace kith {

std::optional<std::string> few_steps_text(const GivenSteps& g, int64_t few) {
  const int64_t each = std::max<int64_t>(g.steps_per_epoch, 1), steps = g.epochs * each;
  if (steps >= few) return {};
  return fmt::format("{}: {} of {} are {} of {}, and it wants {} or more: --set {}={}, or a smaller batch", g.stage,
                     data::counted(g.epochs, "epoch"), data::counted(g.samples, g.sample), data::counted(steps, "step"),
                     std::min(g.batch, g.samples), few, g.field, (few + each - 1) / each);
}

}  // namespace kith
