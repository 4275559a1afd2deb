// The curves of a training, from the lines of its log.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

namespace kith {

// A section with a chart of each quantity that a stage logged, over its epochs, or over its training time where lines do not say
// their epoch; empty without one. `about` is HTML.
std::string training_curves(std::span<const nlohmann::json> metrics, const std::string& about);

}  // namespace kith
