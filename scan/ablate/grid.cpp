#include "scan/ablate/grid.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "data/formats/files.h"
#include "data/formats/text.h"
#include "kernels/core/check.h"
#include "scan/ablate/folders.h"
#include "scan/ablate/grid_copy.h"
#include "scan/config/config_assign.h"
#include "scan/config/config_fields.h"
#include "scan/config/config_text.h"

namespace kith {
namespace {

constexpr size_t kMostCells = 10'000;

struct Assignment {
  std::string field;
  const toml::node* value;
};

struct Variant {
  std::string name, preset;
  std::vector<Assignment> set;
};

class Reader {
 public:
  explicit Reader(Source source) : source_(std::move(source)), document_(parse_whole(source_)) {}

  Grid read() {
    expect_keys(document_, "", {"preset", "data", "seeds", "set", "axes", "variants"});
    preset_ = text_of(document_, "preset").value_or("quick");
    data_ = text_of(document_, "data").value_or("");
    grid_.text = source_.text;
    read_seeds();
    set_ = assignments(document_, "set");
    axes_ = assignments(document_, "axes");
    // toml++ keeps the keys of a table in the order of the alphabet.
    std::ranges::stable_sort(axes_, {}, [](const Assignment& a) {
      return std::pair(a.value->source().begin.line, a.value->source().begin.column);
    });
    read_variants();
    check_axes();
    make_settings();
    make_cells();
    return std::move(grid_);
  }

 private:
  static toml::table parse_whole(const Source& source) {
    expect_whole_copy(source.text, source.name);
    return parse(source);
  }

  [[noreturn]] void refuse(const toml::node& at, const std::string& what) const {
    throw Error(fmt::format("{}: {}", place(source_, at.source()), what));
  }

  void expect_keys(const toml::table& table, const std::string& where, const std::vector<std::string>& known) const {
    for (const auto& [key, node] : table)
      if (const std::string name(key.str()); std::ranges::find(known, name) == known.end())
        refuse(node, fmt::format("unknown key {}{}, expected one of {}{}", where, name, fmt::join(known, ", "),
                                 data::nearest_hint(name, known)));
  }

  std::optional<std::string> text_of(const toml::table& table, const char* key) const {
    const toml::node* node = table.get(key);
    if (node == nullptr) return {};
    const auto text = node->value_exact<std::string>();
    if (!text || text->empty()) refuse(*node, fmt::format("{}: expected a text; found {}", key, found(source_, *node)));
    return text;
  }

  void read_seeds() {
    const toml::node* node = document_.get("seeds");
    if (node == nullptr) return grid_.seeds.push_back(0);
    const toml::array* list = node->as_array();
    const auto wrong = [&] {
      refuse(*node, fmt::format("seeds: expected a list of different whole numbers, such as [0, 1, 2]; found {}",
                                found(source_, *node)));
    };
    if (list == nullptr || list->empty()) wrong();
    for (const toml::node& seed : *list) {
      const auto value = seed.value_exact<int64_t>();
      if (!value || *value < 0) wrong();
      if (std::ranges::find(grid_.seeds, static_cast<uint64_t>(*value)) != grid_.seeds.end()) wrong();
      grid_.seeds.push_back(static_cast<uint64_t>(*value));
      if (grid_.seeds.size() > kMostCells) refuse(*node, fmt::format("seeds: expected at most {}", kMostCells));
    }
  }

  void flatten(const std::string& prefix, const toml::table& table, std::vector<Assignment>& out) const {
    for (const auto& [key, node] : table) {
      const std::string name = prefix + std::string(key.str());
      if (const toml::table* inner = node.as_table())
        flatten(name + ".", *inner, out);
      else
        out.push_back({name, &node});
    }
  }

