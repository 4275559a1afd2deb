#include "apps/number_options.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>

namespace kith {
namespace {

CLI::Option* with_range(CLI::Option* option, const std::string& range, const std::string& unit) {
  return option->description(
      fmt::format("{} ({}{}{})", option->get_description(), range, unit.empty() ? "" : " ", unit));
}

}  // namespace

CLI::Option* whole_number(CLI::Option* option, uint64_t least, int64_t most, const std::string& unit) {
  const std::string range = fmt::format("{} to {}", least, most);
  option->check({[least, most, range](const std::string& text) {
                   uint64_t value = 0;
                   const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
                   const bool whole = error == std::errc() && end == text.data() + text.size();
                   if (whole && value >= least && value <= static_cast<uint64_t>(most)) return std::string();
                   return fmt::format("expected a whole number, {}; found '{}'", range, text);
                 },
                 ""});
  return with_range(option, range, unit);
}

CLI::Option* a_share(CLI::Option* option, OfAll all) {
  const std::string range = all == OfAll::included ? "0 to 1" : "0, below 1";
  option->check({[all, range](const std::string& text) {
                   char* end = nullptr;
                   const double value = std::strtod(text.c_str(), &end);
                   const bool read = !text.empty() && *end == '\0';
                   if (read && value >= 0 && (all == OfAll::included ? value <= 1 : value < 1)) return std::string();
                   return fmt::format("expected a number from {}; found '{}'", range, text);
                 },
                 ""});
  return with_range(option, (all == OfAll::included ? "" : "from ") + range, "");
}

}  // namespace kith
