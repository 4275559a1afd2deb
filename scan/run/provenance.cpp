#include "scan/run/provenance.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "data/dataset/dataset.h"
#include "kernels/core/check.h"

namespace kith {
namespace {

void append(std::string& list, const std::string& item) {
  if (item.empty()) return;
  if (!list.empty()) list += "; ";
  list += item;
}

// Eight digits of a digest are enough to see that two differ.
std::string shortened(const std::string& text) {
  constexpr size_t kDigest = 32, kShown = 8;
  const bool ends_in_digest = text.size() >= kDigest && std::all_of(text.end() - kDigest, text.end(),
                                                                    [](unsigned char c) { return std::isxdigit(c); });
  return ends_in_digest ? text.substr(0, text.size() - kDigest + kShown) : text;
}

std::string default_of(const std::string& name) {
  RunConfig plain;
  for (const Field& field : fields(plain))
    if (field.name == name) return format_value(field);
  return "unknown to this version";
}

// Among the parts of the data stand the fields of how it was read: told where the images differ, which alone are compared.
bool is_field(const std::string& part) { return part.starts_with("data."); }

using Values = Origin::Values;

// Calls of(key, was, now) for every key of either whose values differ; null: not there.
template <class F>
void for_each_difference(const Values& was, const Values& now, F&& of) {
  Values all = was;
  all.insert(now.begin(), now.end());
  const auto find = [](const Values& in, const std::string& key) {
    const auto at = in.find(key);
    return at == in.end() ? nullptr : &at->second;
  };
  for (const auto& [key, ignored] : all) {
    const std::string *w = find(was, key), *n = find(now, key);
    if (!w || !n || *w != *n) of(key, w, n);
  }
}

}  // namespace

std::span<const StageInfo> stage_table() {
  static const std::vector<StageInfo> table = {
      {.name = "pretext",
       .command = "pretext",
       .affects = Affects::pretext,
       .data = {"train images", "unlabelled images", "normalisation"},
       .inputs = {},
       .outputs = {"pretext.safetensors"}},
      {.name = "features",
       .command = "pretext",
       .affects = Affects::nothing,
       .data = {"train images", "test images", "normalisation"},
       .inputs = {"pretext.safetensors"},
       .outputs = {"features_train.npy", "features_test.npy"}},
      {.name = "mine",
       .command = "mine",
       .affects = Affects::mine,
       .data = {},
       .inputs = {"features_train.npy", "features_test.npy"},
       .outputs = {"neighbours_train.npy", "neighbours_test.npy"}},
      {.name = "cluster",
       .command = "cluster",
       .affects = Affects::cluster,
       .data = {"train images", "test images", "normalisation"},
       .inputs = {"pretext.safetensors", "neighbours_train.npy", "neighbours_test.npy"},
       .outputs = {"cluster.safetensors"}},
      {.name = "selflabel",
       .command = "selflabel",
       .affects = Affects::selflabel,
       .data = {"train images", "normalisation"},
       .inputs = {"cluster.safetensors"},
       .outputs = {"selflabel.safetensors"}},
      {.name = "refine",
       .command = "refine",
       .affects = Affects::refine,
       .data = {"train images", "normalisation"},
       .inputs = {"cluster.safetensors", "selflabel.safetensors"},
       .outputs = {"refine.safetensors"}},
      {.name = "evaluate",
       .command = "evaluate",
       .affects = Affects::evaluate,
       .data = {"train images", "test images", "train labels", "test labels", "class names", "normalisation"},
       .inputs = {"pretext.safetensors", "features_train.npy", "features_test.npy", "neighbours_train.npy",
                  "neighbours_test.npy", "cluster.safetensors", "selflabel.safetensors", "refine.safetensors"},
       .outputs = {"assignments.npy", "assignments_train.npy", "probabilities.npy", "summary.json"}}};
  return table;
}

const StageInfo& stage_info(const std::string& name) {
  const auto stages = stage_table();
  const auto at = std::ranges::find(stages, name, &StageInfo::name);
  check(at != stages.end(), "no stage " + name);
  return *at;
}

bool takes_part(const RunConfig& config, const std::string& stage) {
  return (stage != "selflabel" || config.selflabel.enabled) && (stage != "refine" || config.refine.enabled);
}

std::vector<std::string> inputs_of(const RunConfig& config, const StageInfo& stage) {
  std::vector<std::string> files = stage.inputs;
  for (const StageInfo& maker : stage_table())
    if (!takes_part(config, maker.name))
      for (const std::string& file : maker.outputs) std::erase(files, file);
  if (stage.name == "refine" && config.selflabel.enabled) std::erase(files, "cluster.safetensors");
  return files;
}

bool StageInfo::reads(const std::string& file) const { return std::ranges::find(inputs, file) != inputs.end(); }

std::vector<const StageInfo*> stages_before(const StageInfo& stage) {
  std::vector<const StageInfo*> found;
  const std::span<const StageInfo> stages = stage_table();
  for (size_t i = stages.size(); i-- > 0;)  // backwards: all that read a stage's files are known when it is looked at
    if (std::ranges::any_of(stages[i].outputs, [&](const std::string& file) {
          return stage.reads(file) || std::ranges::any_of(found, [&](const StageInfo* f) { return f->reads(file); });
        }))
      found.insert(found.begin(), &stages[i]);
  return found;
}

nlohmann::json to_json(const Origin& o) { return {{"data", o.data}, {"fields", o.fields}, {"inputs", o.inputs}}; }

Origin origin_from_json(const nlohmann::json& j) {
  return {.data = j.at("data").get<Values>(),
          .fields = j.at("fields").get<Values>(),
          .inputs = j.at("inputs").get<Values>()};
}

Values deciding_fields(const RunConfig& config, Affects affects) {
  RunConfig now = config, plain;
  const std::vector<Field> values = fields(now), defaults = fields(plain);
  Values out;
  for (size_t i = 0; i < values.size(); ++i)
    if (affects != Affects::nothing && values[i].affects == affects)
      if (const std::string value = format_value(values[i]); value != format_value(defaults[i]))
        out[values[i].name] = value;
  return out;
}

Values reading_of(const RunConfig& config) {
  RunConfig now = config;
  if (!now.data.spec.empty()) now.data.spec = data::kind_of(now.data.spec) + ":...";
  Values out;
  for (const Field& field : fields(now))
    if (field.affects == Affects::images) out[field.name] = format_value(field);
  return out;
}

OriginDifference difference(const Origin& was, const Origin& now) {
  OriginDifference d;
  bool other_images = false;
  for_each_difference(was.data, now.data, [&](const std::string& part, const std::string*, const std::string*) {
    other_images |= part == "train images";
  });
  for_each_difference(was.data, now.data, [&](const std::string& part, const std::string* w, const std::string* n) {
    // Measured constants follow from the images, whose difference says more.
    if (is_field(part) || (part == "normalisation" && other_images)) return;
    append(d.data, fmt::format("the {} {} {}, now {}", part, part.ends_with("s") ? "were" : "was",
                               w ? shortened(*w) : "none", n ? shortened(*n) : "none"));
  });
  std::string reading;
  for_each_difference(was.data, now.data, [&](const std::string& part, const std::string* w, const std::string* n) {
    if (is_field(part) && w && n)  // earlier versions have none
      append(reading, fmt::format("{} was {}, now {}", part, *w, *n));
  });
  if (!d.data.empty() && !reading.empty()) d.data += fmt::format(" ({})", reading);
  for_each_difference(was.fields, now.fields, [&](const std::string& name, const std::string* w, const std::string* n) {
    append(d.fields, fmt::format("{} was {}, now {}", name, w ? *w : default_of(name), n ? *n : default_of(name)));
  });
  for_each_difference(was.inputs, now.inputs, [&](const std::string& file, const std::string*, const std::string* n) {
    if (n) append(d.inputs, file + " has changed");
  });
  return d;
}

std::string OriginDifference::text() const {
  std::string all = data;
  append(all, fields);
  append(all, inputs);
  return all;
}

}  // namespace kith