  std::vector<Assignment> assignments(const toml::table& of, const char* key) {
    std::vector<Assignment> out;
    const toml::node* node = of.get(key);
    if (node == nullptr) return out;
    if (!node->is_table())
      refuse(*node, fmt::format("{}: expected a table of fields; found {}", key, found(source_, *node)));
    flatten("", *node->as_table(), out);
    for (const Assignment& a : out) {
      if (a.field == "preset")
        refuse(*a.value, fmt::format("{}.preset: a preset is no field; it stands at the top, or in a variant", key));
      if (a.field == "data.spec" && !data_.empty() && key == std::string_view("set") && &of == &document_)
        refuse(*a.value, "set.data.spec: data stands at the top, too; expected one of them");
      grid_.fields.insert(a.field);
      if (a.field == "seed") refuse(*a.value, fmt::format("{}.seed: seeds stand in seeds = [...] at the top", key));
    }
    return out;
  }

  void read_variants() {
    const toml::node* node = document_.get("variants");
    if (node == nullptr) return variants_.push_back({});
    const toml::array* list = node->as_array();
    if (list == nullptr || list->empty() || !list->is_array_of_tables())
      refuse(*node, "variants: expected tables [[variants]] with name and set");
    std::set<std::string> names;
    for (const toml::node& each : *list) {
      const toml::table& table = *each.as_table();
      expect_keys(table, "variants.", {"name", "preset", "set"});
      Variant v{data::printable(text_of(table, "name").value_or("")), text_of(table, "preset").value_or(""),
                assignments(table, "set")};
      if (v.name.empty()) refuse(each, "variants: expected a name");
      if (!names.insert(v.name).second) refuse(each, fmt::format("variants: {} stands there twice", v.name));
      variants_.push_back(std::move(v));
    }
    grid_.columns.emplace_back("variant");
    grid_.extents.push_back(variants_.size());
  }

  void check_axes() {
    size_t cells = variants_.size() * grid_.seeds.size();
    for (const Assignment& axis : axes_) {
      const toml::array* values = axis.value->as_array();
      if (values == nullptr || values->empty())
        refuse(*axis.value,
               fmt::format("axes.{}: expected a list of values; found {}", axis.field, found(source_, *axis.value)));
      expect_alone(axis, set_, "[set]");
      for (const Variant& v : variants_) expect_alone(axis, v.set, "variant " + v.name);
      try_value(axis.field, *values->get(0));
      if (affects_of(axis.field) == Affects::nothing)
        refuse(*axis.value, fmt::format("axes.{}: no result depends on it", axis.field));
      grid_.columns.push_back(axis.field);
      grid_.extents.push_back(values->size());
      cells *= values->size();
      if (cells > kMostCells) refuse(*axis.value, fmt::format("expected at most {} cells", kMostCells));
    }
  }

  void expect_alone(const Assignment& axis, const std::vector<Assignment>& set, const std::string& where) const {
    if (std::ranges::find(set, axis.field, &Assignment::field) != set.end())
      refuse(*axis.value, fmt::format("axes.{}: stands in {}, too; expected one of them", axis.field, where));
  }

  // Error of a field or value that is none, before anything is made of it.
  void try_value(const std::string& field, const toml::node& value) const {
    RunConfig unused;
    Places places;
    set_field(unused, field, value, source_, places);
  }

  // A value as people write it: 0.9, not the 17 digits that tell it from every other number.
  std::string text_of(const toml::node& value) const {
    if (const auto text = value.value_exact<std::string>()) return data::printable(*text);
    if (const auto number = value.value_exact<double>()) return fmt::format("{}", *number);
    return written(source_, value);
  }

  // Setting number i: the value of each column.
  std::vector<size_t> digits(size_t i) const {
    std::vector<size_t> at(grid_.extents.size());
    for (size_t c = at.size(); c-- > 0; i /= grid_.extents[c]) at[c] = i % grid_.extents[c];
    return at;
  }
  bool has_variants() const { return !variants_.front().name.empty(); }

