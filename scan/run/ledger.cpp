#include "scan/run/ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "data/dataset/digest.h"
#include "data/formats/npy.h"
#include "kernels/core/check.h"
#include "nn/state/safetensors.h"
#include "scan/run/artifacts.h"
#include "scan/run/log_ends.h"
#include "scan/run/lost_records.h"
#include "scan/run/own_folder.h"
#include "scan/run/remedy.h"
#include "scan/run/run_files.h"
#include "scan/run/stage_records.h"
#include "scan/run/stage_weights.h"
#include "scan/run/timing.h"

namespace kith {
namespace {

namespace fs = std::filesystem;

std::string join(const std::vector<std::string>& items) {
  std::string all;
  for (const std::string& item : items) all += (all.empty() ? "" : ", ") + item;
  return all;
}

Origin origin_in(const std::map<std::string, std::string>& metadata, const fs::path& path) {
  if (metadata.contains("kith.config"))
    throw Error(
        fmt::format("{}: made by an earlier version of kith, which did not record what it was made from; take "
                    "another run directory",
                    path.string()));
  const auto found = metadata.find(kOriginKey);
  if (found == metadata.end())
    throw Error(fmt::format("{}: not written by a stage of kith (no {} in its metadata)", path.string(), kOriginKey));
  try {
    return origin_from_json(nlohmann::json::parse(found->second));
  } catch (const nlohmann::json::exception&) {
    throw Error(fmt::format("{}: unreadable {} in its metadata", path.string(), kOriginKey));
  }
}

// Rows of one's own are used, where they are whole.
void expect_whole(const fs::path& path, const StageInfo& stage) {
  or_remedy(made_anew_by(stage.command), [&] { return data::npy_layout(path); });
}

}  // namespace

const char* const kOriginKey = "kith.origin";

Ledger::Ledger(const RunConfig& config, const data::Dataset& data, fs::path dir, std::optional<Origin::Values> parts)
    : config_(config), data_(data), dir_(std::move(dir)), parts_(std::move(parts)) {}

const std::string& Ledger::digest_of(const std::string& file) {
  const auto at = digests_.find(file);
  return at != digests_.end() ? at->second : digests_[file] = data::digest_of_file(path(file));
}

Origin::Values Ledger::fields_of(RunConfig config, const StageInfo& stage) const {
  if (config.cluster.classes == 0) config.cluster.classes = data_.classes();  // 0 means them, by another name
  return deciding_fields(config, stage.affects);
}

const Origin& Ledger::origin(const std::string& stage) {
  if (const auto at = origins_.find(stage); at != origins_.end()) return at->second;
  const StageInfo& info = stage_info(stage);
  Origin origin{.fields = fields_of(config_, info)};
  if (!parts_) parts_ = data::parts_of(data_);
  for (const std::string& part : info.data)
    if (const auto at = parts_->find(part); at != parts_->end()) origin.data[part] = at->second;
  if (!origin.data.empty()) origin.data.merge(reading_of(config_));
  for (const std::string& file : inputs_of(config_, info))
    if (fs::exists(path(file))) origin.inputs[file] = digest_of(file);
  return origins_[stage] = std::move(origin);
}

void Ledger::forget(const StageInfo& stage) {
  for (const std::string& file : recorded_beside(stage)) digests_.erase(file);
  for (const std::string& file : stage.outputs) {
    digests_.erase(file);
    for (const StageInfo& later : stage_table())
      if (later.reads(file)) origins_.erase(later.name);
  }
}

// Files that something else than the stage wrote, as far as its record tells.
std::vector<std::string> Ledger::changed_files(const StageInfo& stage) {
  const StageRecords records = read_records(dir_);
  const auto record = records.find(stage.name);
  std::vector<std::string> changed;
  if (record != records.end() && record->second.under_way) return changed;
  for (const std::string& file : stage.outputs) {
    if (!fs::exists(path(file))) continue;
    if (record == records.end()) {
      if (!stage.has_weights()) changed.push_back(file);  // weights tell themselves
      continue;
    }
    const auto written = record->second.outputs.find(file);
    if (written == record->second.outputs.end() || written->second != digest_of(file)) changed.push_back(file);
  }
  for (const std::string& file : recorded_beside(stage))  // of which earlier versions have no record
    if (fs::exists(path(file)) && was_changed(records, stage.name, file, digest_of(file))) changed.push_back(file);
  return changed;
}

// Before this command writes its own.
void Ledger::read_settings() {
  if (std::exchange(looked_, true)) return;
  if (fs::exists(path("config.toml"))) before_ = config_of_run(dir_);
}

// What is known of files without a record: the settings that the directory had.
OriginDifference Ledger::difference_of_settings(const StageInfo& stage) const {
  return before_ ? difference({.fields = fields_of(*before_, stage)}, {.fields = fields_of(config_, stage)})
                 : OriginDifference{};
}

Ledger::Standing Ledger::standing(const std::string& stage) {
  const StageInfo& info = stage_info(stage);
  read_settings();
  const StageRecords records = read_records(dir_);
  const auto record = records.find(stage);
  const bool recorded = record != records.end();
  const auto without = [&](const std::string& file) -> Standing {
    if (!recorded || record->second.under_way) return {};
    return {.why = file + " is missing", .as_it_was = !difference(record->second.origin, origin(stage)).any()};
  };
  for (const std::string& file : info.outputs)
    if (!fs::exists(path(file))) return without(file);
  for (const std::string& file : recorded_beside(info))
    if (recorded && record->second.outputs.contains(file) && !fs::exists(path(file))) return without(file);

  Origin was;
  const std::vector<std::string> changed = changed_files(info);
  const std::string& first = info.outputs.front();
  if (info.has_weights()) {
    was = origin_in(read_stage_metadata(path(first)), path(first));
  } else if (recorded && record->second.under_way) {
    return {.why = "its files were being written when it ended"};
  } else if (recorded) {
    was = record->second.origin;
  }

  if (!changed.empty() && !info.has_weights()) {  // whatever it was made from
    if (stage == "mine") {
      read_mined_lists(dir_, "train", data_.train().count, 0);
      read_mined_lists(dir_, "test", data_.scored().count, 0);
    } else if (stage != "evaluate") {
      for (const std::string& file : changed) expect_whole(path(file), info);
    }
    if (!recorded) {
      const OriginDifference d = difference_of_settings(info);
      return {.state = d.any() ? State::stale : State::valid, .why = d.text()};
    }
    return {.state = State::valid,
            .warning = changed_text(join(changed), info.name, fmt::format("kith {} makes a new one", info.command))};
  }
  const OriginDifference d = difference(was, origin(stage));
  const bool refused = stage == "pretext" || (!d.data.empty() && d.inputs.empty() && stage != "evaluate");
  // Weights are of other bytes than are on record, and would be used, or replaced though the record's would be.
  if (!changed.empty() && (!d.any() || (!refused && !difference(record->second.origin, origin(stage)).any())))
    throw changed_weights(path(first), info, config_);
  if (!d.any()) return {.state = State::valid};
  return {.state = refused ? State::refused : State::stale,
          .why = d.text(),
          .inputs_alone = d.data.empty() && d.fields.empty()};
}

// The files that a stage cannot do without. Without labels evaluate looks at the clusterings alone.
std::vector<std::string> Ledger::needed_files(const StageInfo& stage) const {
  std::vector<std::string> files = inputs_of(config_, stage);
  if (stage.name != "evaluate") return files;
  const bool labelled = data_.scored().labelled();
  if (!labelled) std::erase_if(files, [](const std::string& file) { return file.ends_with(".npy"); });
  if (!labelled || !config_.evaluate.probe) std::erase(files, "pretext.safetensors");
  return files;
}

std::string Ledger::once(std::string warning) {
  return !warning.empty() && said_.insert(warning).second ? warning : "";
}

std::vector<std::string> Ledger::require_inputs(const std::string& stage) {
  const StageInfo& info = stage_info(stage);
  const std::vector<std::string> needed = needed_files(info);
  const std::vector<std::string> all_unrecorded = unrecorded_stages(dir_, config_);
  std::vector<std::string> warnings, unrecorded;
  for (const StageInfo* maker : stages_before(info)) {
    if (!takes_part(config_, maker->name)) continue;
    bool there = true;
    for (const std::string& file : maker->outputs) {
      if (fs::exists(path(file))) continue;
      there = false;
      if (std::ranges::find(needed, file) == needed.end()) continue;
      if (maker->name == "features" && fs::exists(path("pretext.safetensors")))
        throw Error(
            fmt::format("{}: missing; run the pretext stage first, which makes it of the weights that are there",
                        path(file).string()));
      throw Error(fmt::format("{}: missing; run the {} stage first", path(file).string(), maker->command));
    }
    if (!there) continue;
    const Standing s = standing(maker->name);
    const std::string file = path(maker->outputs.front()).string();
    if (s.state == State::refused) throw refusal(maker->name, s);
    if (s.state == State::stale)
      throw Error(fmt::format("{}: {}; run the {} stage first", file, s.why, maker->command));
    if (std::string warning = once(s.warning); !warning.empty()) warnings.push_back(std::move(warning));
    if (std::ranges::find(all_unrecorded, maker->name) != all_unrecorded.end() && !once(maker->name).empty())
      unrecorded.push_back(maker->name);
  }
  if (!unrecorded.empty()) warnings.push_back(unrecorded_text(dir_, config_, unrecorded));
  return warnings;
}

Error Ledger::refusal(const std::string& stage, const Standing& s) const {
  const std::string file = path(stage_info(stage).outputs.front()).string();
  const bool all = stage == "pretext";
  return Error(fmt::format("{}: made from other inputs ({}); choose another --out{}", file, s.why,
                           all ? "" : fmt::format(", and --from {} to keep what is the same", dir_.string())));
}

OriginDifference Ledger::compare(const std::string& stage, const std::map<std::string, std::string>& metadata,
                                 const fs::path& path) {
  return difference(origin_in(metadata, path), origin(stage));
}

std::vector<std::string> Ledger::begin(const std::string& stage, Writes writes) {
  const StageInfo& info = stage_info(stage);
  std::vector<std::string> warnings;
  const StageRecords records = read_records(dir_);
  const auto record = records.find(stage);
  std::vector<std::string> replaced = changed_files(info);
  if (record != records.end() && writes == Writes::what_it_was_given)
    std::erase_if(replaced, [&](const std::string& file) {
      const auto given = record->second.given.find(file);
      return given != record->second.given.end() && given->second == digest_of(file);
    });
  if (record == records.end() && !replaced.empty())
    warnings.push_back(
        fmt::format("{}: replaced; stages.json has no record that the stage {} made it", join(replaced), info.name));
  else
    for (const std::string& file : replaced)
      warnings.push_back(fmt::format("{}: not what the stage {} made; replaced", file, info.name));
  before_write();
  // Without the digests of what is replaced: a kill before finish() must not make new weights look changed.
  write_record(dir_, stage, {.origin = origin(stage), .outputs = {}, .version = KITH_VERSION, .under_way = true});
  forget(info);
  return warnings;
}

void Ledger::finish(const std::string& stage) {
  const StageInfo& info = stage_info(stage);
  StageRecord record{.origin = origin(stage), .outputs = {}, .version = KITH_VERSION};
  forget(info);
  for (const std::string& file : info.outputs) record.outputs[file] = digest_of(file);
  for (const std::string& file : recorded_beside(info))
    if (fs::exists(path(file))) record.outputs[file] = digest_of(file);
  const LoggedLines logged = logged_lines(dir_, info.command);
  record.lines = logged.lines;
  record.ends = logged.ends;
  if (info.name == info.command) {  // of which both tell
    if (logged.lines > 0) record.log = logged.digest;
    record.seconds = seconds_in(dir_, stage);
  }
  write_record(dir_, stage, record);
}

void Ledger::complete(const std::string& stage) {
  const StageRecords records = read_records(dir_);
  const auto record = records.find(stage);
  if (record == records.end() || !record->second.under_way || !stage_info(stage).has_weights()) return;
  if (standing(stage).state == State::valid) finish(stage);
}

}  // namespace kith
