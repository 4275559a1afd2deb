#include "scan/run/recorded_images.h"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>
#include <vector>

#include "nn/state/safetensors.h"
#include "scan/run/ledger.h"
#include "scan/run/stage_records.h"

namespace kith {
namespace {

// Damaged files are others' to complain of.
void add_origin_in(const std::filesystem::path& weights, std::vector<std::pair<std::string, Origin>>& to,
                   const std::string& stage) {
  std::error_code ignored;
  if (!std::filesystem::exists(weights, ignored)) return;
  try {
    to.emplace_back(stage, origin_from_json(nlohmann::json::parse(read_safetensors_metadata(weights).at(kOriginKey))));
  } catch (const std::exception&) {
  }
}

// Of all results that are there and of attempts at some: those on record first.
std::vector<std::pair<std::string, Origin>> origins_in(const std::filesystem::path& run_dir, const RunConfig& config) {
  std::vector<std::pair<std::string, Origin>> out;
  const StageRecords records = read_records(run_dir);
  for (const StageInfo& stage : stage_table())
    if (const auto record = records.find(stage.name); record != records.end() && takes_part(config, stage.name))
      out.emplace_back(stage.name, record->second.origin);
  for (const char* prefix : {"", "checkpoint_"})
    for (const StageInfo& stage : stage_table())
      if (stage.has_weights() && takes_part(config, stage.name))
        add_origin_in(run_dir / (prefix + stage.outputs.front()), out, stage.name);
  return out;
}

std::vector<ReadOtherwise> read_otherwise(const RunConfig& config,
                                          const std::vector<std::pair<std::string, Origin>>& origins) {
  std::vector<ReadOtherwise> out;
  for (const auto& [field, now] : reading_of(config)) {
    std::string was;  // where no result was made of them as they are read now
    for (const auto& [stage, origin] : origins)
      if (const auto at = origin.data.find(field); at == origin.data.end()) {
        continue;  // earlier versions have none, nor have stages that look at no image
      } else if (at->second == now) {
        was.clear();
        break;
      } else if (was.empty()) {
        was = at->second;
      }
    if (!was.empty()) out.push_back({.field = field, .was = was, .now = now});
  }
  return out;
}

}  // namespace

std::string to_text(const std::vector<ReadOtherwise>& changes) {
  std::string out;
  for (const auto& [field, was, now] : changes)
    out += (out.empty() ? "" : "; ") + field + " was " + was + ", now " + now;
  return out;
}

std::optional<data::Images> images_of_part(const std::string& text) {
  data::Images images;
  long long count = 0;
  if (std::sscanf(text.c_str(), "%lld of %d x %d x %d", &count, &images.height, &images.width, &images.channels) != 4)
    return {};
  images.count = count;
  return images;
}

RecordedImages recorded_images(const std::filesystem::path& run_dir, const RunConfig& config) {
  RecordedImages out{.like = {.spec = config.data.spec}, .parts = {}, .otherwise = {}};
  const std::vector<std::pair<std::string, Origin>> origins = origins_in(run_dir, config);
  for (const auto& [stage, origin] : origins) {
    out.parts.insert(origin.data.begin(), origin.data.end());  // what stands there stays
    const auto classes = origin.fields.find("cluster.classes");
    if (classes == origin.fields.end() || config.cluster.classes != 0 || out.like.classes() > 0) continue;
    constexpr int kMost = 1 << 20;  // of a damaged file
    if (int count = 0; std::sscanf(classes->second.c_str(), "%d", &count) == 1 && count > 0 && count <= kMost)
      out.like.class_names.resize(static_cast<size_t>(count));
  }
  for (const auto& [part, role] : {std::pair("train images", data::Role::train), {"test images", data::Role::test}})
    if (const auto at = out.parts.find(part); at != out.parts.end())
      if (auto images = images_of_part(at->second)) out.like.edit(role) = std::move(*images);
  out.otherwise = read_otherwise(config, origins);
  return out;
}

}  // namespace kith
