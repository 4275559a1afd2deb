#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "data/formats/counted.h"
#include "data/formats/text.h"
#include "scan/features/judge.h"
#include "scan/metrics/judgement.h"
#include "scan/report/page_confusion.h"
#include "scan/report/page_curves.h"
#include "scan/report/page_scores.h"
#include "scan/report/page_shell.h"
#include "scan/report/page_svg.h"
#include "scan/run/made.h"
#include "scan/run/metrics_log.h"
#include "scan/text/table.h"

namespace kith {
namespace {

using nlohmann::json;

constexpr size_t kMostRows = 200;  // clusters in a table
constexpr int kMostCells = 60;     // clusters or classes of a confusion matrix

std::string number(const json& value, int digits) {
  return value.is_number() ? fmt::format("{:.{}f}", value.get<double>(), digits) : "-";
}

std::string share_of(const json& value) { return value.is_number() ? percent(value.get<double>()) : "-"; }

using Facts = std::vector<std::pair<std::string, std::string>>;

// "F.npy, 1000 x 64 f32" of each space.
std::string features_text(const RowRun& run) {
  std::string out;
  for (const FeatureRows& space : run.spaces)
    out += fmt::format("{}{}, {} x {} {}", out.empty() ? "" : "; ", data::printable(space.matrix().name()),
                       space.rows(), space.cols(), space.matrix().number_name());
  return out;
}

Facts facts_of_rows(const RowRun& run, const json& s) {
  const json& fit = s.at("fit");
  Facts out = {{"Features", features_text(run)},
               {"Method", s.at("method").get<std::string>()},
               {"Seed", s.at("settings").at("seed").dump()},
               {"Clusters", fmt::format("{}, {} used", s.at("clusters").get<int>(), s.at("clusters_used").get<int>())},
               {"Mean confidence", share_of(s.at("mean_confidence")) + " %"},
               {"Silhouette", number(s.at("silhouette").at("mean"), 3)}};
  if (fit.contains("agreement_of_heads"))
    out.emplace_back("Agreement of heads", number(fit.at("agreement_of_heads"), 3));
  if (s.contains("near_duplicates"))
    out.emplace_back("Copies and near-duplicates", s.at("near_duplicates").at("rows").dump());
  out.emplace_back("Training", fmt::format("{:.1f} s", fit.at("seconds").get<double>()));
  if (const std::string lost = lost_row_lines(run); !lost.empty()) out.emplace_back("Log", lost);
  std::ranges::move(made_facts(run.ctx), std::back_inserter(out));
  return out;
}

// The method, and what stands beside it.
std::string scores(const json& s, const std::optional<Evaluation>& e) {
  if (!e || !e->scores) return "";
  MethodScores methods = {{s.at("method").get<std::string>(), *e->scores}};
  for (const json& other : s.at("beside"))
    methods.emplace_back(other.at("name").get<std::string>(),
                         Scores{.acc = other.at("acc").get<double>(),
                                .nmi = other.at("nmi").get<double>(),
                                .ari = other.at("ari").get<double>(),
                                .acc_many_to_one = other.at("acc_many_to_one").get<double>()});
  return score_section(methods, e->table.clusters != e->table.classes ? ManyToOne::shown : ManyToOne::left_out);
}

std::string silhouettes(const json& s) {
  std::string rows;
  const auto add = [&](const json& name, const json& silhouette, const std::string& agreement) {
    rows += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n", escape_html(name.get<std::string>()),
                        number(silhouette, 3), agreement);
  };
  add(s.at("method"), s.at("silhouette").at("mean"), "");
  for (const json& other : s.at("beside"))
    if (!other.at("silhouette").is_null())
      add(other.at("name"), other.at("silhouette"), number(other.value("agreement", json()), 3));
  return html_section(
      "Silhouettes",
      "Without labels: how much nearer rows lie to their own cluster than to the next, from -1 to 1, as "
      "the method saw them. k-means is made for large ones. Agreement with the method's clusters is their normalised "
      "mutual information: 1 where both are the same.",
      fmt::format("<table><tr><th>Method</th><th>mean silhouette</th><th>agreement</th></tr>\n{}</table>\n", rows));
}

// "0: class 7", as clusters are called in the table of them.
std::vector<std::string> titles_of(const RowRun& run, const std::optional<Evaluation>& e) {
  std::vector<std::string> out;
  for (int c = 0; c < run.clusters; ++c) {
    const int cls = e ? e->clusters[c].report.cls : -1;
    out.push_back(!e        ? fmt::format("cluster {}", c)
                  : cls < 0 ? fmt::format("{}: no class", c)
                            : fmt::format("{}: class {}", c, e->class_names[cls]));
  }
  return out;
}

std::string map(const RowRun& run, const Judgement& judged) {
  return html_section(
      "Map",
      fmt::format(
          "{} of {} rows, laid out (as UMAP does it) so that neighbours by angle lie together; distances between "
          "far groups mean little. Point at one to see which it is, choose a cluster to see it alone.",
          judged.map.size(), run.rows()),
      map_figure(judged.map, nullptr, titles_of(run, judged.evaluation)));
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
      rows += shown(r.cls, r.share) + shown(r.share == r.purity ? r.cls : r.most, r.purity);  // on a tie both are
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

std::string candidates(const json& s) {
  if (!s.contains("candidates")) return "";
  LineChart chart{.title = "Silhouette",
                  .x_label = "clusters",
                  .y_label = "mean silhouette",
                  .points = {},
                  .places = LineChart::Places::whole};
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

// Every setting of the method, with what it means.
std::string settings(const RowSettings& s) {
  const auto answer = [](bool yes) { return yes ? "yes" : "no"; };
  std::string rows = fmt::format(
      "<tr><td>normalize</td><td>{}</td><td>rows of unit length</td></tr>\n"
      "<tr><td>standardize</td><td>{}</td><td>columns of mean 0 and deviation 1</td></tr>\n",
      answer(s.unit), answer(s.standardised));
  for (const RowSetting& of : settings_of(s.method))
    rows +=
        fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n", of.name, s.value(of.name), escape_html(of.about));
  return html_scroll("<table class=\"settings\"><tr><th>setting</th><th>value</th><th>what it is</th></tr>\n" + rows +
                     "</table>");
}

}  // namespace

std::string render_rows_page(const RowRun& run, const json& summary, const Judgement& judged,
                             const std::string& command) {
  const std::optional<Evaluation>& e = judged.evaluation;
  return html_page(fmt::format("{} clusters of {} rows by {}", run.clusters, run.rows(), name_of(run.settings.method)),
                   html_facts(facts_of_rows(run, summary)) + scores(summary, e) + silhouettes(summary) +
                       map(run, judged) + clusters(summary, e) + unusual(summary) +
                       (e ? confusion_section(*e, "Rows", kMostCells) : "") + candidates(summary) +
                       training_curves(finished_log(run.dir), "A point per epoch.") +
                       html_origin(command, "", "All settings of the method", settings(run.settings)));
}

}  // namespace kith
