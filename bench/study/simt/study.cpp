#include "bench/study/simt/study.h"

#include <fmt/format.h>

#include <algorithm>

namespace kith::study {

int64_t Sizes::operator[](std::string_view name) const {
  const auto it = std::find_if(values_.begin(), values_.end(), [&](const auto& v) { return v.first == name; });
  check(it != values_.end(), fmt::format("there is no size '{}' ({})", name, text()));
  return it->second;
}

void Sizes::set(std::string_view name, int64_t value) {
  const auto it = std::find_if(values_.begin(), values_.end(), [&](const auto& v) { return v.first == name; });
  if (it == values_.end()) throw Error(fmt::format("there is no size '{}'; the sizes are {}", name, text()));
  it->second = value;
}

std::string Sizes::text() const {
  std::string out;
  for (const auto& [name, value] : values_) out += fmt::format("{}{}={}", out.empty() ? "" : ",", name, value);
  return out;
}

namespace {

std::vector<Study>& registered() {
  static std::vector<Study> all;
  return all;
}

}  // namespace

Entries::Entries(std::vector<Study> more) { std::ranges::move(more, std::back_inserter(registered())); }

const std::vector<Study>& studies() {
  static const std::vector<Study> all = [] {
    std::vector<Study> list = registered();  // in the order in which files were linked
    std::ranges::sort(list, {}, &Study::name);
    return list;
  }();
  return all;
}

const Study& study(std::string_view name) {
  for (const Study& s : studies())
    if (s.name == name) return s;
  throw Error(fmt::format("there is no kernel '{}'; --list names them", name));
}

Result run(const Study& s, const Sizes& sizes, int sm, int multiprocessors) {
  simt::describe(sm >= 90 ? simt::kH100 : simt::kA100);
  simt::options().count = true;
  simt::options().orders = 1;
  simt::records().clear();
  const Cost cost = s.run(sizes, Queue{Device::cuda, nullptr, sm, multiprocessors});
  return {.kernel = s.name, .sizes = sizes, .cost = cost, .launches = simt::records(), .verdict = {}};
}

uint64_t sector_bytes(const simt::Counts& c) { return 32 * (c.global_load_sectors + c.global_store_sectors); }

simt::Counts total(const Result& r) {
  simt::Counts sum;
  for (const simt::LaunchRecord& launch : r.launches) sum.add(launch.counts);
  return sum;
}

}  // namespace kith::study
