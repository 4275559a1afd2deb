#include "scan/ablate/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <string_view>

#include "scan/report/page_figures.h"
#include "scan/report/page_shell.h"
#include "scan/report/page_svg.h"
#include "scan/run/made.h"
#include "scan/text/table.h"

namespace kith {
namespace {

constexpr size_t kMostRows = 200;  // settings in a picture
constexpr size_t kWrapped = 16;    // characters: longer names are broken, so that figures have room

std::string facts(const GridPageInput& in) {
  std::vector<std::pair<std::string, std::string>> all = in.facts;
  std::ranges::move(made_facts(), std::back_inserter(all));
  std::string out = html_facts(all);
  for (const std::string& warning : in.warnings)
    out += fmt::format("<p class=\"warning\">{}.</p>\n", escape_html(warning));
  return out;
}

// The last stage first.
std::vector<std::string> final_accuracies(bool many_to_one) {
  std::vector<std::string> keys;
  for (const std::string stage : {"refine", "selflabel", "scan"})
    keys.push_back(stage + (many_to_one ? "_acc_many_to_one" : "_acc"));
  return keys;
}

// ACC of the final model: of the last of SCAN, self-labelling and refinement that a run has; many-to-one where the grid has such
// figures.
const Spread* final_accuracy(const GridResults& results, size_t setting, bool many_to_one) {
  const Spread* of = nullptr;
  for (const std::string& key : final_accuracies(many_to_one))
    if (of == nullptr) of = results.find(setting, key.c_str());
  return of;
}

bool has(const GridResults& results, std::string_view key) {
  return std::ranges::any_of(results.figures, [&](const Figure& f) { return f.key == key; });
}

DotChart::Mark mark_of(const Spread* s) {
  if (s == nullptr) return {};
  DotChart::Mark mark{.values = s->values, .mean = 100 * s->mean, .deviation = 100 * s->deviation.value_or(0)};
  for (double& v : mark.values) v *= 100;
  return mark;
}

std::string dots(const Grid& grid, const GridResults& results) {
  DotChart chart{.x_label = "ACC, per cent", .series = {}, .rows = {}, .marks = {}};
  std::vector<Figure> shown;
  for (const Figure& f : results.figures)
    if (const std::string key = f.key;
        key == "kmeans_acc" || key == "scan_acc" || key == "selflabel_acc" || key == "refine_acc")
      shown.push_back(f);
  for (const Figure& f : shown) chart.series.emplace_back(f.title);
  for (size_t s = 0; s < std::min(grid.settings.size(), kMostRows); ++s) {
    std::vector<DotChart::Mark> marks;
    for (const Figure& f : shown) marks.push_back(mark_of(results.find(s, f.key)));
    if (std::ranges::all_of(marks, [](const DotChart::Mark& m) { return m.values.empty(); })) continue;  // no labels
    chart.rows.push_back(grid.settings[s].name);
    chart.marks.push_back(std::move(marks));
  }
  return html_section(
      "Accuracy of every setting",
      "One-to-one, on the scored split. A large dot is the mean over the seeds, a line its standard deviation "
      "to both sides, small dots the single runs.",
      shown.empty() ? "" : html_scroll(to_svg(chart)));
}

// The last column across, all others down; nothing for a grid of one dimension.
std::string map(const Grid& grid, const GridResults& results) {
  if (!has(results, "scan_acc") || grid.columns.size() < 2 || grid.settings.size() > kMostRows) return "";
  const size_t across = grid.extents.back(), down = grid.settings.size() / across;
  if (across < 2 || down < 2) return "";
  ValueMap m{.x_label = grid.columns.back(), .y_label = {}, .columns = {}, .rows = {}, .values = {}, .texts = {}};
  for (size_t c = 0; c + 1 < grid.columns.size(); ++c) m.y_label += (c == 0 ? "" : ", ") + grid.columns[c];
  for (size_t j = 0; j < across; ++j) m.columns.push_back(grid.settings[j].values.back());
  for (size_t i = 0; i < down; ++i) {
    const auto& values = grid.settings[i * across].values;
    std::string name;
    for (size_t c = 0; c + 1 < values.size(); ++c) name += (c == 0 ? "" : ", ") + values[c];
    m.rows.push_back(name);
  }
  const bool many_to_one = has(results, "scan_acc_many_to_one");
  for (size_t s = 0; s < grid.settings.size(); ++s) {
    const Spread* value = final_accuracy(results, s, many_to_one);
    m.values.push_back(value == nullptr ? std::nullopt : std::optional(value->mean));
    m.texts.push_back(value == nullptr ? "-" : spread_text({"acc", "ACC"}, *value));
  }
  return html_section(
      "Accuracy over the grid",
      fmt::format("ACC of the final model, {}, per cent, mean and standard deviation over the seeds; the shade "
                  "goes from the least to the largest.",
                  many_to_one ? "many-to-one: each cluster counts for its most frequent class" : "one-to-one"),
      html_scroll(to_svg(m)));
}

std::string explanation(const GridResults& results, const GridPageInput& in, const std::string& rows) {
  std::string text = "Per cent, mean+-standard deviation over the seeds. ";
  text += has(results, "scan_acc") ? "Labels are used for these figures only, and not for" : "No run has labels. As to";
  text += " the agreement of seeds: the mean NMI of every two seeds' clusterings. ";
  if (has(results, "mean_confidence"))
    text += "Confidence, silhouette and the agreement of heads tell how sure a network is, not whether it is right. ";
  if (in.chance) {
    const std::string least = percent(in.chance->first), most = percent(in.chance->second);
    text += fmt::format("By chance, the images drawn at random into a run's final clusters, ACC is {}. ",
                        least == most ? least : least + " to " + most);
  }
  if (rows.find("class=\"best\"") == rows.npos) return text;
  return text + fmt::format("The best of a{} column{} is bold: differences within the deviations are noise.",
                            has(results, "mean_confidence") ? "ny other" : "",
                            in.data.empty() ? "" : ", of each data set,");
}

// Figures in the order of the page: what each run came to in the end stands beside its name.
std::vector<size_t> shown_order(const GridResults& results) {
  std::vector<size_t> order;
  const auto add = [&](auto&& wanted) {
    for (size_t f = 0; f < results.figures.size(); ++f)
      if (wanted(results.figures[f].key) && std::ranges::find(order, f) == order.end()) order.push_back(f);
  };
  for (const std::string& key : final_accuracies(has(results, "scan_acc_many_to_one")))
    add([&](const char* of) { return of == key; });
  add([](const char*) { return true; });
  return order;
}

// Of each data set the largest mean of a column, as it is shown, where there are two to compare.
class Best {
 public:
  Best(const GridResults& results, const std::vector<std::string>& data) : results_(results), data_(data) {
    for (size_t s = 0; s < results.of.size(); ++s)
      for (size_t f = 0; f < results.figures.size(); ++f)
        if (const Spread& of = results.of[s][f]; !of.values.empty()) {
          Column& column = columns_[{of_setting(s), f}];
          column.largest = column.shown++ == 0 ? of.mean : std::max(column.largest, of.mean);
        }
  }
  bool is(size_t setting, size_t figure) const {
    const Figure& f = results_.figures[figure];
    const Spread& of = results_.of[setting][figure];
    if (!f.share || !f.ranked || of.values.empty()) return false;
    const Column& column = columns_.at({of_setting(setting), figure});
    return column.shown > 1 && percent(of.mean) == percent(column.largest);
  }

