#include "scan/report/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "kernels/core/check.h"
#include "scan/report/page_confusion.h"
#include "scan/report/page_curves.h"
#include "scan/report/page_pictures.h"
#include "scan/report/page_scores.h"
#include "scan/report/page_shell.h"
#include "scan/report/page_svg.h"
#include "scan/text/table.h"

namespace kith {
namespace {

using nlohmann::json;

constexpr char kAboutCurves[] =
    "The loss of the clustering stage is negative by design: it subtracts a multiple of the entropy of the mean "
    "prediction.";
constexpr int kLargestMap = 200;  // clusters or classes; a larger matrix is left to confusion.csv

// Clusters are more or fewer than classes: one-to-one matching leaves some of either out.
bool uneven(const PageInput& in) {
  return in.evaluation && in.evaluation->scores && in.evaluation->table.clusters != in.evaluation->table.classes;
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

std::string purity(const PageInput& in) {
  std::string charts, values;
  for (const auto& [split, over_k] : in.purity) {
    LineChart chart{.title = "Purity over K, " + split + " images",
                    .x_label = "K, nearest neighbours",
                    .y_label = "per cent",
                    .points = {},
                    .places = LineChart::Places::whole};
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
      map_figure(in.map, in.images, names));
}

std::string origin(const PageInput& in) {
  if (in.command.empty()) return "";
  return html_origin(in.command, in.command_note, "Its whole configuration",
                     fmt::format("<pre>{}</pre>\n", escape_html(in.config)));
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
  return html_page(
      in.title, html_facts(in.facts) + score_section(in.methods, uneven(in) ? ManyToOne::shown : ManyToOne::left_out) +
                    reliability(in) + (in.evaluation ? confusion_section(*in.evaluation, "Samples", kLargestMap) : "") +
                    map_of(in) + pictures + (pictures.find("<img ") == pictures.npos ? "" : picture_script()) +
                    training_curves(in.metrics, kAboutCurves) + origin(in));
}

}  // namespace kith
