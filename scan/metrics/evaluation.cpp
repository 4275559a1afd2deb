#include "scan/metrics/evaluation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>

#include "data/dataset/dataset.h"
#include "data/formats/counted.h"
#include "kernels/core/check.h"
#include "scan/text/csv.h"
#include "scan/text/table.h"

namespace kith {
namespace {

constexpr int kWidestConfusion = 20;  // classes; beyond, a line no longer fits a terminal

void check_probabilities(const Matrix<const float>& p, int64_t n) {
  if (p.rows != n) throw Error(fmt::format("{} rows of probabilities but {} assignments", p.rows, n));
  if (p.cols < 1) throw Error("probabilities have no columns; expected one per cluster");
  constexpr float kSlack = 0x1p-7f;  // the distance of 1 and the next bf16
  for (int64_t i = 0; i < p.rows; ++i)
    for (int64_t c = 0; c < p.cols; ++c)
      if (const float value = p.row(i)[c]; !(value >= -kSlack && value <= 1 + kSlack))
        throw Error(fmt::format("probabilities[{}, {}] is {}; expected 0..1", i, c, value));
}

// Signs that the rows are no probabilities, or those of other samples.
std::vector<std::string> doubts(const Matrix<const float>& p, std::span<const int32_t> assignments) {
  constexpr double kSlack = 0x1p-7;  // every term is rounded to within 2^-9 of itself in bf16; four times that
  int64_t sums = 0, others = 0, first_sum = 0, first_other = 0;
  double found = 0;
  for (int64_t i = 0; i < p.rows; ++i) {
    const std::span<const float> row = p.row(i);
    const double sum = std::accumulate(row.begin(), row.end(), 0.0);
    if (std::abs(sum - 1) > kSlack && sums++ == 0) first_sum = i, found = sum;
    if (row[assignments[i]] < *std::max_element(row.begin(), row.end()) && others++ == 0) first_other = i;
  }
  std::vector<std::string> out;
  if (sums > 0)
    out.push_back(
        fmt::format("{} of {} rows of probabilities do not sum to 1 (row {}: {:.4g}), so that mean_confidence "
                    "and top5 say little",
                    sums, p.rows, first_sum, found));
  if (others > 0) {
    const std::span<const float> row = p.row(first_other);
    const auto most = std::max_element(row.begin(), row.end());
    out.push_back(
        fmt::format("in {} of {} rows of probabilities another cluster than the assigned one is the most "
                    "probable (row {}: cluster {} has {:.4g}, the assigned {} has {:.4g}); are they of these "
                    "samples in this order?",
                    others, p.rows, first_other, most - row.begin(), *most, assignments[first_other],
                    row[assignments[first_other]]));
  }
  return out;
}

std::vector<int64_t> ids_of(const std::vector<int64_t>& given, int count, const char* what) {
  std::vector<int64_t> ids = given;
  if (ids.empty()) {
    ids.resize(static_cast<size_t>(count));
    std::iota(ids.begin(), ids.end(), int64_t{0});
  }
  check(ids.size() == static_cast<size_t>(count), fmt::format("evaluation: one id per {}", what));
  return ids;
}

std::vector<std::string> names_of(const EvaluationInput& in, const std::vector<int64_t>& class_ids) {
  if (!in.class_names.empty()) return in.class_names;
  std::vector<std::string> names;
  for (const int64_t id : class_ids) names.push_back(fmt::format("{}", id));
  return names;
}

// How many samples no cluster holds.
int64_t noise_of(const Evaluation& e) { return e.table.noise < 0 ? 0 : e.clusters[e.table.noise].report.size; }
int cluster_number(const Evaluation& e) { return e.table.clusters - (e.table.noise < 0 ? 0 : 1); }

std::vector<int64_t> empty_clusters(const Evaluation& e) {
  std::vector<int64_t> empty;
  for (int c = 0; c < e.table.clusters; ++c)
    if (e.clusters[c].report.size == 0) empty.push_back(e.cluster_ids[c]);
  return empty;
}

std::string class_name(const Evaluation& e, int cls) { return cls < 0 ? "" : e.class_names[cls]; }

Table score_table(const Evaluation& e) {
  Table out{.header = {"ACC", "ACC many-to-one", "NMI", "ARI", "AMI"},
            .rows = {{percent(e.scores->acc), percent(e.scores->acc_many_to_one), percent(e.scores->nmi),
                      percent(e.scores->ari), percent(e.scores->ami)}}};
  if (e.has_probabilities) {
    out.header.emplace_back("top-5");
    out.rows[0].push_back(percent(e.top5));
  }
  return out;
}

// Sizes, and with labels the confusion matrix.
Table cluster_table(const Evaluation& e) {
  Table out{.header = {"cluster", "size"}, .rows = {}};
  if (e.scores) {
    out.header.emplace_back("purity");
    out.header.insert(out.header.end(), e.class_names.begin(), e.class_names.end());
  }
  for (int c = 0; c < e.table.clusters; ++c) {
    const ClusterReport& report = e.clusters[c].report;
    const std::string what = c == e.table.noise ? " noise"
                             : !e.scores        ? ""
                             : report.cls < 0   ? " unmatched"
                                                : fmt::format(" {}", class_name(e, report.cls));
    std::vector<std::string> row = {fmt::format("{}{}", e.cluster_ids[c], what), fmt::format("{}", report.size)};
    if (e.scores) {
      row.push_back(report.size == 0 ? "-" : percent(report.purity));
      for (int k = 0; k < e.table.classes; ++k) row.push_back(fmt::format("{}", e.table.at(c, k)));
    }
    out.rows.push_back(std::move(row));
  }
  return out;
}

}  // namespace

Evaluation evaluate_clustering(const EvaluationInput& in) {
  const auto n = static_cast<int64_t>(in.assignments.size());
  Evaluation e;
  e.n = n;
  e.has_probabilities = in.probabilities.data != nullptr;
  if (n == 0 && in.labels.empty()) throw Error("no samples to evaluate");
  if (e.has_probabilities) check_probabilities(in.probabilities, n);
  const int columns = e.has_probabilities ? static_cast<int>(in.probabilities.cols) : 0;
  if (e.has_probabilities && in.clusters > 0 && columns != in.clusters)
    throw Error(fmt::format("{} columns of probabilities but {} clusters", columns, in.clusters));
  e.table = contingency(in.assignments, in.labels, in.clusters > 0 ? in.clusters : columns,
                        static_cast<int>(in.class_names.size()));
  e.cluster_ids = ids_of(in.cluster_ids, e.table.clusters, "cluster");
  e.class_ids = ids_of(in.class_ids, e.table.classes, "class");
  e.class_names = names_of(in, e.class_ids);
  const auto noise = std::find(e.cluster_ids.begin(), e.cluster_ids.end(), -1);
  if (noise != e.cluster_ids.end()) e.table.noise = static_cast<int>(noise - e.cluster_ids.begin());
  if (data::labelled(in.labels)) {
    e.matching = match_one_to_one(e.table);
    e.scores = score(e.table);
  } else {
    e.matching.class_of.assign(static_cast<size_t>(e.table.clusters), -1);
    e.warnings.push_back(
        fmt::format("all {} labels are {}: there is nothing to compare a clustering with, and scores "
                    "are left out",
                    n, e.class_names[in.labels.front()]));
  }
  for (const ClusterReport& report : cluster_report(e.table, e.matching)) e.clusters.push_back({.report = report});
  if (!e.has_probabilities) return e;

  if (e.scores) e.top5 = top_k_accuracy(in.probabilities, in.labels, e.matching, 5);
  for (int64_t i = 0; i < n; ++i)
    e.clusters[in.assignments[i]].mean_confidence += in.probabilities.row(i)[in.assignments[i]];
  for (ClusterSummary& c : e.clusters)
    if (c.report.size > 0) c.mean_confidence /= static_cast<double>(c.report.size);
  std::ranges::move(doubts(in.probabilities, in.assignments), std::back_inserter(e.warnings));
  return e;
}

nlohmann::json to_json(const Evaluation& e) {
  nlohmann::json out = {{"n", e.n},
                        {"clusters", cluster_number(e)},
                        {"classes", e.table.classes},
                        {"labelled", e.scores.has_value()},
                        {"cluster_ids", e.cluster_ids},
                        {"class_ids", e.class_ids},
                        {"class_names", e.class_names},
                        {"empty_clusters", empty_clusters(e)}};
  if (e.table.noise >= 0) out["noise"] = noise_of(e);
  if (e.scores) {
    out.update({{"acc", e.scores->acc},
                {"acc_many_to_one", e.scores->acc_many_to_one},
                {"nmi", e.scores->nmi},
                {"ari", e.scores->ari},
                {"ami", e.scores->ami}});
    if (e.has_probabilities) out["top5"] = e.top5;
    out["matching"] = out["confusion"] = nlohmann::json::array();
  }
  out["per_cluster"] = nlohmann::json::array();
  for (int c = 0; c < e.table.clusters; ++c) {
    const ClusterReport& report = e.clusters[c].report;
    nlohmann::json cluster = {{"cluster", e.cluster_ids[c]}, {"size", report.size}};
    if (e.has_probabilities) cluster["mean_confidence"] = e.clusters[c].mean_confidence;
    if (e.scores) {
      const auto id = [&](int k) { return k < 0 ? nlohmann::json() : nlohmann::json(e.class_ids[k]); };
      const auto share = [&](int k, double of) {
        return k < 0 || report.size == 0 ? nlohmann::json() : nlohmann::json(of);
      };
      const nlohmann::json cls = id(report.cls);
      cluster["class"] = cls;
      cluster["class_share"] = share(report.cls, report.share);
      cluster["most_frequent"] = id(report.most);
      cluster["purity"] = share(report.most, report.purity);
      out["matching"].push_back(cls);
      nlohmann::json row = nlohmann::json::array();
      for (int k = 0; k < e.table.classes; ++k) row.push_back(e.table.at(c, k));
      out["confusion"].push_back(std::move(row));
    }
    out["per_cluster"].push_back(std::move(cluster));
  }
  return out;
}

std::string confusion_csv(const Evaluation& e) {
  std::string out = "cluster,class,size";
  for (const std::string& name : e.class_names) out += fmt::format(",{}", csv_field(name));
  out += "\n";
  for (int c = 0; c < e.table.clusters; ++c) {
    const ClusterReport& report = e.clusters[c].report;
    out += fmt::format("{},{},{}", e.cluster_ids[c], csv_field(class_name(e, report.cls)), report.size);
    for (int k = 0; k < e.table.classes; ++k) out += fmt::format(",{}", e.table.at(c, k));
    out += "\n";
  }
  return out;
}

std::string to_text(const Evaluation& e) {
  std::string out = fmt::format("{}, {}, {}", data::counted(e.n, "sample"), data::counted(cluster_number(e), "cluster"),
                                data::counted(e.table.classes, "class", "classes"));
  if (e.table.noise >= 0)
    out +=
        fmt::format("; {} {} noise, in no cluster", data::counted(noise_of(e), "sample"), data::is_or_are(noise_of(e)));
  out += "\n\n";
  if (e.scores) out += to_text(score_table(e)) + "\n";
  if (e.table.classes <= kWidestConfusion || !e.scores) out += to_text(cluster_table(e));
  if (const auto empty = empty_clusters(e); !empty.empty())
    out += fmt::format("\n{} of {} clusters {} empty: {}\n", empty.size(), cluster_number(e),
                       data::is_or_are(empty.size()), fmt::join(empty, ", "));
  return out;
}

std::string scores_text(const std::vector<std::pair<std::string, Scores>>& methods, bool many_to_one) {
  Table table{.header = {"method", "ACC", "NMI", "ARI"}, .rows = {}};
  if (many_to_one) table.header.insert(table.header.begin() + 2, "ACC many-to-one");
  for (const auto& [name, s] : methods) {
    table.rows.push_back({name, percent(s.acc), percent(s.nmi), percent(s.ari)});
    if (many_to_one) table.rows.back().insert(table.rows.back().begin() + 2, percent(s.acc_many_to_one));
  }
  return to_text(table);
}

}  // namespace kith
