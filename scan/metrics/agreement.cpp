#include "scan/metrics/agreement.h"

#include "scan/metrics/contingency.h"
#include "scan/metrics/information.h"

namespace kith {

std::optional<double> mean_pairwise_nmi(const std::vector<std::vector<int32_t>>& answers) {
  if (answers.size() < 2) return std::nullopt;
  double sum = 0, pairs = 0;
  for (size_t i = 0; i < answers.size(); ++i)
    for (size_t j = i + 1; j < answers.size(); ++j, ++pairs)
      sum += normalized_mutual_information(contingency(answers[i], answers[j]));
  return sum / pairs;
}

}  // namespace kith
