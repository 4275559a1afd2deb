#include "scan/metrics/judgement.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "data/formats/counted.h"
#include "scan/metrics/head_selection.h"
#include "scan/text/wrap.h"

namespace kith {
namespace {

constexpr size_t kListed = 10, kListedOfGroup = 20;

}  // namespace

using nlohmann::json;

void Certainty::add(std::span<const float> probabilities, int32_t assigned) {
  ++rows;
  confidence += probabilities[static_cast<size_t>(assigned)];
  for (const float p : probabilities)
    if (p > 0) entropy -= p * std::log(double{p});
}

json judgement(std::span<const int32_t> assignments, int clusters, const Certainty& certainty,
               const std::optional<Silhouette>& of_sample, int64_t sample) {
  const Usage usage = usage_of(assignments, clusters);
  const auto n = static_cast<double>(certainty.rows);
  return {{"clusters_used", usage.used},
          {"cluster_entropy", usage.entropy},
          {"mean_confidence", certainty.confidence / n},
          {"mean_entropy", certainty.entropy / n},
          {"silhouette",
           {{"mean", of_sample ? json(of_sample->mean) : json()},
            {"rows", sample},
            {"exact", sample == static_cast<int64_t>(assignments.size())}}}};
}

json near_duplicates_json(const NearGroups& near, double least_cosine, const std::string& unit) {
  json first = json::array();
  for (size_t g = 0; g < std::min(near.groups.size(), kListed); ++g) {
    json group = json::array();
    for (size_t m = 0; m < std::min(near.groups[g].size(), kListedOfGroup); ++m) group.push_back(near.groups[g][m].row);
    first.push_back(std::move(group));
  }
  return {{unit, near.rows},
          {"exact", near.exact},
          {"groups", near.groups.size()},
          {"cosine", least_cosine},
          {"first", std::move(first)}};
}

std::string likeness_text(int64_t rows, int64_t exact) {
  if (exact == 0) return "nearly the same as another";
  if (exact == rows) return "the same as another";
  return fmt::format("the same or nearly the same as another, {} of them exactly", exact);
}

json outliers_json(std::span<const int64_t> rows, std::span<const float> value, const std::string& by) {
  json first = json::array();
  for (const int64_t row : rows.first(std::min(rows.size(), kListed)))
    first.push_back({row, value[static_cast<size_t>(row)]});
  return {{"by", by}, {"first", std::move(first)}};
}

std::string unusual_text(const json& judged, const std::string& near, const std::string& outliers,
                         const std::string& unit, const std::string& called) {
  constexpr size_t kNamed = 5;
  std::string out;
  if (const int64_t rows = judged.contains(near) ? judged.at(near).at(unit).get<int64_t>() : 0; rows > 0)
    out += wrapped(fmt::format("  {} {} are {}, in {} (near_duplicates.csv)", rows, called,
                               likeness_text(rows, judged.at(near).at("exact").get<int64_t>()),
                               data::counted(judged.at(near).at("groups").get<int64_t>(), "group")),
                   4) +
           "\n";
  if (!judged.contains(outliers) || judged.at(outliers).at("first").empty()) return out;
  const json& first = judged.at(outliers).at("first");
  const json names = judged.at(outliers).value("names", json());
  std::string line = fmt::format("  least like others: {}", called);
  for (size_t i = 0; i < std::min(first.size(), kNamed); ++i)
    line += fmt::format("{} {}", i == 0 ? "" : ",", names.is_null() ? first[i][0].dump() : names[i].get<std::string>());
  return (out += wrapped(line + " (outliers.csv)", 4)) += '\n';
}

std::string near_duplicates_csv(const NearGroups& near, const std::string& unit, const MoreColumns& more) {
  std::string out = fmt::format("group,{},nearest,cosine,exact{}\n", unit, more.header);
  for (size_t g = 0; g < near.groups.size(); ++g)
    for (const NearGroups::Member& m : near.groups[g])
      out += fmt::format("{},{},{},{:.6g},{}{}\n", g, m.row, m.nearest, m.cosine, m.exact ? "yes" : "no",
                         more.of ? more.of(m.row) : "");
  return out;
}

std::string outliers_csv(std::span<const int64_t> rows, std::span<const float> value, const std::string& head,
                         const MoreColumns& more) {
  std::string out = fmt::format("{}{}\n", head, more.header);
  for (const int64_t row : rows)
    out += fmt::format("{},{:.6g}{}\n", row, value[static_cast<size_t>(row)], more.of ? more.of(row) : "");
  return out;
}

}  // namespace kith
