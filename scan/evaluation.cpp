#include "scan/evaluation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "kernels/core/check.h"
#include "scan/table.h"

namespace kith {
namespace {

constexpr int kWidestConfusion = 20;  // classes; beyond, a line no longer fits a terminal

void check_probabilities(const Matrix<const float>& p, int64_t n) {
  if (p.rows != n) throw Error(fmt::format("{} rows of probabilities but {} assignments", p.rows, n));
  if (p.cols < 1) throw Error("probabilities have no columns; expected one per cluster");
  constexpr float kSlack = 1e-4f;  // softmax in half precision may round to just above 1
  for (int64_t i = 0; i < p.rows; ++i)
    for (int64_t c = 0; c < p.cols; ++c)
      if (const float value = p.row(i)[c]; !(value >= 0 && value <= 1 + kSlack))
        throw Error(fmt::format("probabilities[{}, {}] is {}; expected 0..1", i, c, value));
}

std::vector<std::string> names_of(const EvaluationInput& in, int classes) {
  if (!in.class_names.empty()) return in.class_names;
  std::vector<std::string> names;
  for (int k = 0; k < classes; ++k) names.push_back(fmt::format("{}", k));
  return names;
}

std::vector<int> empty_clusters(const Evaluation& e) {
  std::vector<int> empty;
  for (int c = 0; c < e.table.clusters; ++c)
    if (e.clusters[c].report.size == 0) empty.push_back(c);
  return empty;
}

// A field of a CSV file: quoted when it holds a comma, a quote or a line break.
std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string escaped;
  for (const char c : text) escaped.append(c == '"' ? 2 : 1, c);
  return fmt::format("\"{}\"", escaped);
}

std::string class_name(const Evaluation& e, int cls) { return cls < 0 ? "" : e.class_names[cls]; }

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
  e.class_names = names_of(in, e.table.classes);
  e.matching = match_one_to_one(e.table);
  e.scores = score(e.table);
  for (const ClusterReport& report : cluster_report(e.table, e.matching)) e.clusters.push_back({.report = report});
  if (!e.has_probabilities) return e;

  e.top5 = top_k_accuracy(in.probabilities, in.labels, e.matching, 5);
  for (int64_t i = 0; i < n; ++i)
    e.clusters[in.assignments[i]].mean_confidence += in.probabilities.row(i)[in.assignments[i]];
  for (ClusterSummary& c : e.clusters)
    if (c.report.size > 0) c.mean_confidence /= static_cast<double>(c.report.size);
  return e;
}

nlohmann::json to_json(const Evaluation& e) {
  nlohmann::json out = {{"n", e.n},
                        {"clusters", e.table.clusters},
                        {"classes", e.table.classes},
                        {"class_names", e.class_names},
                        {"acc", e.scores.acc},
                        {"acc_many_to_one", e.scores.acc_many_to_one},
                        {"nmi", e.scores.nmi},
                        {"ari", e.scores.ari},
                        {"ami", e.scores.ami},
                        {"empty_clusters", empty_clusters(e)}};
  if (e.has_probabilities) out["top5"] = e.top5;
  out["matching"] = out["confusion"] = out["per_cluster"] = nlohmann::json::array();
  for (int c = 0; c < e.table.clusters; ++c) {
    const ClusterReport& report = e.clusters[c].report;
    const nlohmann::json cls = report.cls < 0 ? nlohmann::json(nullptr) : nlohmann::json(report.cls);
    out["matching"].push_back(cls);
    nlohmann::json row = nlohmann::json::array();
    for (int k = 0; k < e.table.classes; ++k) row.push_back(e.table.at(c, k));
    out["confusion"].push_back(std::move(row));
    nlohmann::json cluster = {{"cluster", c}, {"size", report.size}, {"class", cls}, {"purity", report.purity}};
    if (e.has_probabilities) cluster["mean_confidence"] = e.clusters[c].mean_confidence;
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
    out += fmt::format("{},{},{}", c, csv_field(class_name(e, report.cls)), report.size);
    for (int k = 0; k < e.table.classes; ++k) out += fmt::format(",{}", e.table.at(c, k));
    out += "\n";
  }
  return out;
}

std::string to_text(const Evaluation& e) {
  std::string out = fmt::format("{} samples, {} clusters, {} classes\n\n", e.n, e.table.clusters, e.table.classes);
  Table scores{.header = {"ACC", "ACC many-to-one", "NMI", "ARI", "AMI"},
               .rows = {{percent(e.scores.acc), percent(e.scores.acc_many_to_one), percent(e.scores.nmi),
                         percent(e.scores.ari), percent(e.scores.ami)}}};
  if (e.has_probabilities) {
    scores.header.emplace_back("top-5");
    scores.rows[0].push_back(percent(e.top5));
  }
  out += to_text(scores);
  if (e.table.classes <= kWidestConfusion) {
    Table confusion{.header = {"cluster", "size", "purity"}, .rows = {}};
    for (int k = 0; k < e.table.classes; ++k) confusion.header.push_back(e.class_names[k]);
    for (int c = 0; c < e.table.clusters; ++c) {
      const ClusterReport& report = e.clusters[c].report;
      const std::string name = report.cls < 0 ? "unmatched" : class_name(e, report.cls);
      std::vector<std::string> row = {fmt::format("{} {}", c, name), fmt::format("{}", report.size),
                                      percent(report.purity)};
      for (int k = 0; k < e.table.classes; ++k) row.push_back(fmt::format("{}", e.table.at(c, k)));
      confusion.rows.push_back(std::move(row));
    }
    out += fmt::format("\n{}", to_text(confusion));
  }
  if (const auto empty = empty_clusters(e); !empty.empty())
    out += fmt::format("\n{} of {} clusters are empty: {}\n", empty.size(), e.table.clusters, fmt::join(empty, ", "));
  return out;
}

}  // namespace kith
