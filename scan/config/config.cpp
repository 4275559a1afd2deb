#include "scan/config/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "data/dataset/dataset.h"
#include "data/formats/text.h"
#include "kernels/core/check.h"
#include "scan/config/config_assign.h"
#include "scan/config/config_fields.h"
#include "scan/config/presets.h"
#include "scan/text/wrap.h"

namespace kith {
namespace {

constexpr size_t kNameShown = 100;  // bytes of a name that messages quote

// "pretext.epochs=20", with or without spaces around the sign.
void set_override(RunConfig& config, const std::string& text, Places& places) {
  Source source{"--set " + text, "", false};
  const size_t equals = text.find('=');
  const std::string path = overridden_field(text);
  if (equals == std::string::npos || path.empty()) throw Error(source.name + ": expected section.field=value");
  if (path == "preset")
    throw Error(source.name + ": a preset is chosen by --preset; this would only rename the one in use");
  source.text = trimmed(std::string_view(text).substr(equals + 1));
  const toml::table value = parse_value(source.text);
  set_field(config, path, *value.get("value"), source, places);
}

Source find_preset(const std::string& name) {
  if (const auto preset = std::ranges::find(presets(), name, &Preset::name); preset != presets().end())
    return {std::string(preset->name) + ".toml", std::string(preset->text)};
  if (!std::ifstream(name) || std::filesystem::is_directory(name))
    throw Error(fmt::format("{}: neither a preset nor a readable file{}; kith presets lists them", name,
                            data::nearest_hint(name, preset_names())));
  return read_source(name);
}

// Error for a name that no data set has, as it would never be used.
void expect_data_set(const std::string& name, const std::string& where) {
  const std::vector<std::string> known = data::dataset_names();
  if (std::ranges::find(known, name) == known.end())
    throw Error(fmt::format("{}: no data set has the name '{}'{}", where, beginning_of(name, kNameShown),
                            data::nearest_hint(name, known)));
}

// Takes made_for = ["NAME"] out of a document: what it is said to be for, and no field.
std::vector<std::string> take_made_for(toml::table& document, const Source& source) {
  const toml::node* node = document.get("made_for");
  if (node == nullptr) return {};
  const std::string where = place(source, node->source()) + ": made_for";
  const toml::array* list = node->as_array();
  if (list == nullptr || !list->is_homogeneous(toml::node_type::string))
    throw Error(fmt::format("{}: expected a list of data sets, [\"cifar10\"]; found {}", where, found(source, *node)));
  std::vector<std::string> names;
  for (const toml::node& name : *list) expect_data_set(names.emplace_back(*name.value<std::string>()), where);
  document.erase("made_for");
  return names;
}

// Takes the sections [for.NAME] out of a document.
toml::table take_for(toml::table& document, const Source& source) {
  toml::node* node = document.get("for");
  if (node == nullptr) return {};
  if (!node->is_table())
    throw Error(fmt::format("{}: for: expected tables [for.NAME]; found {}", place(source, node->source()),
                            found(source, *node)));
  toml::table sections = std::move(*node->as_table());  // a copy would not know its lines
  for (const auto& [key, section] : sections) {
    const std::string name(key.str()), at = place(source, section.source());
    expect_data_set(name, fmt::format("{}: for.{}", at, beginning_of(name, kNameShown)));
    if (!section.is_table())
      throw Error(fmt::format("{}: for.{}: expected a table; found {}", at, name, found(source, section)));
  }
  document.erase("for");
  return sections;
}

// Applies [for.NAME] of the data set in use. The others are read too, so that a mistake in one does not wait for its
// user.
void set_for_data(RunConfig& config, const toml::table& sections, const std::string& name, const Source& source,
                  Places& places) {
  for (const auto& [key, node] : sections) {
    RunConfig other;
    Places elsewhere;
    const bool used = key.str() == name;
    set_fields(used ? config : other, *node.as_table(), source, used ? places : elsewhere);
  }
}

// A configuration that a run wrote says which preset it came from, and holds every section: one that is cut short would
// be read as another one. [refine] came later, and stands before [evaluate]: a run of before has its defaults.
void expect_whole(const toml::table& document, const Source& source) {
  if (!document.contains("preset")) return;
  RunConfig any;
  for (const Field& field : fields(any)) {
    const size_t dot = field.name.find('.');
    const std::string section = field.name.substr(0, dot);
    if (dot != std::string::npos && section != "refine" && !document.contains(section))
      throw Error(
          fmt::format("{0}: has the field preset, as only a run's config.toml does, but no section [{1}]: if the file "
                      "was cut short, restore it or begin another run directory; if it is a preset of your own, remove "
                      "that field (kith presets NAME prints one to begin with)",
                      source.name, section));
  }
}

// Checks of fields against each other. Messages name the field and where it was set.
class TogetherCheck {
 public:
  TogetherCheck(const RunConfig& config, const Places& places) : config_(config), places_(places) {}

