#include "scan/metrics/contingency.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "kernels/core/check.h"
#include "scan/metrics/information.h"

namespace kith {
namespace {

// One more than the largest value, or `extent` when given; every value must lie below it.
int64_t extent_of(std::span<const int32_t> values, int extent, std::string_view what) {
  int64_t largest = -1;
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] < 0) throw Error(fmt::format("{}[{}] is {}; expected 0 or more", what, i, values[i]));
    if (extent > 0 && values[i] >= extent)
      throw Error(fmt::format("{}[{}] is {}; expected less than {}", what, i, values[i], extent));
    largest = std::max<int64_t>(largest, values[i]);
  }
  return extent > 0 ? extent : largest + 1;
}

// A table beyond this many cells is a wrong file (identifiers instead of labels), not a clustering.
constexpr int64_t kMaxCells = int64_t{1} << 28;

}  // namespace

int64_t Contingency::total() const { return std::accumulate(counts.begin(), counts.end(), int64_t{0}); }

Contingency contingency(std::span<const int32_t> assignments, std::span<const int32_t> labels, int clusters,
                        int classes) {
  if (assignments.size() != labels.size())
    throw Error(fmt::format("{} assignments but {} labels", assignments.size(), labels.size()));
  const int64_t rows = extent_of(assignments, clusters, "assignments"), cols = extent_of(labels, classes, "labels");
  if (rows * cols > kMaxCells) throw Error(fmt::format("a table of {} clusters x {} classes is too large", rows, cols));
  Contingency table{.clusters = static_cast<int>(rows),
                    .classes = static_cast<int>(cols),
                    .counts = std::vector<int64_t>(static_cast<size_t>(rows * cols), 0)};
  for (size_t i = 0; i < labels.size(); ++i)
    ++table.counts[static_cast<size_t>(assignments[i]) * table.classes + labels[i]];
  return table;
}

Numbered numbered(std::span<const int64_t> values) {
  Numbered out{.of = std::vector<int32_t>(values.size()), .ids = {values.begin(), values.end()}};
  std::sort(out.ids.begin(), out.ids.end());
  out.ids.erase(std::unique(out.ids.begin(), out.ids.end()), out.ids.end());
  for (size_t i = 0; i < values.size(); ++i)
    out.of[i] = static_cast<int32_t>(std::lower_bound(out.ids.begin(), out.ids.end(), values[i]) - out.ids.begin());
  return out;
}

Matching match_one_to_one(const Contingency& table) {
  std::vector<double> cost(table.counts.size());
  std::transform(table.counts.begin(), table.counts.end(), cost.begin(),
                 [](int64_t count) { return -static_cast<double>(count); });
  // One price for every class, above all others: noise takes a class from no cluster.
  if (table.noise >= 0) std::fill_n(cost.begin() + int64_t{table.noise} * table.classes, table.classes, 1.0);
  Matching matching{.class_of = hungarian({cost.data(), table.clusters, table.classes})};
  if (table.noise >= 0) matching.class_of[table.noise] = -1;
  int64_t hits = 0;
  for (int c = 0; c < table.clusters; ++c)
    if (matching.class_of[c] >= 0) hits += table.at(c, matching.class_of[c]);
  const int64_t total = table.total();
  matching.accuracy = total == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(total);
  return matching;
}

Matching match_majority(const Contingency& table) {
  Matching matching{.class_of = std::vector<int>(table.clusters, -1)};
  int64_t hits = 0;
  for (int c = 0; c < table.clusters; ++c) {
    if (c == table.noise) continue;
    int64_t most = 0;
    for (int k = 0; k < table.classes; ++k)
      if (table.at(c, k) > most) {
        most = table.at(c, k);
        matching.class_of[c] = k;
      }
    hits += most;
  }
  const int64_t total = table.total();
  matching.accuracy = total == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(total);
  return matching;
}

double top_k_accuracy(const Matrix<const float>& probabilities, std::span<const int32_t> labels,
                      const Matching& matching, int k) {
  check(k >= 1, "top_k_accuracy: k must be at least 1");
  check(probabilities.rows == static_cast<int64_t>(labels.size()),
        "top_k_accuracy: one row of probabilities per label");
  check(probabilities.cols == static_cast<int64_t>(matching.class_of.size()),
        "top_k_accuracy: one column of probabilities per cluster");
  int64_t hits = 0;
  for (int64_t i = 0; i < probabilities.rows; ++i) {
    const std::span<const float> p = probabilities.row(i);
    bool hit = false;
    for (int64_t c = 0; c < probabilities.cols && !hit; ++c) {
      if (matching.class_of[c] != labels[i]) continue;
      int64_t rank = 0;  // clusters ahead of c: more probable, or as probable with a lower index
      for (int64_t d = 0; d < probabilities.cols; ++d) rank += p[d] > p[c] || (p[d] == p[c] && d < c);
      hit = rank < k;
    }
    hits += hit;
  }
  return labels.empty() ? 0 : static_cast<double>(hits) / static_cast<double>(labels.size());
}

std::vector<ClusterReport> cluster_report(const Contingency& table, const Matching& matching) {
  check(matching.class_of.size() == static_cast<size_t>(table.clusters), "cluster_report: matching of another table");
  std::vector<ClusterReport> report(table.clusters);
  for (int c = 0; c < table.clusters; ++c) {
    ClusterReport& of = report[c];
    of.cls = matching.class_of[c];
    for (int k = 0; k < table.classes; ++k) {
      of.size += table.at(c, k);
      if (table.at(c, k) > (of.most < 0 ? 0 : table.at(c, of.most))) of.most = k;
    }
    const auto share = [&](int k) {
      return k < 0 || of.size == 0 ? 0 : static_cast<double>(table.at(c, k)) / static_cast<double>(of.size);
    };
    of.share = share(of.cls);
    of.purity = share(of.most);
  }
  return report;
}

Scores score(const Contingency& table) {
  return {.acc = match_one_to_one(table).accuracy,
          .nmi = normalized_mutual_information(table),
          .ari = adjusted_rand_index(table),
          .ami = adjusted_mutual_information(table),
          .acc_many_to_one = match_majority(table).accuracy};
}

}  // namespace kith
