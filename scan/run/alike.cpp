#include "scan/run/alike.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "data/dataset/digest.h"
#include "kernels/core/check.h"
#include "scan/run/ranks.h"

namespace kith {

void expect_alike(Collective& ranks, const std::string& own,
                  const std::function<std::string(const std::string& first)>& text) {
  if (ranks.size() == 1) return;
  const std::string first = text_of_first(ranks, [&] { return own; });
  together(ranks, [&] {
    if (own != first) throw Error(text(first));
  });
}

void expect_same_data(Collective& ranks, const data::Dataset& data) {
  if (ranks.size() == 1) return;
  const std::map<std::string, std::string> own = data::parts_of(data);
  expect_alike(ranks, nlohmann::json(own).dump(), [&](const std::string& text) {
    const std::map<std::string, std::string> first = nlohmann::json::parse(text);
    std::vector<std::string> differ;
    for (const auto& [part, content] : own)
      if (const auto at = first.find(part); at == first.end() || at->second != content) differ.push_back(part);
    for (const auto& [part, content] : first)
      if (!own.contains(part)) differ.push_back(part);
    return fmt::format("{}: not rank 0's: {}; expected the same data set on every machine", data.spec,
                       fmt::join(differ, ", "));
  });
}

void expect_same_bits(Collective& ranks, const Tensor& numbers, const std::string& what) {
  if (ranks.size() == 1) return;
  const std::vector<float> host = numbers.to_host();
  const std::string own = data::digest({reinterpret_cast<const uint8_t*>(host.data()), host.size() * sizeof(float)});
  expect_alike(ranks, own, [&](const std::string&) {
    return fmt::format(
        "{} are not those of rank 0: they train one network no more; expected one build of the program on "
        "processors of one kind, and memory without faults",
        what);
  });
}

std::string other_ranks(const Collective& ranks, int saved_by, bool whole_batch_norm) {
  const bool whole = ranks.batch_norm == Collective::BatchNorm::whole;
  if (saved_by != ranks.size())
    return fmt::format(
        "goes on with {} rank{}, saved by {}: sums, and the shares that batch norm sees, differ from here on",
        ranks.size(), ranks.size() == 1 ? "" : "s", saved_by);
  if (ranks.size() > 1 && whole != whole_batch_norm)
    return fmt::format("goes on {} --sync-bn, saved {} it: another run from here on", whole ? "with" : "without",
                       whole ? "without" : "with");
  return "";
}

}  // namespace kith