  void all() const {
    const RunConfig& c = config_;
    if (c.model.depth != 18 && c.model.depth != 34 && c.model.depth != 50)
      refuse("model.depth", fmt::format("expected 18, 34 or 50; found {}", c.model.depth));
    if (c.cluster.classes == 1)
      refuse("cluster.classes", "expected 0 (as many as the data set has) or at least 2; found 1");
    schedule("pretext", c.pretext.train.schedule);
    schedule("cluster", c.cluster.train.schedule);
    schedule("selflabel", c.selflabel.train.schedule);
    schedule("refine", c.refine.train.schedule);
    augment("pretext.augment", c.pretext.augment);
    augment("cluster.augment", c.cluster.augment);
    augment("selflabel.augment", c.selflabel.augment);
    augment("refine.augment", c.refine.augment);
    augment("refine.weak", c.refine.weak);
    if (!data::is_utf8(c.preset)) throw Error(c.preset + ": the path of a preset must be UTF-8, as it is written down");
  }

 private:
  [[noreturn]] void refuse(const std::string& field, const std::string& what) const {
    const auto at = places_.find(field);
    throw Error(fmt::format("{}{}: {}", at == places_.end() ? "" : at->second + ": ", field, what));
  }

  void schedule(const std::string& stage, const ScheduleConfig& c) const {
    const std::string milestones = stage + ".schedule.milestones";
    if (c.kind == ScheduleKind::step && c.milestones.empty())
      refuse(milestones, "a step schedule needs at least one epoch");
    if (!std::ranges::is_sorted(c.milestones)) refuse(milestones, "expected ascending epochs");
  }

  void augment(const std::string& section, const AugmentConfig& c) const {
    const std::string where = section + ".simclr.";
    if (c.simclr.scale_min > c.simclr.scale_max)
      refuse(where + "scale_min",
             fmt::format("{} is larger than scale_max, {}", c.simclr.scale_min, c.simclr.scale_max));
    if (c.simclr.ratio_min > c.simclr.ratio_max)
      refuse(where + "ratio_min",
             fmt::format("{} is larger than ratio_max, {}", c.simclr.ratio_min, c.simclr.ratio_max));
  }

  const RunConfig& config_;
  const Places& places_;
};

}  // namespace

std::string overridden_field(std::string_view text) { return std::string(trimmed(text.substr(0, text.find('=')))); }

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const Preset& preset : presets()) names.emplace_back(preset.name);
  return names;
}

std::string preset_text(const std::string& name) { return find_preset(name).text; }

bool is_preset(std::string_view name) { return std::ranges::find(presets(), name, &Preset::name) != presets().end(); }

std::vector<std::string> made_for(const std::string& preset_or_path) {
  try {
    const Source source = find_preset(preset_or_path);
    toml::table document = parse(source);
    return take_made_for(document, source);
  } catch (const Error&) {  // a file of one's own that is gone
    return {};
  }
}

RunConfig load_config(const std::string& preset_or_path, const std::vector<std::string>& overrides) {
  const Source source = find_preset(preset_or_path);
  toml::table document = parse(source);
  take_made_for(document, source);
  const toml::table for_data = take_for(document, source);
  RunConfig config;
  Places places;
  config.preset = preset_or_path;
  set_fields(config, document, source, places);
  expect_whole(document, source);

  RunConfig overridden = config;  // which data set it is may stand in an override
  Places ignored;
  for (const std::string& text : overrides) set_override(overridden, text, ignored);
  set_for_data(config, for_data, data::kind_of(overridden.data.spec), source, places);
  for (const std::string& text : overrides) set_override(config, text, places);
  TogetherCheck(config, places).all();
  return config;
}

RunConfig with_overrides(RunConfig config, const std::vector<std::string>& overrides) {
  Places places;
  for (const std::string& text : overrides) set_override(config, text, places);
  TogetherCheck(config, places).all();
  return config;
}

std::string to_toml(const RunConfig& config) {
  RunConfig copy = config;
  std::string text, section;
  for (const Field& field : fields(copy)) {
    const size_t dot = field.name.find_last_of('.');
    const std::string of = dot == std::string::npos ? "" : field.name.substr(0, dot);
    if (of != section) text += fmt::format("\n[{}]\n", section = of);
    text += fmt::format("{} = {}\n", field.name.substr(dot + 1), format_value(field));
  }
  return text;
}

std::vector<Difference> differences(const RunConfig& a, const RunConfig& b) {
  RunConfig left = a, right = b;
  const std::vector<Field> l = fields(left), r = fields(right);
  std::vector<Difference> out;
  for (size_t i = 0; i < l.size(); ++i)
    if (const std::string x = format_value(l[i]), y = format_value(r[i]); x != y) out.push_back({l[i].name, x, y});
  return out;
}

}  // namespace kith
