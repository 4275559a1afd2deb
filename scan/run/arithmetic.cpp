#include "scan/run/arithmetic.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

namespace kith {

TrainedIn trained_in(const std::vector<nlohmann::json>& lines) {
  std::vector<std::pair<std::string, std::vector<std::string>>> stages;  // in the order of their first lines
  std::set<std::string> all;
  for (const nlohmann::json& line : lines) {
    const auto precision = line.find("precision");
    if (precision == line.end() || !precision->is_string()) continue;
    const std::string stage = line.value("stage", ""), name = precision->get<std::string>();
    auto at = std::ranges::find(stages, stage, [](const auto& s) { return s.first; });
    if (at == stages.end()) at = stages.insert(stages.end(), {stage, {}});
    if (std::ranges::find(at->second, name) == at->second.end()) at->second.push_back(name);
    all.insert(name);
  }
  if (all.size() < 2) return {.text = all.empty() ? "" : *all.begin()};
  TrainedIn out{.several = true};
  for (const auto& [stage, names] : stages)
    out.text += fmt::format("{}{} {}", out.text.empty() ? "" : ", ", stage, fmt::join(names, " and "));
  return out;
}

}  // namespace kith
