// Scores of a feature space by its nearest neighbours.
#include "scan/metrics/knn.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernels/core/check.h"
#include "scan/metrics/neighbour_search.h"

namespace kith {
namespace {

// Queries of one search: bounds the lists held at a time to a few MB, whatever the size of the split.
constexpr int64_t kQueries = 2048;

}  // namespace

namespace {

// use(anchor, its place among the anchor's neighbours from 0 on, of the same label) for each neighbour that is not the anchor.
void each_neighbour(const Matrix<const int64_t>& neighbours, std::span<const int32_t> labels, auto&& use) {
  const auto n = static_cast<int64_t>(labels.size());
  if (neighbours.rows != n) throw Error(fmt::format("{} rows of neighbours but {} labels", neighbours.rows, n));
  for (int64_t i = 0; i < n; ++i) {
    int64_t place = 0;
    for (const int64_t j : neighbours.row(i)) {
      if (j == -1) break;
      if (j < 0 || j >= n) throw Error(fmt::format("neighbour {} of row {} is out of range 0..{}", j, i, n - 1));
      if (j != i) use(i, place++, labels[j] == labels[i]);
    }
  }
}

}  // namespace

double neighbour_purity(const Matrix<const int64_t>& neighbours, std::span<const int32_t> labels) {
  std::vector<int64_t> same(labels.size()), others(labels.size());
  each_neighbour(neighbours, labels, [&](int64_t i, int64_t, bool equal) { ++others[i], same[i] += equal; });
  double sum = 0;
  int64_t anchors = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (others[i] == 0) continue;
    ++anchors;
    sum += static_cast<double>(same[i]) / static_cast<double>(others[i]);
  }
  return anchors == 0 ? 0 : sum / static_cast<double>(anchors);
}

std::vector<double> purity_over_k(const Matrix<const int64_t>& neighbours, std::span<const int32_t> labels) {
  std::vector<double> sums(static_cast<size_t>(neighbours.cols));
  std::vector<int64_t> lists(sums.size()), same(labels.size());
  each_neighbour(neighbours, labels, [&](int64_t i, int64_t place, bool equal) {
    same[i] += equal;
    sums[place] += static_cast<double>(same[i]) / static_cast<double>(place + 1);
    ++lists[place];
  });
  while (!lists.empty() && lists.back() == 0) lists.pop_back(), sums.pop_back();
  for (size_t k = 0; k < sums.size(); ++k) sums[k] /= static_cast<double>(lists[k]);
  return sums;
}

double knn_accuracy(Context& ctx, Matrix<const float> train, std::span<const int32_t> train_labels,
                    Matrix<const float> test, std::span<const int32_t> test_labels, int k, float tau) {
  check(train.rows == static_cast<int64_t>(train_labels.size()), "knn_accuracy: one label per training row");
  check(test.rows == static_cast<int64_t>(test_labels.size()), "knn_accuracy: one label per test row");
  check(train.rows > 0 && k > 0 && tau > 0, "knn_accuracy: training rows, k and tau must be positive");
  const int32_t classes = *std::max_element(train_labels.begin(), train_labels.end()) + 1;
  check(*std::min_element(train_labels.begin(), train_labels.end()) >= 0, "knn_accuracy: negative training label");

  const int64_t width = std::min<int64_t>(k, train.rows), chunk = std::min(kQueries, test.rows);
  const NeighbourSearch search(ctx, train);
  std::vector<double> votes(classes);
  int64_t hits = 0;
  for (int64_t first = 0; first < test.rows; first += chunk) {
    const int64_t rows = std::min(chunk, test.rows - first);
    const NeighbourSearch::Lists found = search({test.row(first).data(), rows, test.cols}, width);
    const Matrix<const float> s{found.score.data(), rows, width};
    const Matrix<const int64_t> index{found.index.data(), rows, width};
    for (int64_t i = 0; i < rows; ++i) {
      std::fill(votes.begin(), votes.end(), 0.0);
      for (int64_t j = 0; j < width; ++j) {
        // Relative to the best score: the ranking of the votes is the same, and a small tau cannot overflow.
        const double s_j = double{s.row(i)[j]} - s.row(i)[0];
        votes[train_labels[index.row(i)[j]]] += std::exp(s_j / tau);
      }
      hits += std::max_element(votes.begin(), votes.end()) - votes.begin() == test_labels[first + i];
    }
  }
  return test.rows == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(test.rows);
}

}  // namespace kith
