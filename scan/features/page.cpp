#include <fmt/format.h>

#include <algorithm>

#include "data/formats/counted.h"
#include "scan/features/judge.h"
#include "scan/metrics/judgement.h"
#include "scan/report/page_shell.h"
#include "scan/report/page_svg.h"
#include "scan/run/metrics_log.h"
#include "scan/text/table.h"

namespace kith {
namespace {

using nlohmann::json;

constexpr size_t kMostRows = 200;  // clusters in a table
constexpr int kMostCells = 60;     // clusters or classes of a confusion matrix

std::string fact(const std::string& name, const std::string& value) {
  return fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", escape_html(name), escape_html(value));
}

std::string number(const json& value, int digits) {
  return value.is_number() ? fmt::format("{:.{}f}", value.get<double>(), digits) : "-";
}

std::string share_of(const json& value) { return value.is_number() ? percent(value.get<double>()) : "-"; }

std::string facts(const json& s, const std::string& lost) {
  std::string out = fact("Rows", std::to_string(s.at("rows").get<int64_t>()));
  out += fact("Method", s.at("method").get<std::string>());
  out += fact("Seed", s.at("settings").at("seed").dump());
  out += fact("Clusters", fmt::format("{}, {} used", s.at("clusters").get<int>(), s.at("clusters_used").get<int>()));
  out += fact("Mean confidence", share_of(s.at("mean_confidence")) + " %");
  out += fact("Silhouette", number(s.at("silhouette").at("mean"), 3));
  if (s.at("fit").contains("agreement_of_heads"))
    out += fact("Agreement of heads", number(s.at("fit").at("agreement_of_heads"), 3));
  if (s.contains("near_duplicates"))
    out += fact("Copies and near-duplicates", s.at("near_duplicates").at("rows").dump());
  out += fact("Training", fmt::format("{:.1f} s", s.at("fit").at("seconds").get<double>()));
  if (!lost.empty()) out += fact("Log", lost);
  return "<dl>\n" + out + "</dl>\n";
}

std::string scores(const std::optional<Evaluation>& e) {
  if (!e || !e->scores) return "";
  return html_section("Scores",
                      "Per cent. ACC: clusters matched one-to-one to classes. Labels are used for these figures only.",
                      fmt::format("<table><tr><th>ACC</th><th>NMI</th><th>ARI</th></tr>\n<tr><td>{}</td><td>{}</td>"
                                  "<td>{}</td></tr></table>\n",
                                  percent(e->scores->acc), percent(e->scores->nmi), percent(e->scores->ari)));
}

std::string clusters(const json& s, const std::optional<Evaluation>& e) {
  std::string rows;
  const json& all = s.at("per_cluster");
  for (size_t c = 0; c < std::min(all.size(), kMostRows); ++c) {
    const json& of = all[c];
    const int64_t size = of.at("size").get<int64_t>();
    rows +=
        fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>", c, size,
                    percent(static_cast<double>(size) / s.at("rows").get<double>()), share_of(of.at("mean_confidence")),
                    number(of.at("silhouette"), 3), of.at("nearest").is_null() ? "-" : of.at("nearest").dump());
    if (e) {
      const ClusterReport& r = e->clusters[c].report;
      const auto shown = [&](int k, double share) {
        return k < 0 || r.size == 0
                   ? "<td>-</td><td>-</td>"
                   : fmt::format("<td>{}</td><td>{}</td>", escape_html(e->class_names[k]), percent(share));
      };
      rows += shown(r.cls, r.share) + shown(r.most, r.purity);
    }
    rows += "</tr>\n";
  }
  std::string about = fmt::format(
      "Share of the rows and mean probability of the own cluster in per cent; mean silhouette{}; the row nearest to "
      "the "
      "cluster's mean.",
      s.at("silhouette").at("exact").get<bool>()
          ? ""
          : fmt::format(" of {} rows drawn at random", s.at("silhouette").at("rows").get<int64_t>()));
  if (e)
    about +=
        " Class: the one that the cluster is matched to, one-to-one, and the share of the cluster that is of it; it "
        "need "
        "not be the most frequent one, whose share is the purity.";
  if (all.size() > kMostRows) about += fmt::format(" The first {} of {}.", kMostRows, all.size());
  return html_section(
      "Clusters", about,
      html_scroll(fmt::format("<table><tr><th>cluster</th><th>rows</th><th>share</th>"
                              "<th>confidence</th><th>silhouette</th><th>nearest row</th>{}</tr>\n{}</table>",
                              e ? "<th>class</th><th>of it</th><th>most frequent</th><th>purity</th>" : "", rows)));
}

std::string unusual(const json& s) {
  std::string out;
  if (s.contains("near_duplicates") && !s.at("near_duplicates").at("first").empty()) {
    const json& near = s.at("near_duplicates");
    std::string rows;
    for (size_t g = 0; g < near.at("first").size(); ++g) {
      std::string members;
      for (const json& row : near.at("first")[g]) members += (members.empty() ? "" : ", ") + row.dump();
      rows += fmt::format("<tr><td>{}</td><td>{}</td></tr>\n", g, members);
    }
    out += html_section(
        "Near-duplicates",
        fmt::format("{} rows are {}, in {}: equal rows, and neighbours of a cosine of at least {}. The largest "
                    "groups; all are in near_duplicates.csv, which says which are equal.",
                    near.at("rows").get<int64_t>(),
                    likeness_text(near.at("rows").get<int64_t>(), near.at("exact").get<int64_t>()),
                    data::counted(near.at("groups").get<int64_t>(), "group"), number(near.at("cosine"), 4)),
        html_scroll(fmt::format("<table class=\"wide\"><tr><th>group</th><th>rows</th></tr>\n{}</table>", rows)));
  }
  std::string rows;
  for (const json& of : s.at("outliers").at("first"))
    rows += fmt::format("<tr><td>{}</td><td>{}</td></tr>\n", of[0].get<int64_t>(), number(of[1], 4));
  const std::string by = s.at("outliers").at("by").get<std::string>();
  return out + html_section(
                   "Outliers", "The rows that are least like others, by the " + by + ". More are in outliers.csv.",
                   rows.empty() ? "" : fmt::format("<table><tr><th>row</th><th>{}</th></tr>\n{}</table>\n", by, rows));
}

std::string confusion(const std::optional<Evaluation>& e) {
  if (!e || std::max(e->table.clusters, e->table.classes) > kMostCells) return "";
  HeatMap map{.x_label = "class (label)", .y_label = "cluster", .columns = e->class_names, .rows = {}, .counts = {}};
  for (int c = 0; c < e->table.clusters; ++c) {
    map.rows.push_back(std::to_string(c));
    for (int k = 0; k < e->table.classes; ++k) map.counts.push_back(e->table.at(c, k));
  }
  return html_section("Confusion matrix", "Rows of each cluster by class; the shade is the share of the cluster.",
                      to_svg(map));
}

std::string candidates(const json& s) {
  if (!s.contains("candidates")) return "";
  LineChart chart{.title = "Silhouette", .x_label = "clusters", .y_label = "mean silhouette", .points = {}};
  std::string cells;
  for (const json& at : s.at("candidates").at("curve")) {
    chart.points.emplace_back(at.at("clusters").get<double>(), at.at("silhouette").get<double>());
    cells +=
        fmt::format("<tr><td>{}</td><td>{}</td></tr>\n", at.at("clusters").get<int>(), number(at.at("silhouette"), 4));
  }
  return html_section(
      "How many clusters",
      "Mean silhouette of k-means with each number, on the rows as the method saw them; the largest was "
      "taken. It is a hint, not a proof: look at its neighbours, too.",
      fmt::format("<div class=\"charts\">\n{}</div>\n<table><tr><th>clusters</th><th>silhouette</th></tr>"
                  "\n{}</table>\n",
                  to_svg(chart), cells));
}

std::string curves(const RowRun& run) {
  const std::vector<json> lines = finished_log(run.dir);
  std::string charts;
  for (const auto& [key, title] : {std::pair{"loss", "Loss"},
                                   {"validation_loss", "Validation loss"},
                                   {"consistency", "Consistency of neighbours"},
                                   {"entropy", "Entropy of the mean prediction"}}) {
    LineChart chart{.title = title, .x_label = "training time, s", .y_label = "nats", .points = {}};
    for (const json& line : lines)
      if (line.contains(key) && line.contains("seconds"))
        chart.points.emplace_back(line.at("seconds").get<double>(), line.at(key).get<double>());
    charts += to_svg(chart);
  }
  return html_section("Training", "A point per epoch.",
                      charts.empty() ? "" : fmt::format("<div class=\"charts\">\n{}</div>\n", charts));
}

}  // namespace

std::string render_rows_page(const RowRun& run, const json& summary, const std::optional<Evaluation>& evaluation) {
  return html_page(fmt::format("{} clusters of {} rows by {}", run.clusters, run.rows(), name_of(run.settings.method)),
                   facts(summary, lost_row_lines(run)) + scores(evaluation) + clusters(summary, evaluation) +
                       unusual(summary) + confusion(evaluation) + candidates(summary) + curves(run));
}

}  // namespace kith