 private:
  struct Column {
    double largest = 0;
    int shown = 0;
  };
  std::string of_setting(size_t s) const { return data_.empty() ? std::string() : data_.at(s); }
  const GridResults& results_;
  const std::vector<std::string>& data_;
  std::map<std::pair<std::string, size_t>, Column> columns_;
};

std::string table(const Grid& grid, const GridResults& results, const GridPageInput& in) {
  std::string head, rows;
  const auto heading = [&](const std::string& text) { head += fmt::format("<th>{}</th>", escape_html(text)); };
  const std::vector<size_t> order = shown_order(results);
  const size_t in_front = has(results, "scan_acc") ? 1 : 0;  // of the number of seeds
  const auto seeds = [&](size_t at, auto&& add) {
    if (at == in_front) add();
  };
  const Best best(results, in.data);
  for (const std::string& column : grid.columns) heading(column);
  if (grid.columns.empty()) heading("setting");
  for (size_t i = 0; i < order.size(); ++i) {
    seeds(i, [&] { heading("seeds"); });
    heading(results.figures[order[i]].title);
  }
  for (size_t s = 0; s < grid.settings.size(); ++s) {
    rows += "<tr>";
    for (const std::string& value : grid.settings[s].values)
      rows += fmt::format("<td{}>{}</td>", value.size() > kWrapped ? " class=\"setting\"" : "", escape_html(value));
    if (grid.columns.empty()) rows += "<td>base</td>";
    for (size_t i = 0; i < order.size(); ++i) {
      seeds(i, [&] { rows += fmt::format("<td>{}/{}</td>", results.finished[s], results.wanted[s]); });
      rows += fmt::format("<td{}>{}</td>", best.is(s, order[i]) ? " class=\"best\"" : "",
                          spread_text(results.figures[order[i]], results.of[s][order[i]]));
    }
    rows += "</tr>\n";
  }
  return html_section("Table", explanation(results, in, rows),
                      html_scroll(fmt::format("<table class=\"wide grid\"><tr>{}</tr>\n{}</table>", head, rows)));
}

std::string failures(const GridPageInput& in) {
  std::string rows;
  for (const auto& [name, error] : in.failed)
    rows += fmt::format("<tr><td>{}</td><td style=\"text-align:left\">{}</td></tr>\n", escape_html(name),
                        escape_html(error));
  return html_section("Failed runs", "They are missing in the figures above.",
                      rows.empty() ? "" : html_scroll("<table>" + rows + "</table>"));
}

}  // namespace

std::optional<std::pair<double, double>> chance_of(const GridResults& results, const std::vector<nlohmann::json>& all) {
  return chance_accuracy(all, has(results, "scan_acc_many_to_one") ? "acc_many_to_one" : "acc");
}

std::string render_grid_page(const Grid& grid, const GridResults& results, const GridPageInput& in) {
  const bool any = std::ranges::any_of(results.finished, [](int n) { return n > 0; });
  return html_page(in.title, facts(in) +
                                 (any ? map(grid, results) + dots(grid, results) + table(grid, results, in) : "") +
                                 failures(in) + html_command(in.command));
}

}  // namespace kith
