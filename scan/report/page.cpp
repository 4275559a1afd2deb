#include "scan/report/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "kernels/core/check.h"
#include "scan/report/page_pictures.h"
#include "scan/report/page_shell.h"
#include "scan/report/page_svg.h"
#include "scan/text/table.h"

namespace kith {
namespace {

using nlohmann::json;

struct Quantity {
  const char *key, *title, *unit;
  LineChart::Range range;
};
// Fields of a line of metrics.jsonl that are drawn, in this order.
constexpr Quantity kQuantities[] = {
    {"loss", "Loss", "nats", LineChart::Range::data},
    {"consistency", "Consistency of neighbours", "nats", LineChart::Range::data},
    {"entropy", "Entropy of the mean prediction", "nats", LineChart::Range::data},
    {"kept", "Samples kept as confident", "share of batch", LineChart::Range::from_zero},
    {"lr", "Learning rate", "step size", LineChart::Range::from_zero},
    {"images_per_second", "Speed", "images / s", LineChart::Range::from_zero},
};

constexpr int kLargestMap = 200;  // clusters or classes; a larger matrix is left to confusion.csv

std::string facts(const PageInput& in) {
  std::string out;
  for (const auto& [name, value] : in.facts)
    out += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", escape_html(name), escape_html(value));
  return out.empty() ? "" : fmt::format("<dl>\n{}</dl>\n", out);
}

// Clusters are more or fewer than classes: one-to-one matching leaves some of either out.
bool uneven(const PageInput& in) {
  return in.evaluation && in.evaluation->scores && in.evaluation->table.clusters != in.evaluation->table.classes;
}

std::string summary(const PageInput& in) {
  if (in.methods.empty()) return "";
  Scores best;
  for (const auto& [name, s] : in.methods)
    best = {.acc = std::max(best.acc, s.acc),
            .nmi = std::max(best.nmi, s.nmi),
            .ari = std::max(best.ari, s.ari),
            .acc_many_to_one = std::max(best.acc_many_to_one, s.acc_many_to_one)};
  const auto cell = [](double value, double most) {
    return fmt::format("<td{}>{}</td>", value == most ? " class=\"best\"" : "", percent(value));
  };
  const bool many = uneven(in);
  std::string rows;
  for (const auto& [name, s] : in.methods)
    rows += fmt::format("<tr><td>{}</td>{}<td class=\"bar\"><div style=\"width:{:.1f}%\"></div></td>{}{}{}</tr>\n",
                        escape_html(name), cell(s.acc, best.acc), 100 * s.acc,
                        many ? cell(s.acc_many_to_one, best.acc_many_to_one) : "", cell(s.nmi, best.nmi),
                        cell(s.ari, best.ari));
  return html_section(
      "Scores",
      fmt::format(
          "Per cent, on the scored split. ACC: clusters matched one-to-one to classes{}. NMI: normalised mutual "
          "information. ARI: adjusted Rand index. Labels are used for these figures only; bars show ACC.",
          many ? ", which leaves some out where there are not as many; many-to-one: each counted for its most "
                 "frequent class"
               : ""),
      html_scroll(fmt::format(
          "<table class=\"scores\"><tr><th>Method</th><th>ACC</th><th></th>{}<th>NMI</th><th>ARI</th></tr>\n{}"
          "</table>",
          many ? "<th>ACC, many-to-one</th>" : "", rows)));
}

// What refinement learned from, as it was logged.
std::string reliability(const PageInput& in) {
  if (!in.refined) return "";
  const auto of = std::find_if(in.metrics.rbegin(), in.metrics.rend(), [](const json& line) {
    return line.value("stage", "") == "refine" && line.contains("reliable_per_cluster");
  });
  if (of == in.metrics.rend()) return "";
  std::string head, cells;
  const json& counts = of->at("reliable_per_cluster");
  for (size_t c = 0; c < counts.size(); ++c) {
    head += fmt::format("<th>{}</th>", c);
    cells += fmt::format("<td>{}</td>", counts[c].get<int64_t>());
  }
  const int64_t all = of->at("reliable").get<int64_t>(), below = of->value("below_the_rule", int64_t{0});
  std::string text = fmt::format(
      "{} of {} labels were learned from. {} are reliable: most of the image's neighbours share "
      "them and the network is sure",
      all, of->at("of").get<int64_t>(), all - below);
  if (below > 0) text += fmt::format("; {} are not, taken where clusters had too few", below);
  if (of->contains("precision"))
    text += fmt::format("; {} % of all of them are right", percent(of->at("precision").get<double>()));
  const bool shown = counts.size() <= kLargestMap;
  return html_section(
      "Reliable labels", text + ".",
      shown ? html_scroll(fmt::format(
                  "<table class=\"wide\"><tr><th>Cluster</th>{}</tr><tr><td>Images</td>{}</tr></table>", head, cells))
            : "\n");
}

// Where the lines of a stage lie on the x axis: in epochs, those within one by the time of its course. Training time where a
// line that says when it was does not say its epoch.
class Course {
 public:
  explicit Course(const std::vector<const json*>& lines) {
    for (const json* line : lines) {
      if (number_at(*line, "seconds") && !number_at(*line, "epoch")) by_epoch_ = false;
      if (line->value("epoch_end", false) && number_at(*line, "epoch") && number_at(*line, "seconds"))
        ends_[line->at("epoch").get<double>()] = line->at("seconds").get<double>();
    }
  }

