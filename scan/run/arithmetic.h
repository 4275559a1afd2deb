// The arithmetic that a run was trained in, by the lines of its log.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace kith {

// "bf16", or, of a run that was continued in another, "pretext f32, cluster f32 and bf16, selflabel bf16". `several`: whether it is
// so. Empty where no line says.
struct TrainedIn {
  std::string text = {};
  bool several = false;
};
TrainedIn trained_in(const std::vector<nlohmann::json>& lines);

}  // namespace kith
