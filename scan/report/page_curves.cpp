#include "scan/report/page_curves.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "scan/report/page_shell.h"
#include "scan/report/page_svg.h"

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
    {"validation_loss", "Validation loss", "nats", LineChart::Range::data},
    {"consistency", "Consistency of neighbours", "nats", LineChart::Range::data},
    {"entropy", "Entropy of the mean prediction", "nats", LineChart::Range::data},
    {"kept", "Samples kept as confident", "share of batch", LineChart::Range::from_zero},
    {"knn", "k-NN accuracy", "share of images", LineChart::Range::data},
    {"acc", "ACC", "share of images", LineChart::Range::data},
    {"lr", "Learning rate", "step size", LineChart::Range::from_zero},
    {"images_per_second", "Speed", "images / s", LineChart::Range::from_zero},
};

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

  bool by_epoch() const { return by_epoch_; }

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

}  // namespace

std::string training_curves(std::span<const json> metrics, const std::string& about) {
  std::vector<std::string> order;
  std::map<std::string, std::vector<const json*>> stages;
  for (const json& line : metrics) {
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
                                 .x_label = course.by_epoch() ? "epoch" : "training time, s",
                                 .y_label = q.unit,
                                 .points = points_of(course, stages[stage], q.key),
                                 .range = q.range,
                                 .places = course.by_epoch() ? LineChart::Places::whole : LineChart::Places::any});
    if (!charts.empty())
      out += fmt::format("<h3>{}</h3>\n<div class=\"charts\">\n{}</div>\n", escape_html(stage), charts);
  }
  return html_section("Training", about, out);
}

}  // namespace kith
