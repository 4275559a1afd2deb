// Top-K by its contract, word for word: what both backends' tests compare with.
#pragma once
#include <algorithm>

#include "kernels/topk.h"
#include "tests/support/compare.h"

namespace kith::test {

struct TopKOptions {
  bool exclude_self = false;
  int64_t query_offset = 0;
};

struct TopKResult {
  std::vector<float> scores;
  std::vector<int64_t> indices;
  std::vector<double> exact;
  kernels::TopKStatus status;
};

// The sum of the contract: 8 lanes, a tree, the rest.
inline double contract_score(const float* a, const float* b, int64_t dim) {
  double lane[8] = {}, rest = 0;
  const int64_t whole = dim / 8 * 8;
  for (int64_t d = 0; d < whole; ++d) lane[d % 8] += double{a[d]} * double{b[d]};
  for (int64_t d = whole; d < dim; ++d) rest += double{a[d]} * double{b[d]};
  return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7])) + rest;
}

// Every score of `count` queries from `first` on; the list sorted out of all of them, rounded at the end.
inline TopKResult brute_force(const HostMatrix<float>& queries, const HostMatrix<float>& database, int64_t k,
                              TopKOptions o = {}, int64_t first = 0, int64_t count = -1) {
  TopKResult r;
  for (int64_t q = first; q < (count < 0 ? queries.rows : first + count); ++q) {
    std::vector<std::pair<double, int64_t>> all;  // negated scores: pairs ascend as lists do
    for (int64_t j = 0; j < database.rows; ++j) {
      if (o.exclude_self && j == q + o.query_offset) continue;
      all.emplace_back(
          -(contract_score(queries.view().row(q).data(), database.view().row(j).data(), queries.cols) + 0.), j);
    }
    std::partial_sort(all.begin(), all.begin() + k, all.end());
    for (int64_t n = 0; n < k; ++n) {
      r.exact.push_back(-all[n].first + 0.);
      r.scores.push_back(static_cast<float>(r.exact.back()) + 0.f);
      r.indices.push_back(all[n].second);
    }
  }
  return r;
}

// `rows` rows in `groups` tight groups around unit vectors: row i belongs to group i mod groups, and lies about `noise` per
// element from its centre. Noise 0: duplicates.
inline HostMatrix<float> grouped_rows(int64_t rows, int64_t cols, int64_t groups, float noise, Seed seed) {
  const HostMatrix<float> centres = unit_rows(groups, cols, seed);
  HostMatrix<float> out = normal_rows(rows, cols, {seed.value + 1}, noise);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t d = 0; d < cols; ++d) out.view().row(i)[d] += centres.view().row(i % groups)[d];
  return out;
}

}  // namespace kith::test
