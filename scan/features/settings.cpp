#include "scan/features/settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "kernels/core/check.h"
#include "scan/text/shell_word.h"

namespace kith {
namespace {

constexpr double kMany = 1e6;

constexpr RowSetting kKMeans[] = {
    {"restarts", 10, 1, 1000, true, "seedings, of which the one of least inertia is kept"},
    {"max_iterations", 300, 1, kMany, true, "Lloyd's iterations of a seeding"},
};
constexpr RowSetting kScan[] = {
    {"neighbours", 20, 1, 4096, true, "of each row, by cosine"},
    {"heads", 10, 1, 1000, true, "linear heads; the one of lowest validation loss is kept"},
    {"epochs", 50, 0, kMany, true, "passes over the rows"},
    {"batch", 512, 2, kMany, true, "rows of a step, each with one of its neighbours"},
    {"lr", 1e-3, 1e-12, 1e3, false, "step size of Adam"},
    {"weight_decay", 1e-4, 0, 10, false, "of Adam"},
    {"lambda", 5, 0, 1e3, false, "weight of the entropy of the mean prediction"},
};

constexpr RowSetting kTurtle[] = {
    {"steps", 6000, 0, 1e9, true, "of the task encoder"},
    {"inner_steps", 10, 1, kMany, true, "of the classifiers, in each step"},
    {"batch", 10000, 2, 1e9, true, "rows of a step, drawn without replacement"},
    {"lr", 1e-3, 1e-12, 1e3, false, "step size of Adam for the task encoder"},
    {"inner_lr", 1e-3, 1e-12, 1e3, false, "step size of Adam for the classifiers"},
    {"gamma", 10, 0, kMany, false, "weight of the entropy of the mean prediction"},
    {"tries", 1, 1, 1000, true, "seeds, of which the one of largest generalisation score is kept"},
    {"folds", 10, 2, 1000, true, "of the cross-validation that scores a try"},
};
constexpr RowSetting kTemi[] = {
    {"neighbours", 50, 1, 4096, true, "of each row, by cosine"},
    {"heads", 16, 1, 1000, true, "of which the one of least loss answers"},
    {"epochs", 100, 0, kMany, true, "passes over the rows"},
    {"batch", 1024, 2, kMany, true, "rows of a step, each with one of its neighbours"},
    {"lr", 1e-4, 1e-12, 1e3, false, "step size of AdamW for 256 rows, in proportion to the batch"},
    {"warmup", 0.2, 0, 1, false, "share of all steps in which the step size rises from 0"},
    {"weight_decay", 1e-4, 0, 10, false, "of AdamW"},
    {"beta", 0.6, 1e-3, 1, false, "power of the joint probabilities; 1: pointwise mutual information"},
    {"temperature", 0.1, 1e-3, 1e3, false, "of student and teacher"},
    {"momentum", 0.996, 0, 1, false, "of the teacher"},
    {"hidden", 512, 1, 65536, true, "width of a head"},
    {"bottleneck", 256, 1, 65536, true, "dimension of the unit rows before the last layer"},
};

const std::map<RowMethod, std::string> kNames = {
    {RowMethod::kmeans, "kmeans"}, {RowMethod::scan, "scan"}, {RowMethod::turtle, "turtle"}, {RowMethod::temi, "temi"}};

bool may_be(const RowSetting& s, double value) {
  return value >= s.least && value <= s.most && (!s.whole || value == std::trunc(value));
}

double number_of(const RowSetting& s, const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !may_be(s, value))
    throw Error(fmt::format("--set {}: expected {} from {} to {}; found '{}'", s.name,
                            s.whole ? "a whole number" : "a number", s.least, s.most, text));
  return value;
}

}  // namespace

std::vector<int> cluster_numbers(const std::string& text) {
  if (text == "auto") return {2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50};
  std::vector<int> out;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    int value = 0;
    const auto [last, error] = std::from_chars(text.data() + at, text.data() + end, value);
    if (error != std::errc() || last != text.data() + end || value < 2 || value > kMostClusters)
      throw Error(fmt::format("--clusters: expected a number from 2 to {}, several with commas, or auto; found '{}'",
                              kMostClusters, text));
    out.push_back(value);
    at = end + 1;
  }
  std::ranges::sort(out);
  out.erase(std::ranges::unique(out).begin(), out.end());
  return out;
}

std::string name_of(RowMethod method) { return kNames.at(method); }

std::vector<std::string> row_method_names() {
  std::vector<std::string> names;
  for (const auto& [method, text] : kNames) names.push_back(text);
  return names;
}

