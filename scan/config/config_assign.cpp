#include "scan/config/config_assign.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <utility>

#include "data/formats/text.h"
#include "kernels/core/check.h"
#include "scan/config/config_fields.h"
#include "scan/text/wrap.h"

namespace kith {
namespace {

std::string_view last_part(std::string_view path) { return path.substr(path.find_last_of('.') + 1); }
std::string_view section_of(std::string_view path) { return path.substr(0, path.size() - last_part(path).size()); }

// The own name counts most: pretext.lr is meant to be pretext.schedule.lr, not pretext.tau.
// A field that is further by what is known of it so far, or by the length of its name alone, is not looked at closer.
std::string nearest(std::string_view name, const std::vector<Field>& known) {
  const Field* best = nullptr;
  std::pair<size_t, size_t> least{SIZE_MAX, SIZE_MAX};
  const std::string_view own = last_part(name), section = section_of(name);
  for (const Field& field : known) {
    const std::string_view last = last_part(field.name);
    const auto [shorter, longer] = std::minmax({own.size(), last.size()});
    if (4 * (longer - shorter) > least.first) continue;
    size_t parts = 4 * data::edit_distance(own, last);
    if (parts > least.first) continue;
    parts += std::min<size_t>(data::edit_distance(section, section_of(field.name)), 3);
    if (parts > least.first) continue;
    const std::pair distance(parts, data::edit_distance(name, field.name));
    if (distance < least) best = &field, least = distance;
  }
  return best->name;
}

// A name that no field comes near is not compared with each: that costs the product of the lengths.
std::string unknown_text(std::string_view name, const std::vector<Field>& known) {
  constexpr size_t kLongest = 100;  // twice the longest field's
  if (name.size() > kLongest)
    return fmt::format("unknown field {}; kith fields lists those that are", beginning_of(name, kLongest));
  return fmt::format("unknown field {}; the nearest is {}", name, nearest(name, known));
}

// A number as people write it where TOML wants a digit on both sides of the point: .5, 5., +.5
std::optional<double> loose_number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double x = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), x);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return x;
}

// Stores a TOML value in a field; false when its type, or its size, does not fit.
struct Assign {
  const toml::node& node;
  const Range& range;
  const Source& source;

  bool operator()(bool* out) const {
    const auto x = node.value_exact<bool>();
    if (x) *out = *x;
    return x.has_value();
  }
  bool operator()(std::string* out) const {
    const std::optional<std::string> text = written();
    if (text) *out = *text;
    return text && data::is_utf8(*text);
  }
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
      if (!Assign{*list->get(i), range, source}(&(*out)[i])) return false;
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
  // A string; an override's is its text, whatever else that may be in TOML.
  std::optional<std::string> written() const {
    if (!source.lines && !node.is_string()) return source.text;
    return node.value_exact<std::string>();
  }
  // An integer is a number, too. NaN and infinities are not accepted.
  template <class T>
  bool number(T* out) const {
    const bool loose = !source.lines && node.is_string();
    const std::optional<double> value = node.is_number() ? node.value<double>()
                                        : loose          ? loose_number(source.text)
                                                         : std::nullopt;
    if (!value) return false;
    const T x = static_cast<T>(*value);
    const bool rounded_out = (x == 0 && *value != 0) || (range.open_high && x >= range.high);  // to a limit outside
    if (!std::isfinite(x) || !range.contains(*value) || rounded_out) return false;
    *out = x;
    return true;
  }
};

bool is_section(const std::string& path, const std::vector<Field>& known) {
  return std::ranges::any_of(known, [&](const Field& f) { return f.name.starts_with(path + "."); });
}

class Setter {
 public:
  Setter(RunConfig& config, const Source& source, Places& places)
      : known_(fields(config)), source_(source), places_(places) {}

  // Below an unknown section its first field is what the message names.
  void any(const std::string& path, const toml::node& node) {
    const toml::table* inner = node.as_table();
    const bool is_field = std::ranges::find(known_, path, &Field::name) != known_.end();
    if (inner && !is_field && (!inner->empty() || is_section(path, known_)))
      table(path + ".", *inner);
    else
      field(path, node);
  }

  void table(const std::string& prefix, const toml::table& table) {
    for (const auto& [key, node] : table) any(prefix + std::string(key.str()), node);
  }

 private:
  void field(const std::string& path, const toml::node& node) {
    const auto field = std::ranges::find(known_, path, &Field::name);
    const std::string at = place(source_, node.source());
    if (field == known_.end() && is_section(path, known_))
      throw Error(fmt::format("{}: {} is a section, expected a table; found {}", at, path, found(source_, node)));
    if (field == known_.end()) throw Error(fmt::format("{}: {}", at, unknown_text(path, known_)));
    if (!std::visit(Assign{node, field->range, source_}, field->value))
      throw Error(fmt::format("{}: {}: expected {}; found {}", at, path, describe(*field), found(source_, node)));
    places_[path] = at;
  }

  std::vector<Field> known_;
  const Source& source_;
  Places& places_;
};

}  // namespace

void set_fields(RunConfig& config, const toml::table& table, const Source& source, Places& places) {
  Setter(config, source, places).table("", table);
}

void set_field(RunConfig& config, const std::string& path, const toml::node& node, const Source& source,
               Places& places) {
  Setter(config, source, places).any(path, node);
}

}  // namespace kith
