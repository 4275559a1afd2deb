#include "scan/run/made.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string_view>

#include "kernels/core/check.h"
#include "nn/tensor/context.h"

namespace kith {
namespace {

constexpr char kTimeFormat[] = "%Y-%m-%d %H:%M:%S %z";

std::string time_text(const std::tm& broken_down) {
  char text[64];
  return {text, std::strftime(text, sizeof text, kTimeFormat, &broken_down)};
}

std::string time_of_making() {
  const char* const given = std::getenv("SOURCE_DATE_EPOCH");
  if (given == nullptr) return local_time(std::time(nullptr));
  const std::string_view text = given;
  int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  const std::time_t at = seconds;
  std::tm broken_down{};
  if (error != std::errc() || end != text.data() + text.size() || gmtime_r(&at, &broken_down) == nullptr)
    throw Error(fmt::format("SOURCE_DATE_EPOCH: expected seconds since 1970, found '{}'", text));
  return time_text(broken_down);
}

}  // namespace

std::string processor_name() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("model name")) return line.substr(std::min(line.size(), line.find(':') + 2));
  return "processor of unknown name";
}

std::string local_time(std::time_t at) {
  std::tm broken_down{};
  return localtime_r(&at, &broken_down) == nullptr ? "at an unknown time" : time_text(broken_down);
}

std::vector<std::pair<std::string, std::string>> made_facts() {
  return {{"Made", time_of_making()}, {"kith", KITH_VERSION}, {"Processor", processor_name()}};
}

std::vector<std::pair<std::string, std::string>> made_facts(const Context& ctx) {
  auto facts = made_facts();
  facts.emplace_back("Evaluated on", ctx.describe());
  return facts;
}

}  // namespace kith
