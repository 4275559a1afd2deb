#include "scan/ablate/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <string_view>

#include "data/formats/npy.h"
#include "scan/metrics/agreement.h"
#include "scan/run/remedy.h"
#include "scan/text/csv.h"
#include "scan/text/table.h"

namespace kith {
namespace {

using nlohmann::json;

std::vector<int32_t> assignments_of(const std::filesystem::path& run) {
  return or_remedy(fmt::format("kith evaluate --out {} makes a new one", run.string()),
                   [&] { return data::read_npy<int32_t>(run / "assignments.npy").values; });
}

constexpr Figure kFigures[] = {{"purity", "purity, train"},
                               {"knn", "k-NN"},
                               {"kmeans_acc", "k-means ACC"},
                               {"scan_acc", "SCAN ACC"},
                               {"scan_acc_many_to_one", "SCAN ACC n:1"},
                               {"scan_nmi", "SCAN NMI"},
                               {"scan_ari", "SCAN ARI"},
                               {"selflabel_acc", "self-label ACC"},
                               {"selflabel_acc_many_to_one", "self-label ACC n:1"},
                               {"selflabel_nmi", "self-label NMI"},
                               {"selflabel_ari", "self-label ARI"},
                               {"refine_acc", "refined ACC"},
                               {"refine_acc_many_to_one", "refined ACC n:1"},
                               {"refine_nmi", "refined NMI"},
                               {"refine_ari", "refined ARI"},
                               {"mean_confidence", "mean confidence", true, false},
                               {"silhouette", "silhouette, x 100", true, false},
                               {"agreement_of_heads", "agreement of heads", true, false},
                               {"agreement", "agreement of seeds"},
                               {"clusters_used", "clusters used", false}};

constexpr size_t kMostAcross = 4;  // settings beside each other on a screen of 80 columns

bool is_many_to_one(const Figure& f) { return std::string_view(f.key).ends_with("_many_to_one"); }

// What stands in for scores where there are no labels.
bool is_without_labels(const Figure& f) { return f.share && !f.ranked; }

bool unlabelled(const json& summary) {
  const json data = summary.is_null() ? json::object() : summary.value("data", json::object());
  return !data.value("labelled", true);
}

// Clusters are not as many as classes: in one run of a grid is enough, so that it can be compared with the others.
bool uneven(const json& summary) {
  const json data = summary.is_null() ? json::object() : summary.value("data", json::object());
  return data.value("clusters", 0) != data.value("classes", 0);
}

Spread spread_of(std::vector<double> values) {
  Spread s{.values = std::move(values)};
  if (s.values.empty()) return s;
  const auto n = static_cast<double>(s.values.size());
  s.mean = std::accumulate(s.values.begin(), s.values.end(), 0.0) / n;
  double squares = 0;
  for (const double v : s.values) squares += (v - s.mean) * (v - s.mean);
  if (s.values.size() > 1) s.deviation = std::sqrt(squares / (n - 1));
  return s;
}

std::string markdown_field(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
  return out;
}

std::string latex_field(const std::string& text) {
  // What LaTeX's first encoding has under other characters.
  static const std::map<char, std::string> kNamed = {{'\\', "backslash"}, {'~', "asciitilde"}, {'^', "asciicircum"},
                                                     {'<', "less"},       {'>', "greater"},    {'|', "bar"}};
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (text.compare(i, 2, "+-") == 0)
      out += "$\\pm$", ++i;
    else if (const auto name = kNamed.find(c); name != kNamed.end())
      out += "\\text" + name->second + "{}";
    else if (std::string_view("&%$#_{}").find(c) != std::string_view::npos)
      out += {'\\', c};
    else
      out += c;
  }
  return out;
}

Table table_of(const Grid& grid, const GridResults& results) {
  Table table{.header = grid.columns, .rows = {}};
  if (grid.columns.empty()) table.header.emplace_back("setting");
  table.header.emplace_back("seeds");
  for (const Figure& f : results.figures) table.header.emplace_back(f.title);
  for (size_t s = 0; s < grid.settings.size(); ++s) {
    std::vector<std::string> row = grid.settings[s].values;
    if (row.empty()) row.push_back(grid.settings[s].name);
    row.push_back(fmt::format("{}/{}", results.finished[s], results.wanted[s]));
    for (size_t f = 0; f < results.figures.size(); ++f)
      row.push_back(spread_text(results.figures[f], results.of[s][f]));
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace

const Spread* GridResults::find(size_t setting, const char* key) const {
  for (size_t f = 0; f < figures.size(); ++f)
    if (std::strcmp(figures[f].key, key) == 0 && !of[setting][f].values.empty()) return &of[setting][f];
  return nullptr;
}

std::vector<std::pair<Figure, double>> figures_of(const json& summary) {
  json flat = json::object();
  const json pretext = summary.value("pretext", json::object());
  if (pretext.contains("purity_train")) flat["purity"] = pretext["purity_train"].at("purity");
  if (pretext.contains("knn")) flat["knn"] = pretext["knn"];
  for (const json& row : summary.at("table")) {
    const std::string key = row.at("key");
    flat["clusters_used"] = row.at("clusters_used");  // of the last row, in the end
    if (!row.contains("acc")) continue;
    if (key == "kmeans_features") flat["kmeans_acc"] = row["acc"];
    if (key != "scan" && key != "selflabel" && key != "refine") continue;
    for (const char* figure : {"acc", "acc_many_to_one", "nmi", "ari"}) flat[key + "_" + figure] = row.at(figure);
  }
  const json judgement = summary.value("final", json::object()).value("judgement", json::object());
  for (const char* figure : {"mean_confidence", "agreement_of_heads"})
    if (judgement.contains(figure)) flat[figure] = judgement[figure];
  if (judgement.contains("silhouette")) flat["silhouette"] = judgement["silhouette"].value("mean", json());
  std::vector<std::pair<Figure, double>> out;
  for (const Figure& f : kFigures)
    if (flat.contains(f.key) && flat[f.key].is_number()) out.emplace_back(f, flat[f.key].get<double>());
  return out;
}

std::optional<std::pair<double, double>> chance_accuracy(const std::vector<json>& summaries, const char* figure) {
  std::optional<std::pair<double, double>> range;
  for (const json& summary : summaries) {
    if (summary.is_null() || !summary.contains("final") || !summary["final"].contains("chance")) continue;
    const double acc = summary["final"]["chance"].at(figure).get<double>();
    range = range ? std::pair(std::min(range->first, acc), std::max(range->second, acc)) : std::pair(acc, acc);
  }
  return range;
}

GridResults collect(const Grid& grid, const std::vector<json>& summaries,
                    const std::vector<std::optional<double>>& agreement) {
  constexpr size_t kCount = std::size(kFigures);
  std::vector<std::vector<std::vector<double>>> values(grid.settings.size(), std::vector<std::vector<double>>(kCount));
  GridResults out{.figures = {}, .of = {}, .finished = std::vector<int>(grid.settings.size()), .wanted = {}};
  out.wanted = out.finished;
  for (size_t c = 0; c < grid.cells.size(); ++c) {
    const size_t s = grid.cells[c].setting;
    ++out.wanted[s];
    if (summaries[c].is_null()) continue;
    ++out.finished[s];
    for (const auto& [figure, value] : figures_of(summaries[c]))
      for (size_t f = 0; f < kCount; ++f)
        if (std::strcmp(kFigures[f].key, figure.key) == 0) values[s][f].push_back(value);
  }
  for (size_t s = 0; s < agreement.size(); ++s)
    for (size_t f = 0; f < kCount; ++f)
      if (agreement[s] && std::strcmp(kFigures[f].key, "agreement") == 0) values[s][f].push_back(*agreement[s]);
  out.of.resize(grid.settings.size());
  const bool many_to_one = std::ranges::any_of(summaries, uneven);
  const bool without_labels = std::ranges::any_of(summaries, unlabelled);
  for (size_t f = 0; f < kCount; ++f) {
    if (std::ranges::all_of(values, [&](const auto& of) { return of[f].empty(); })) continue;
    if (is_many_to_one(kFigures[f]) && !many_to_one) continue;
    if (is_without_labels(kFigures[f]) && !without_labels) continue;
    out.figures.push_back(kFigures[f]);
    for (size_t s = 0; s < values.size(); ++s) out.of[s].push_back(spread_of(std::move(values[s][f])));
  }
  return out;
}

std::vector<std::optional<double>> agreement_of_seeds(const Grid& grid,
                                                      const std::vector<std::filesystem::path>& runs) {
  std::vector<std::vector<std::vector<int32_t>>> answers(grid.settings.size());
  for (size_t c = 0; c < runs.size(); ++c)
    if (!runs[c].empty() && std::filesystem::exists(runs[c] / "assignments.npy"))
      answers[grid.cells[c].setting].push_back(assignments_of(runs[c]));
  std::vector<std::optional<double>> out;
  for (const auto& of : answers) {
    const bool comparable = std::ranges::all_of(of, [&](const auto& a) { return a.size() == of.front().size(); });
    out.push_back(comparable ? mean_pairwise_nmi(of) : std::nullopt);
  }
  return out;
}

std::string spread_text(const Figure& figure, const Spread& s) {
  if (s.values.empty()) return "-";
  const double scale = figure.share ? 100 : 1;
  const std::string mean = fmt::format("{:.1f}", scale * s.mean);
  return s.deviation ? fmt::format("{}+-{:.1f}", mean, scale * *s.deviation) : mean;
}

std::string to_csv(const Grid& grid, const GridResults& results) {
  std::string out;
  for (const std::string& column : grid.columns) out += csv_field(column) + ",";
  out += "seeds";
  for (const Figure& f : results.figures) out += fmt::format(",{0}_mean,{0}_std", f.key);
  out += "\n";
  for (size_t s = 0; s < grid.settings.size(); ++s) {
    for (const std::string& value : grid.settings[s].values) out += csv_field(value) + ",";
    out += std::to_string(results.finished[s]);
    for (const Spread& of : results.of[s]) {
      out += of.values.empty() ? "," : fmt::format(",{:.6g}", of.mean);
      out += of.deviation ? fmt::format(",{:.6g}", *of.deviation) : ",";
    }
    out += "\n";
  }
  return out;
}

std::string to_markdown(const Grid& grid, const GridResults& results) {
  const Table table = table_of(grid, results);
  std::string out;
  const auto line = [&](const std::vector<std::string>& cells) {
    for (const std::string& cell : cells) out += "| " + markdown_field(cell) + " ";
    out += "|\n";
  };
  line(table.header);
  const size_t left = std::max<size_t>(grid.columns.size(), 1);
  for (size_t c = 0; c < table.header.size(); ++c) out += c < left ? "|---" : "|---:";
  out += "|\n";
  for (const auto& row : table.rows) line(row);
  return out;
}

std::string to_latex(const Grid& grid, const GridResults& results) {
  const Table table = table_of(grid, results);
  const auto line = [](const std::vector<std::string>& cells) {
    std::string out;
    for (const std::string& cell : cells) out += (out.empty() ? "" : " & ") + latex_field(cell);
    return out + " \\\\\n";
  };
  const size_t left = std::max<size_t>(grid.columns.size(), 1);
  std::string out = fmt::format("\\begin{{tabular}}{{{}{}}}\n\\toprule\n{}\\midrule\n", std::string(left, 'l'),
                                std::string(table.header.size() - left, 'r'), line(table.header));
  for (const auto& row : table.rows) out += line(row);
  return out + "\\bottomrule\n\\end{tabular}\n";
}

std::string to_text(const Grid& grid, const GridResults& results) {
  const Table table = table_of(grid, results);
  if (table.rows.size() > kMostAcross) return to_text(table);
  Table turned{.header = {table.header[0]}, .rows = {}};
  for (const auto& row : table.rows) turned.header.push_back(row[0]);
  for (size_t c = 1; c < table.header.size(); ++c) {
    turned.rows.push_back({table.header[c]});
    for (const auto& row : table.rows) turned.rows.back().push_back(row[c]);
  }
  return to_text(turned);
}

}  // namespace kith
