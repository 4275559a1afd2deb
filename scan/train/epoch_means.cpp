#include "scan/train/epoch_means.h"

#include <cmath>

namespace kith {

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

}  // namespace kith
