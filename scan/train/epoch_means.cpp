#include "scan/train/epoch_means.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

namespace kith {
namespace {

constexpr auto kOfLogAlone = std::to_array<std::string_view>(
    {"cluster_entropy", "consistency", "entropy", "grad_norm", "head", "validation_consistency", "validation_entropy"});

}  // namespace

std::optional<nlohmann::json> EpochMeans::add(std::span<const StepReadback::Name> names, std::span<const double> values,
                                              const Diverged& diverged) {
  if (!std::isfinite(values[0])) diverged(names[0].name, values[0]);  // whatever a gate says
  for (size_t t = 0; t < names.size(); ++t)
    if (names[t].skipped_if_zero && values[t] == 0) {
      ++skipped_;
      return std::nullopt;
    }
  ++counted_;
  nlohmann::json line;
  for (size_t t = 0; t < names.size(); ++t) {
    if (*names[t].name == '\0') continue;
    if (!std::isfinite(values[t])) diverged(names[t].name, values[t]);
    sums_[names[t].name] += values[t];
    line[names[t].name] = values[t];
  }
  last_loss_ = values.front();
  return line;
}

void EpochMeans::begin() {
  counted_ = 0, skipped_ = 0;
  sums_.clear();
}

void EpochMeans::into(nlohmann::json& line) const {
  for (const auto& [name, sum] : sums_) line[name] = sum / static_cast<double>(counted_);
  if (skipped_ > 0) line["skipped_batches"] = skipped_;
}

void EpochMeans::save(nlohmann::json& state) const {
  state["counted"] = counted_;
  state["skipped"] = skipped_;
  state["sums"] = sums_;
  state["last_loss"] = last_loss_;
}

void EpochMeans::load(const nlohmann::json& state) {
  state.at("counted").get_to(counted_);
  state.at("skipped").get_to(skipped_);
  state.at("sums").get_to(sums_);
  state.at("last_loss").get_to(last_loss_);
}

std::vector<std::string> told_means(const nlohmann::json& line) {
  std::vector<std::string> told;
  for (const auto& [name, value] : line.items())
    if (std::ranges::find(kOfLogAlone, name) == kOfLogAlone.end())
      told.push_back(value.is_number_float() ? fmt::format("{} {:.4g}", name, value.get<double>())
                                             : fmt::format("{} {}", name, value.dump()));
  return told;
}

}  // namespace kith
