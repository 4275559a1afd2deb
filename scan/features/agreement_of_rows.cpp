#include "scan/features/agreement_of_rows.h"

#include <algorithm>

#include "scan/features/classifier.h"
#include "scan/metrics/contingency.h"
#include "scan/metrics/information.h"

namespace kith {

double mean_agreement(const std::vector<std::vector<int32_t>>& answers, size_t one, int clusters) {
  if (answers.size() < 2) return 1;
  double sum = 0;
  for (size_t i = 0; i < answers.size(); ++i)
    if (i != one) sum += adjusted_rand_index(contingency(answers[one], answers[i], clusters, clusters));
  return sum / static_cast<double>(answers.size() - 1);
}

std::vector<int32_t> labels_of_rows(const RowRun& run, const SafeTensors& arrays, std::span<const int64_t> index,
                                    size_t space) {
  const RowClassifier classifier(run.ctx, arrays);
  constexpr size_t kBatch = 2048;
  std::vector<int32_t> out;
  for (size_t first = 0; first < index.size(); first += kBatch) {
    const std::span<const int64_t> rows = index.subspan(first, std::min(kBatch, index.size() - first));
    std::vector<Tensor> blocks;
    for (size_t s = 0; s < run.spaces.size(); ++s)
      if (space == kAllSpaces || s == space) blocks.push_back(run.spaces[s].batch(rows));
    const std::vector<int32_t> of = largest_of_rows(classifier.probabilities(blocks).to_host(), run.clusters);
    out.insert(out.end(), of.begin(), of.end());
  }
  return out;
}

std::vector<int32_t> largest_of_rows(std::span<const float> values, int columns) {
  std::vector<int32_t> out;
  for (auto row = values.begin(); row != values.end(); row += columns)
    out.push_back(static_cast<int32_t>(std::max_element(row, row + columns) - row));
  return out;
}

}  // namespace kith
