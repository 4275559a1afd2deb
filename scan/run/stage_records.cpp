#include "scan/run/stage_records.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "data/dataset/digest.h"
#include "data/formats/files.h"
#include "kernels/core/check.h"

namespace kith {
namespace {

using nlohmann::json;

std::filesystem::path records_path(const std::filesystem::path& run_dir) { return run_dir / "stages.json"; }

void write_records(const std::filesystem::path& run_dir, const StageRecords& records) {
  json all = json::object();
  for (const auto& [name, r] : records) {
    all[name] = to_json(r.origin);
    all[name]["outputs"] = r.outputs;
    if (!r.given.empty()) all[name]["given"] = r.given;
    if (r.lines) all[name]["lines"] = *r.lines;
    if (r.ends) all[name]["ends"] = *r.ends;
    if (r.log) all[name]["log"] = *r.log;
    if (r.seconds) all[name]["seconds"] = *r.seconds;
    all[name]["version"] = r.version;
    if (r.under_way) all[name]["under_way"] = true;
  }
  data::write_file(records_path(run_dir), {data::as_bytes(all.dump(2) + "\n")});
}

}  // namespace

bool follow(const StageRecords& records, const RunConfig& config) {
  return std::ranges::all_of(stage_table(), [&](const StageInfo& stage) {
    const auto record = records.find(stage.name);
    if (record == records.end() || !takes_part(config, stage.name)) return true;
    if (record->second.under_way && stage.has_weights()) return true;  // they appear at once, and those before stand
    Origin::Values fields = record->second.origin.fields;
    if (config.cluster.classes == 0) fields.erase("cluster.classes");  // the data set's, which is not at hand
    return !record->second.under_way && fields == deciding_fields(config, stage.affects);
  });
}

bool stands(const StageRecords& records, const RunConfig& config, const std::string& command) {
  const auto stages = stage_table();
  return std::ranges::all_of(stages, [&](const StageInfo& stage) {
    const auto record = records.find(stage.name);
    return stage.command != command ||
           (record != records.end() && !record->second.under_way && follow(StageRecords{*record}, config));
  });
}

// Only a file that its own stage did not leave as it was evaluated is read.
bool evaluation_stands(const std::filesystem::path& run_dir, const StageRecords& records) {
  const auto evaluated = records.find("evaluate");
  if (evaluated == records.end()) return true;
  return std::ranges::all_of(evaluated->second.origin.inputs, [&](const auto& input) {
    const std::string &file = input.first, &digest = input.second;
    const bool as_made = std::ranges::any_of(records, [&](const auto& of) {
      const auto at = of.second.outputs.find(file);
      return at != of.second.outputs.end() && at->second == digest;
    });
    return as_made || !std::filesystem::exists(run_dir / file) || data::digest_of_file(run_dir / file) == digest;
  });
}

bool was_changed(const StageRecords& records, const std::string& stage, const std::string& file,
                 const std::string& digest) {
  const auto record = records.find(stage);
  if (record == records.end() || record->second.under_way) return false;
  const auto written = record->second.outputs.find(file);
  return written != record->second.outputs.end() && written->second != digest;
}

bool was_evaluated(const StageRecords& records, const std::string& file, const std::string& digest) {
  const auto record = records.find("evaluate");
  if (record == records.end() || record->second.under_way) return false;
  const auto read = record->second.origin.inputs.find(file);
  return read != record->second.origin.inputs.end() && read->second == digest;
}

std::string changed_text(const std::string& file, const std::string& stage, const std::string& remedy) {
  return fmt::format("{}: not what the stage {} made; used as it is ({})", file, stage, remedy);
}

StageRecords read_records(const std::filesystem::path& run_dir) {
  const std::filesystem::path path = records_path(run_dir);
  if (!std::filesystem::exists(path)) return {};
  const std::vector<uint8_t> text = data::read_file(path);
  StageRecords records;
  const auto count = [](const json& j, const char* key) {
    return j.contains(key) ? std::optional(j.at(key).get<int64_t>()) : std::nullopt;
  };
  try {
    const json all = json::parse(text);
    for (const auto& [stage, j] : all.items())
      records[stage] = {.origin = origin_from_json(j),
                        .outputs = j.at("outputs").get<Origin::Values>(),
                        .given = j.value("given", Origin::Values()),
                        .lines = count(j, "lines"),
                        .ends = count(j, "ends"),
                        .log = j.contains("log") ? std::optional(j["log"].get<std::string>()) : std::nullopt,
                        .seconds = j.contains("seconds") ? std::optional(j["seconds"].get<double>()) : std::nullopt,
                        .version = j.at("version").get<std::string>(),
                        .under_way = j.value("under_way", false)};
  } catch (const json::exception&) {
    throw Error(
        fmt::format("{}: damaged: expected what kith writes, a JSON object of stages with data, fields, inputs and "
                    "outputs; restore it, or remove it: then what is there is used with a warning, as nothing else "
                    "tells whether it was changed",
                    path.string()));
  }
  return records;
}

void write_record(const std::filesystem::path& run_dir, const std::string& stage, const StageRecord& record) {
  StageRecords records = read_records(run_dir);
  records[stage] = record;
  write_records(run_dir, records);
}

}  // namespace kith
