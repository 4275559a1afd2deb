// EpochMeans: what the metrics of an epoch's steps come to. A step that changed nothing (StepMetric::skipped_if_zero) is counted,
// but is in no mean.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "scan/train/step_readback.h"

namespace kith {

class EpochMeans {
 public:
  using Diverged = std::function<void(const char* name, double value)>;  // of a value that is not finite; throws

  // Takes one step's values; gives them by name, or nothing where the step changed nothing.
  std::optional<nlohmann::json> add(std::span<const StepReadback::Name> names, std::span<const double> values,
                                    const Diverged& diverged);
  void begin();  // an epoch: forgets the steps, but not the last loss

  void into(nlohmann::json& line) const;           // the means; "skipped_batches" where there are any
  double last_loss() const { return last_loss_; }  // of the last step that changed something
  void save(nlohmann::json& state) const;          // within an epoch
  void load(const nlohmann::json& state);

 private:
  int64_t counted_ = 0, skipped_ = 0;
  std::map<std::string, double> sums_;
  double last_loss_ = 0;
};

// "loss 2.5", of each in the line but those that are for the log alone: parts of the losses beside them, and what tells how training
// goes, not where it is.
std::vector<std::string> told_means(const nlohmann::json& line);

}  // namespace kith
