#include "scan/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <numeric>
#include <sstream>
#include <utility>

#include "kernels/core/check.h"
#include "scan/config_fields.h"
#include "scan/presets.h"

namespace kith {
namespace {

// A text of TOML and what messages call it: "scan.toml", or "--set pretext.epochs=x" (which has no lines).
struct Source {
  std::string name, text;
  bool lines = true;
};

std::string place(const Source& source, const toml::source_region& region) {
  return source.lines ? fmt::format("{}:{}", source.name, region.begin.line) : source.name;
}

toml::table parse(const Source& source) {
  try {
    return toml::parse(source.text, source.name);
  } catch (const toml::parse_error& e) {
    throw Error(fmt::format("{}: {}", place(source, e.source()), e.description()));
  }
}

std::string found(const toml::node& node) {
  if (node.is_table()) return "a table";
  std::ostringstream text;
  text << toml::toml_formatter(node);
  return text.str();
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

std::string_view last_part(std::string_view path) { return path.substr(path.find_last_of('.') + 1); }
std::string_view section_of(std::string_view path) { return path.substr(0, path.size() - last_part(path).size()); }

// The own name counts most: pretext.lr is meant to be pretext.schedule.lr, not pretext.tau.
std::string nearest(std::string_view name, const std::vector<Field>& known) {
  const auto distance = [&](const Field& field) {
    const size_t own = edit_distance(last_part(name), last_part(field.name));
    const size_t section = std::min<size_t>(edit_distance(section_of(name), section_of(field.name)), 3);
    return std::pair(4 * own + section, edit_distance(name, field.name));
  };
  return std::ranges::min_element(known, {}, distance)->name;
}

// Stores a TOML value in a field; false when its type, or its size, does not fit.
struct Assign {
  const toml::node& node;
  const Range& range;

  bool operator()(bool* out) const { return store(node.value_exact<bool>(), out); }
  bool operator()(std::string* out) const { return store(node.value_exact<std::string>(), out); }
  bool operator()(float* out) const { return number(out); }
  bool operator()(double* out) const { return number(out); }
  bool operator()(const EnumField& out) const {
    const auto text = node.value_exact<std::string>();
    const auto at = text ? std::ranges::find(out.names, *text) : out.names.end();
    if (at == out.names.end()) return false;
    *out.value = static_cast<uint8_t>(at - out.names.begin());
    return true;
  }
  bool operator()(std::vector<double>* out) const {
    const toml::array* list = node.as_array();
    if (!list) return false;
    out->assign(list->size(), 0);
    for (size_t i = 0; i < list->size(); ++i)
      if (!Assign{*list->get(i), range}(&(*out)[i])) return false;
    return true;
  }
  template <class T>
  bool operator()(T* out) const {
    const auto x = node.value_exact<int64_t>();
    if (!x || !std::in_range<T>(*x) || !range.contains(static_cast<double>(*x))) return false;
    *out = static_cast<T>(*x);
    return true;
  }

 private:
  template <class T>
  static bool store(const std::optional<T>& x, T* out) {
    if (x) *out = *x;
    return x.has_value();
  }
  // An integer is a number, too. NaN and infinities are not accepted.
  template <class T>
  bool number(T* out) const {
    if (!node.is_number()) return false;
    const T x = static_cast<T>(*node.value<double>());
    if (!std::isfinite(x) || !range.contains(static_cast<double>(x))) return false;
    *out = x;
    return true;
  }
};

bool is_section(const std::string& path, const std::vector<Field>& known) {
  return std::ranges::any_of(known, [&](const Field& f) { return f.name.starts_with(path + "."); });
}

void set_field(const std::string& path, const toml::node& node, const std::vector<Field>& known, const Source& source) {
  const auto field = std::ranges::find(known, path, &Field::name);
  const std::string at = place(source, node.source());
  if (field == known.end() && is_section(path, known))
    throw Error(fmt::format("{}: {} is a section, expected a table; found {}", at, path, found(node)));
  if (field == known.end())
    throw Error(fmt::format("{}: unknown field {}; the nearest is {}", at, path, nearest(path, known)));
  if (!std::visit(Assign{node, field->range}, field->value))
    throw Error(fmt::format("{}: {}: expected {}; found {}", at, path, describe(*field), found(node)));
}

void set_fields(const std::string& prefix, const toml::table& table, const std::vector<Field>& known,
                const Source& source) {
  for (const auto& [key, node] : table) {
    const std::string path = prefix + std::string(key.str());
    const toml::table* inner = node.as_table();
    const bool is_field = std::ranges::find(known, path, &Field::name) != known.end();
    // Below an unknown section its first field is what the message names.
    if (inner && !is_field && (!inner->empty() || is_section(path, known)))
      set_fields(path + ".", *inner, known, source);
    else
      set_field(path, node, known, source);
  }
}

void set_fields(RunConfig& config, const toml::table& table, const Source& source) {
  set_fields("", table, fields(config), source);
}

std::string data_name(const std::string& spec) { return spec.substr(0, spec.find(':')); }

// "pretext.epochs=20". What is no TOML value is taken as a string: data.spec=cifar10:DIR needs no quotes.
void set_override(RunConfig& config, const std::string& text) {
  Source source{"--set " + text, "", false};
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) throw Error(source.name + ": expected section.field=value");
  const std::string value = text.substr(equals + 1);
  source.text = "value = " + value;
  toml::table table;
  try {
    table = toml::parse(source.text);
  } catch (const toml::parse_error&) {
    table.insert_or_assign("value", value);
  }
  set_field(text.substr(0, equals), *table.get("value"), fields(config), source);
}

Source find_preset(const std::string& name) {
  for (const Preset& preset : presets())
    if (preset.name == name) return {std::string(preset.name) + ".toml", std::string(preset.text)};
  std::ifstream in(name, std::ios::binary);
  if (!in || std::filesystem::is_directory(name))
    throw Error(fmt::format("{}: neither a preset ({}) nor a readable file", name, fmt::join(preset_names(), ", ")));
  return {name, std::string(std::istreambuf_iterator<char>(in), {})};
}

// Applies [for.NAME] of the data set in use. The others are read too, so that a mistake in one does not wait for its
// user.
void set_for_data(RunConfig& config, const toml::table& sections, const std::string& name, const Source& source) {
  for (const auto& [key, node] : sections) {
    if (!node.is_table())
      throw Error(
          fmt::format("{}: for.{}: expected a table; found {}", place(source, node.source()), key.str(), found(node)));
    RunConfig other;
    set_fields(key.str() == name ? config : other, *node.as_table(), source);
  }
}

void check_milestones(const std::string& stage, const ScheduleConfig& c) {
  if (c.kind == ScheduleKind::step && c.milestones.empty())
    throw Error(stage + ".schedule.milestones: a step schedule needs at least one epoch");
  if (!std::ranges::is_sorted(c.milestones)) throw Error(stage + ".schedule.milestones: expected ascending epochs");
}

void check_augment(const std::string& stage, const AugmentConfig& c) {
  const std::string where = stage + ".augment.simclr.";
  if (c.simclr.scale_min > c.simclr.scale_max) throw Error(where + "scale_min: larger than scale_max");
  if (c.simclr.ratio_min > c.simclr.ratio_max) throw Error(where + "ratio_min: larger than ratio_max");
}

// What no single field shows.
void check_together(const RunConfig& c) {
  if (c.model.depth != 18 && c.model.depth != 34)
    throw Error(fmt::format("model.depth: expected 18 or 34; found {}", c.model.depth));
  if (c.cluster.classes == 1)
    throw Error("cluster.classes: expected 0 (as many as the data set has) or at least 2; found 1");
  check_milestones("pretext", c.pretext.train.schedule);
  check_milestones("cluster", c.cluster.train.schedule);
  check_milestones("selflabel", c.selflabel.train.schedule);
  check_augment("pretext", c.pretext.augment);
  check_augment("cluster", c.cluster.augment);
  check_augment("selflabel", c.selflabel.augment);
}

}  // namespace

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const Preset& preset : presets()) names.emplace_back(preset.name);
  return names;
}

