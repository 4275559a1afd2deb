#include "apps/answers/predictions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "scan/text/csv.h"
#include "scan/text/json_text.h"

namespace kith {
namespace {

const std::string& name_of(const NamedAnswers& a, int32_t cluster) {
  return a.clusters.at(static_cast<size_t>(cluster));
}

std::string csv_head(const std::string& what, bool named, bool measured) {
  return what + (named ? ",cluster,name" : ",cluster") + ",confidence,runner_up,runner_up_confidence" +
         (measured ? ",distance\n" : "\n");
}

}  // namespace

bool NamedAnswers::named() const {
  return std::ranges::any_of(clusters, [](const std::string& name) { return !name.empty(); });
}

NamedAnswers named_answers(const Asked& asked, const std::vector<NamedImages>& parts,
                           std::vector<float>* probabilities) {
  NamedAnswers all{.images = {}, .answers = {}, .clusters = cluster_names(asked.run), .what = "image"};
  for (const NamedImages& part : parts) {
    const Answers found = answers(*asked.context, *asked.report, asked.run, part.images);
    all.images.insert(all.images.end(), part.names.begin(), part.names.end());
    all.answers.insert(all.answers.end(), found.each.begin(), found.each.end());
    all.measured = found.measured;
    if (probabilities)
      probabilities->insert(probabilities->end(), found.probabilities.begin(), found.probabilities.end());
  }
  return all;
}

std::vector<std::string> csv_heads() {
  std::vector<std::string> all;
  for (const char* what : {"image", "row"})
    for (const bool named : {false, true})
      for (const bool measured : {false, true}) all.push_back(csv_head(what, named, measured));
  return all;
}

std::string csv(const NamedAnswers& a) {
  const bool named = a.named();
  std::string out = csv_head(a.what, named, a.measured);
  for (size_t i = 0; i < a.answers.size(); ++i) {
    const Answer& one = a.answers[i];
    out += fmt::format("{},{},", csv_field(a.images[i]), one.cluster);
    if (named) out += csv_field(name_of(a, one.cluster)) + ",";
    out += fmt::format("{:.6g},{},{:.6g}", one.confidence, one.runner_up, one.runner_up_confidence);
    if (a.measured) out += std::isnan(one.distance) ? "," : fmt::format(",{:.6g}", one.distance);
    out += "\n";
  }
  return out;
}

std::string json_lines(const NamedAnswers& a) {
  const bool named = a.named();
  std::string out;
  for (size_t i = 0; i < a.answers.size(); ++i) {
    const Answer& one = a.answers[i];
    nlohmann::ordered_json line = {{a.what, a.images[i]}, {"cluster", one.cluster}};
    const std::string& name = name_of(a, one.cluster);
    if (named) line["name"] = name.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(name);
    line["confidence"] = one.confidence;
    line["runner_up"] = one.runner_up;
    line["runner_up_confidence"] = one.runner_up_confidence;
    if (a.what == "row") line["row"] = std::stoll(a.images[i]);  // a number
    if (a.measured)
      line["distance"] = std::isnan(one.distance) ? nlohmann::ordered_json() : nlohmann::ordered_json(one.distance);
    out += line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  }
  return out;
}

}  // namespace kith
