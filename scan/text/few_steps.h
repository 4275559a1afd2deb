// The warning of a training that is given too few steps: by epochs alone a few thousand images or rows get next to nothing.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace kith {

struct GivenSteps {
  std::string stage, sample;  // what is trained, and what one of its samples is called: image, row
  std::string field;          // of its epochs, as --set names it
  int64_t samples = 0, batch = 0;
  int64_t epochs = 0, steps_per_epoch = 0;
};

// One line that says how many epochs would do; none where the steps are `few` or more.
std::optional<std::string> few_steps_text(const GivenSteps&, int64_t few);

}  // namespace kith
