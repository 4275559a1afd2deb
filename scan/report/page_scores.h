// The table of scores of a page: a row for each method.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "scan/metrics/contingency.h"

namespace kith {

using MethodScores = std::vector<std::pair<std::string, Scores>>;  // name, scores
enum class ManyToOne : uint8_t { left_out, shown };  // its column, for clusters that are more or fewer than classes

std::string score_section(const MethodScores&, ManyToOne);  // empty without a method

}  // namespace kith