  const char* label() const { return by_epoch_ ? "epoch" : "training time, s"; }

  std::optional<double> at(const json& line) const {
    const std::optional<double> seconds = number_at(line, "seconds");
    if (!by_epoch_ || !seconds) return seconds;
    const double epoch = line.at("epoch").get<double>();
    const auto before = ends_.find(epoch - 1), after = ends_.find(epoch);
    const double from = before == ends_.end() ? 0 : before->second;
    if (after == ends_.end() || !(after->second > from)) return epoch;
    return epoch - 1 + std::clamp((*seconds - from) / (after->second - from), 0.0, 1.0);
  }

  static std::optional<double> number_at(const json& line, const char* key) {
    const auto value = line.find(key);
    return value == line.end() || !value->is_number() ? std::nullopt : std::optional(value->get<double>());
  }

 private:
  bool by_epoch_ = true;
  std::map<double, double> ends_;  // seconds at the end of each epoch
};

// The points of one quantity of a stage: the lines of steps where there are any, else those of epochs.
std::vector<std::pair<double, double>> points_of(const Course& course, const std::vector<const json*>& lines,
                                                 const char* key) {
  std::vector<std::pair<double, double>> steps, epochs;
  for (const json* line : lines) {
    const auto x = course.at(*line), y = Course::number_at(*line, key);
    if (x && y) (line->value("epoch_end", false) ? epochs : steps).emplace_back(*x, *y);
  }
  auto& points = steps.size() >= 3 ? steps : epochs;
  std::stable_sort(points.begin(), points.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  return points;
}

std::string curves(const PageInput& in) {
  std::vector<std::string> order;
  std::map<std::string, std::vector<const json*>> stages;
  for (const json& line : in.metrics) {
    const auto stage = line.find("stage");
    if (stage == line.end() || !stage->is_string()) continue;
    auto& lines = stages[stage->get<std::string>()];
    if (lines.empty()) order.push_back(stage->get<std::string>());
    lines.push_back(&line);
  }
  std::string out;
  for (const std::string& stage : order) {
    std::string charts;
    const Course course(stages[stage]);
    for (const Quantity& q : kQuantities)
      charts += to_svg(LineChart{.title = q.title,
                                 .x_label = course.label(),
                                 .y_label = q.unit,
                                 .points = points_of(course, stages[stage], q.key),
                                 .range = q.range});
    if (!charts.empty())
      out += fmt::format("<h3>{}</h3>\n<div class=\"charts\">\n{}</div>\n", escape_html(stage), charts);
  }
  return html_section(
      "Training",
      "The loss of the clustering stage is negative by design: it subtracts a multiple of the entropy of the mean "
      "prediction.",
      out);
}

// Rows in the order of their classes, so that right answers lie on the diagonal; clusters without a class come last.
std::string confusion(const PageInput& in) {
  if (!in.evaluation) return "";
  const Contingency& table = in.evaluation->table;
  const std::vector<int> class_of = shown_classes(*in.evaluation);
  if (std::max(table.clusters, table.classes) > kLargestMap) return "";
  std::vector<int> order(table.clusters);
  for (int c = 0; c < table.clusters; ++c) order[c] = c;
  const auto rank = [&](int c) { return class_of[c] < 0 ? table.classes : class_of[c]; };
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return rank(a) < rank(b); });
  HeatMap map{.x_label = "class (label)",
              .y_label = uneven(in) ? "cluster: most frequent class" : "cluster: matched class",
              .columns = in.evaluation->class_names,
              .rows = {},
              .counts = {}};
  for (const int c : order) {
    map.rows.push_back(fmt::format("{}: {}", c, class_of[c] < 0 ? "none" : in.evaluation->class_names[class_of[c]]));
    for (int k = 0; k < table.classes; ++k) map.counts.push_back(table.at(c, k));
  }
  return html_section("Confusion matrix", "Samples of each cluster by class; the shade is the share of the cluster.",
                      html_scroll(to_svg(map)));
}

std::string purity(const PageInput& in) {
  std::string charts, values;
  for (const auto& [split, over_k] : in.purity) {
    LineChart chart{.title = "Purity over K, " + split + " images",
                    .x_label = "K, nearest neighbours",
                    .y_label = "per cent",
                    .points = {}};
    for (size_t k = 0; k < over_k.size(); ++k) chart.points.emplace_back(static_cast<double>(k + 1), 100 * over_k[k]);
    charts += to_svg(chart);
    if (over_k.empty()) continue;
    values += fmt::format(" {}: {} % of the nearest", split, percent(over_k.front()));
    if (over_k.size() > 1) values += fmt::format(", {} % of the first {}", percent(over_k.back()), over_k.size());
    values += ".";
  }
  return html_section("Purity over K",
                      "How many of an image's first K mined neighbours are of its class, on average." +
                          escape_html(values) + " More neighbours teach the clusters more, and more that is wrong.",
                      charts.empty() ? "" : "<div class=\"charts\">\n" + charts + "</div>\n");
}

std::string map_of(const PageInput& in) {
  if (in.map.empty()) return "";
  const std::vector<std::string> names =
      cluster_titles(in.evaluation ? &*in.evaluation : nullptr,
                     in.evaluation ? static_cast<size_t>(in.evaluation->table.clusters) : in.prototypes.size());
  return html_section(
      "Map",
      fmt::format(
          "{} of the scored images, laid out (as UMAP does it) so that neighbours in the final network's features lie "
          "together; distances between far groups mean little. Point at one to see it, choose a cluster to see it "
          "alone.",
          in.map.size()),
      map_figure(in.map, *in.images, names));
}

// What made the run, for whoever has nothing but this page.
std::string origin(const PageInput& in) {
  if (in.command.empty()) return "";
  return html_section(
      "How it was made",
      "This command makes it anew, where the data lies in the same place." +
          (in.command_note.empty() ? "" : " " + escape_html(in.command_note)),
      fmt::format("<pre>{}</pre>\n<details><summary>Its whole configuration</summary><pre>{}</pre></details>\n",
                  escape_html(in.command), escape_html(in.config)));
}

std::string clusters(const PageInput& in) {
  std::string about =
      "The prototype first (the sample nearest to the mean of the cluster's confident samples), then the most "
      "confident samples.";
  if (in.evaluation)
    about += fmt::format(
        "</p>\n<p>{} Purity: the share of the most frequent class.</p>\n<p><span class=\"key\"></span>label is the {} "
        "class<span class=\"key wrong\"></span>another label",
        uneven(in) ? "A cluster is named after its most frequent class."
                   : "A cluster is named after the class it is matched to, one-to-one, which need not be its most "
                     "frequent one.",
        uneven(in) ? "cluster's most frequent" : "matched");
  return html_section("Clusters", about, cluster_rows(in));
}

}  // namespace

std::string render_page(const PageInput& in) {
  const std::string pictures = clusters(in) + purity(in) + picture_sections(in);
  return html_page(in.title, facts(in) + summary(in) + reliability(in) + confusion(in) + map_of(in) + pictures +
                                 (pictures.find("<img ") == pictures.npos ? "" : picture_script()) + curves(in) +
                                 origin(in));
}

}  // namespace kith