  void make_settings() {
    size_t count = 1;
    for (const size_t n : grid_.extents) count *= n;
    for (size_t i = 0; i < count; ++i) {
      GridSetting setting;
      const std::vector<size_t> at = digits(i);
      for (size_t c = 0; c < at.size(); ++c) {
        const bool variant = has_variants() && c == 0;
        const toml::node* value = variant ? nullptr : axes_[c - has_variants()].value->as_array()->get(at[c]);
        setting.values.push_back(variant ? variants_[at[c]].name : text_of(*value));
        setting.name +=
            fmt::format("{}{}{}", c == 0 ? "" : ", ", variant ? "" : grid_.columns[c] + " = ", setting.values.back());
      }
      if (setting.name.empty()) setting.name = "base";
      grid_.settings.push_back(std::move(setting));
    }
  }

  RunConfig config_of(size_t setting) {
    const std::vector<size_t> at = digits(setting);
    const Variant& variant = variants_[has_variants() ? at[0] : 0];
    std::vector<Assignment> all = set_;
    all.insert(all.end(), variant.set.begin(), variant.set.end());
    for (size_t a = 0; a < axes_.size(); ++a)
      all.push_back({axes_[a].field, axes_[a].value->as_array()->get(at[a + has_variants()])});
    // A preset has sections for one data set: which it is must be known when the preset is read.
    std::string spec = data_;
    for (const Assignment& a : all)
      if (a.field == "data.spec") spec = a.value->value_or(spec);
    const auto named = [&](const std::string& what, auto&& config_of) {
      try {
        return config_of();
      } catch (const Error& e) {
        throw Error(fmt::format("{}: {}: {}", source_.name, what, e.what()));
      }
    };
    const std::string preset = variant.preset.empty() ? preset_ : variant.preset;
    auto read = presets_.find({preset, spec});
    if (read == presets_.end())
      read = presets_
                 .emplace(std::pair(preset, spec), named("preset",
                                                         [&] {
                                                           return load_config(
                                                               preset, spec.empty() ? std::vector<std::string>{}
                                                                                    : std::vector{"data.spec=" + spec});
                                                         }))
                 .first;
    RunConfig config = read->second;
    Places places;
    for (const Assignment& a : all) set_field(config, a.field, *a.value, source_, places);
    return named(grid_.settings[setting].name,
                 [&] { return with_overrides(config, {}); });  // what does not go together
  }

  void make_cells() {
    std::vector<RunConfig> configs;
    for (size_t s = 0; s < grid_.settings.size(); ++s) configs.push_back(config_of(s));
    std::map<std::string, size_t> seen;
    for (const uint64_t seed : grid_.seeds)
      for (size_t s = 0; s < configs.size(); ++s) {
        GridCell cell{.setting = s, .seed = seed, .config = configs[s], .folder = {}};
        cell.config.seed = seed;
        if (cell.config.data.spec.empty()) throw Error(source_.name + ": no data set: data = \"NAME:DIR\"");
        const std::string digest = result_digest(cell.config);
        if (const auto [at, is_new] = seen.emplace(digest, s); !is_new)
          throw Error(fmt::format("{}: {} and {} are the same configuration", source_.name,
                                  grid_.settings[at->second].name, grid_.settings[s].name));
        cell.folder = cell_folder_name(grid_.settings[s].name, seed, digest);
        grid_.cells.push_back(std::move(cell));
      }
  }

  Source source_;
  toml::table document_;
  std::string preset_, data_;
  std::map<std::pair<std::string, std::string>, RunConfig> presets_;  // that were read, for a data set each
  std::vector<Assignment> set_, axes_;
  std::vector<Variant> variants_;  // one without a name where the file has none
  Grid grid_;
};

}  // namespace

std::string Grid::name(const GridCell& cell) const {
  return fmt::format("{}, seed {}", settings[cell.setting].name, cell.seed);
}

Grid load_grid(const std::string& path) { return Reader(read_source(path)).read(); }

Grid parse_grid(const std::string& text, const std::string& name) {
  return Reader({.name = name, .text = text}).read();
}

}  // namespace kith