RowMethod row_method(const std::string& name) {
  for (const auto& [method, text] : kNames)
    if (text == name) return method;
  throw Error(fmt::format("--method: expected {}; found '{}'", fmt::join(row_method_names(), ", "), name));
}

std::span<const RowSetting> settings_of(RowMethod method) {
  switch (method) {
    case RowMethod::kmeans:
      return kKMeans;
    case RowMethod::scan:
      return kScan;
    case RowMethod::turtle:
      return kTurtle;
    case RowMethod::temi:
      return kTemi;
  }
  throw Error("settings of an unknown method");
}

RowSettings resolve(const RowRequest& request) {
  RowSettings out;
  out.method = row_method(request.method);
  out.clusters = cluster_numbers(request.clusters);
  out.seed = request.seed;
  const bool trained_as_stored = out.method == RowMethod::turtle || out.method == RowMethod::temi;
  out.unit = request.unit.value_or(!trained_as_stored);
  out.standardised = request.standardised.value_or(out.method == RowMethod::scan);
  const std::span<const RowSetting> known = settings_of(out.method);
  for (const RowSetting& s : known) out.values[s.name] = s.value;
  for (const std::string& text : request.overrides) {
    const size_t equal = std::min(text.find('='), text.size());
    const std::string name = text.substr(0, equal);
    const auto at = std::ranges::find_if(known, [&](const RowSetting& s) { return name == s.name; });
    if (at == known.end() || equal == text.size()) {
      std::vector<std::string_view> names;
      for (const RowSetting& s : known) names.emplace_back(s.name);
      throw Error(fmt::format("--set {}: expected NAME=NUMBER with one of {}'s settings, {}", text, name_of(out.method),
                              fmt::join(names, ", ")));
    }
    out.values[name] = number_of(*at, text.substr(equal + 1));
  }
  return out;
}

std::string row_command(const RowSettings& s, const RowCommand& of) {
  const RowSettings usual = resolve(
      {.method = name_of(s.method), .clusters = "2", .seed = s.seed, .unit = {}, .standardised = {}, .overrides = {}});
  const auto answer = [](bool yes) { return yes ? "yes" : "no"; };
  std::string text = "kith cluster";
  for (const std::string& file : of.features) text += " --features " + shell_word(file);
  text += fmt::format(" --clusters {} --method {} --seed {}", fmt::join(s.clusters, ","), name_of(s.method), s.seed);
  if (s.unit != usual.unit) text += fmt::format(" --normalize {}", answer(s.unit));
  if (s.standardised != usual.standardised) text += fmt::format(" --standardize {}", answer(s.standardised));
  for (const auto& [name, value] : s.values)
    if (value != usual.value(name)) text += fmt::format(" --set {}={}", name, value);
  if (!of.labels.empty()) text += " --labels " + shell_word(of.labels);
  return text + " --out " + shell_word(of.out);
}

nlohmann::json to_json(const RowSettings& s) {
  return {{"method", name_of(s.method)}, {"clusters", s.clusters},        {"seed", s.seed},
          {"normalize", s.unit},         {"standardize", s.standardised}, {"values", s.values}};
}

RowSettings row_settings_from(const nlohmann::json& j) {
  // Beyond 64 bits a number is a float to the parser, of which no integer can be made.
  for (const nlohmann::json& clusters : j.at("clusters"))
    if (!clusters.is_number_integer()) throw Error("clusters: expected whole numbers");
  if (!j.at("seed").is_number_unsigned()) throw Error("seed: expected a whole number");
  RowSettings out{.method = row_method(j.at("method").get<std::string>()),
                  .clusters = j.at("clusters").get<std::vector<int>>(),
                  .seed = j.at("seed").get<uint64_t>(),
                  .unit = j.at("normalize").get<bool>(),
                  .standardised = j.at("standardize").get<bool>(),
                  .values = j.at("values").get<std::map<std::string, double>>()};
  if (out.clusters.empty()) throw Error("clusters: expected a number");
  for (const int clusters : out.clusters)
    if (clusters < 2 || clusters > kMostClusters)
      throw Error(fmt::format("clusters: expected 2 to {}; found {}", kMostClusters, clusters));
  const std::span<const RowSetting> known = settings_of(out.method);
  for (const RowSetting& s : known)
    if (!may_be(s, out.values.at(s.name)))
      throw Error(fmt::format("{}: expected {} to {}; found {}", s.name, s.least, s.most, out.values.at(s.name)));
  if (out.values.size() != known.size()) throw Error(fmt::format("a setting that {} has not", name_of(out.method)));
  if (to_json(out) != j) throw Error("numbers or fields that are no settings");  // 4294967298 becomes 2, say
  return out;
}

}  // namespace kith
