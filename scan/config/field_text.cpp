// The values of fields as text: TOML, and what messages expect.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <limits>

#include "scan/config/config_fields.h"

namespace kith {
namespace {

// Always with a point or an exponent, so that TOML reads it back as a float; the shortest text with that value.
template <class T>
std::string format_float(T x) {
  std::string text = fmt::format("{}", x);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\u{:04X}", static_cast<int>(c));
    else
      out += c;
  }
  return out + '"';
}

struct Formatter {
  std::string operator()(const bool* x) const { return *x ? "true" : "false"; }
  std::string operator()(const float* x) const { return format_float(*x); }
  std::string operator()(const double* x) const { return format_float(*x); }
  std::string operator()(const std::string* x) const { return quoted(*x); }
  std::string operator()(const EnumField& x) const { return fmt::format("\"{}\"", x.names[*x.value]); }
  std::string operator()(const std::vector<double>* x) const {
    std::string text;
    for (const double value : *x) text += (text.empty() ? "" : ", ") + format_float(value);
    return "[" + text + "]";
  }
  template <class T>
  std::string operator()(const T* x) const {
    return fmt::format("{}", *x);
  }
};

struct Describer {
  std::string operator()(const bool*) const { return "true or false"; }
  std::string operator()(const float*) const { return "a number"; }
  std::string operator()(const double*) const { return "a number"; }
  std::string operator()(const std::string*) const { return "a string in UTF-8"; }
  std::string operator()(const std::vector<double>*) const { return "a list of numbers"; }
  std::string operator()(const EnumField& x) const { return fmt::format("one of {}", fmt::join(x.names, ", ")); }
  template <class T>
  std::string operator()(const T*) const {
    return "an integer";
  }
};

}  // namespace

std::string describe(const Field& field) {
  const std::string type = std::visit(Describer{}, field.value);
  const Range& r = field.range;
  const std::string low = fmt::format("{} {}", r.open_low ? "above" : "at least", r.low);
  if (std::isinf(r.low)) return type;
  if (std::holds_alternative<uint64_t*>(field.value))  // TOML's integers have a sign
    return fmt::format("{}, {} and at most {}", type, low, std::numeric_limits<int64_t>::max());
  if (std::isinf(r.high)) return fmt::format("{}, {}", type, low);
  return fmt::format("{}, {} and {} {:.10g}", type, low, r.open_high ? "below" : "at most", r.high);
}

std::string format_value(const Field& field) { return std::visit(Formatter{}, field.value); }

}  // namespace kith
