// What stands beside a clustering of rows, to compare it with: k-means on the same rows, and with labels chance.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "scan/features/run.h"

namespace kith {

struct BesideRows {
  std::string name;
  std::vector<int32_t> assignments;  // of all rows
  bool by_chance = false;            // looked at nothing
};

// k-means (three seedings) on the rows as the method saw them, those of several spaces side by side, less their mean; then the
// clusters of the method with its rows in an order drawn at random. No k-means where it is the method itself, or where the rows
// take more than FeatureRows::kResidentBytes.
std::vector<BesideRows> beside_rows(const RowRun&, std::span<const int32_t> assignments);

}  // namespace kith