std::string preset_text(const std::string& name) { return find_preset(name).text; }

RunConfig load_config(const std::string& preset_or_path, const std::vector<std::string>& overrides) {
  const Source source = find_preset(preset_or_path);
  toml::table document = parse(source);
  toml::table for_data;
  if (toml::node* node = document.get("for")) {
    if (!node->is_table())
      throw Error(place(source, node->source()) + ": for: expected tables [for.NAME]; found " + found(*node));
    for_data = std::move(*node->as_table());
    document.erase("for");
  }
  RunConfig config;
  config.preset = preset_or_path;
  set_fields(config, document, source);

  RunConfig overridden = config;  // which data set it is may stand in an override
  for (const std::string& text : overrides) set_override(overridden, text);
  set_for_data(config, for_data, data_name(overridden.data.spec), source);
  for (const std::string& text : overrides) set_override(config, text);
  check_together(config);
  return config;
}

std::string to_toml(const RunConfig& config) {
  RunConfig copy = config;
  std::string text, section;
  for (const Field& field : fields(copy)) {
    const std::string prefix(section_of(field.name));
    if (prefix != section) {
      section = prefix;
      text += fmt::format("\n[{}]\n", section.substr(0, section.size() - 1));
    }
    text += fmt::format("{} = {}\n", last_part(field.name), format_value(field));
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
