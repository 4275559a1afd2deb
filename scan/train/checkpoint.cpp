#include "scan/train/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <span>
#include <utility>

#include "kernels/core/check.h"
#include "nn/device/ranks/collective.h"
#include "scan/run/log_ends.h"
#include "scan/run/metrics_log.h"
#include "scan/run/ranks.h"
#include "scan/run/stage_records.h"
#include "scan/run/stage_weights.h"
#include "scan/train/checkpoint_file.h"

namespace kith {
namespace {

const std::string kState = "kith.state";  // metadata key

std::filesystem::path checkpoint_path(const std::filesystem::path& run_dir, const std::string& stage) {
  return run_dir / ("checkpoint_" + stage + ".safetensors");
}
std::filesystem::path result_path(const Session& s, const std::string& stage) {
  return s.dir / (stage + ".safetensors");
}

std::string begins_anew(const std::string& stage) {
  return fmt::format("remove it, and the stage {} begins anew", stage);
}

void report_all(const Session& s, const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) s.report.warn(warning);
}

}  // namespace

void put_section(SafeTensors& file, const std::string& section, const SafeTensors& part) {
  for (const auto& [name, array] : part.arrays) file.arrays[section + "/" + name] = array;
  for (const auto& [name, text] : part.metadata) file.metadata[section + "/" + name] = text;
}

SafeTensors take_section(const SafeTensors& file, const std::string& section) {
  const std::string prefix = section + "/";
  SafeTensors out{.file = file.file};
  for (const auto& [name, array] : file.arrays)
    if (name.starts_with(prefix)) out.arrays.emplace(name.substr(prefix.size()), array);
  for (const auto& [name, text] : file.metadata)
    if (name.starts_with(prefix)) out.metadata.emplace(name.substr(prefix.size()), text);
  return out;
}

void start_stage(Session& s, const std::string& stage) {
  alone(s.ctx.collective(), [&] {
    report_all(s, s.ledger.require_inputs(stage));
    for (const StageInfo* before : stages_before(stage_info(stage)))
      if (takes_part(s.config, before->name)) s.ledger.complete(before->name);
    s.ledger.origin(stage);
  });
}

void begin_results(const Session& s, const std::string& stage, Ledger::Writes writes) {
  report_all(s, s.ledger.begin(stage, writes));
}

// The lines that the record counts are on disk before it is.
void finish_results(const Session& s, const std::string& stage) {
  s.report.log_position();
  s.ledger.finish(stage);
}

void report_finished(const Session& s, const std::string& command) { s.report.metric(finished_line(s.dir, command)); }

namespace {

// The last one of a command, with whose record its result stands.
std::string last_stage_of(const std::string& command) {
  std::string last;
  for (const StageInfo& stage : stage_table())
    if (stage.command == command) last = stage.name;
  return last;
}

// Lines behind those of the valid result are of an attempt that was killed: behind its own end, or others than were counted when
// it was recorded; of an earlier version's, which did not count, written after that.
bool of_another_attempt(const Session& s, const std::string& command, const StageRecord& record) {
  if (record.lines) {
    const LoggedLines logged = logged_lines(s.dir, command);
    return logged.lines != *record.lines || (record.ends && logged.ends != *record.ends);
  }
  return std::filesystem::last_write_time(s.dir / "metrics.jsonl") >
         std::filesystem::last_write_time(s.dir / "stages.json");
}

}  // namespace

void complete_log(const Session& s, const std::string& command) {
  const std::filesystem::path log = s.dir / "metrics.jsonl";
  if (!std::filesystem::exists(log)) return;
  bool none = true, open = false,
       earlier = false;  // no line of the stage; some, and none that ends them; such a line before them
  for (const nlohmann::json& line : read_metrics(log))
    if (line.value("stage", "") == command) {
      none = false;
      open = !line.value("finished", false);
      earlier |= !open;
    }
  const std::string stage = last_stage_of(command);
  const StageRecords records = read_records(s.dir);
  const auto record = records.find(stage);
  const bool recorded = record != records.end();
  if (none && recorded && record->second.lines == 0 &&
      !imported(s.config, command))  // it has but the line that ends it
    return s.report.metric(finished_line(command, 0));
  if (!open) return;
  if (earlier && recorded && of_another_attempt(s, command, record->second)) {
    s.report.begin(command, 0, 0);
    return s.report.end();
  }
  s.report.metric(closing_line(s.dir, command, stage));
}

void write_checkpoint(const Session& s, const std::string& stage, Checkpoint c) {
  s.ledger.before_write();
  c.arrays.metadata[kOriginKey] = to_json(s.ledger.origin(stage)).dump();
  c.arrays.metadata[kState] = c.state.dump();  // doubles are written so that they read back exactly
  write_checkpoint_file(checkpoint_path(s.dir, stage), std::move(c.arrays));
}

namespace {

// "FILE: begun with other inputs (...)", for which a stage starts over; empty: it goes on. Error: it may not.
std::string begun_otherwise(Ledger& ledger, const std::string& stage, const SafeTensors& file) {
  const OriginDifference d = ledger.compare(stage, file.metadata, file.file);
  if (!d.any()) return "";
  const std::string text = fmt::format("{}: begun with other inputs ({})", file.file, d.text());
  if (stage == "pretext" || !d.data.empty()) throw Error(text + "; choose another --out, or delete it to start over");
  return text;
}

std::optional<Checkpoint> read_own_checkpoint(const Session& s, const std::string& stage) {
  const std::filesystem::path path = checkpoint_path(s.dir, stage);
  if (!std::filesystem::exists(path)) return {};
  Checkpoint c{.arrays = read_checkpoint_file(path, begins_anew(stage)), .state = {}};
  if (const std::string text = begun_otherwise(s.ledger, stage, c.arrays); !text.empty()) {
    s.report.warn(fmt::format("{}; {} starts over", text, stage));
    return {};
  }
  c.state = nlohmann::json::parse(c.arrays.metadata[kState], nullptr, false);
  if (c.state.is_discarded())
    throw Error(fmt::format("{}: unreadable {} in its metadata; {}", path.string(), kState, begins_anew(stage)));
  return c;
}

}  // namespace

std::optional<Checkpoint> read_checkpoint(const Session& s, const std::string& stage) {
  if (s.ctx.collective().size() == 1) return read_own_checkpoint(s, stage);
  std::optional<Checkpoint> c;
  if (!answer_of_first(s.ctx.collective(), [&] { return (c = read_own_checkpoint(s, stage)).has_value(); })) return {};
  Checkpoint all;
  all.arrays = file_of_first(s.ctx.collective(), [&] { return c->arrays; });
  all.state = nlohmann::json::parse(all.arrays.metadata.at(kState));
  return all;
}

void expect_whole_checkpoint(const std::filesystem::path& run_dir, const std::string& stage) {
  const std::filesystem::path path = checkpoint_path(run_dir, stage);
  if (std::filesystem::exists(path)) read_checkpoint_file(path, begins_anew(stage));
}

void expect_usable_checkpoint(Ledger& ledger, const std::filesystem::path& run_dir, const std::string& stage) {
  const std::filesystem::path path = checkpoint_path(run_dir, stage);
  if (std::filesystem::exists(path)) begun_otherwise(ledger, stage, read_checkpoint_file(path, begins_anew(stage)));
}

void remove_checkpoint(const Session& s, const std::string& stage) {
  if (s.ctx.collective().rank() != 0) return;
  std::error_code ignored;  // a checkpoint that stays behind is harmless: the result is looked at first
  std::filesystem::remove(checkpoint_path(s.dir, stage), ignored);
}

void remove_finished_checkpoint(const Session& s, const std::string& stage) {
  if (s.ctx.collective().rank() != 0) return;
  const std::filesystem::path path = checkpoint_path(s.dir, stage);
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return;
  try {
    if (!s.ledger.compare(stage, read_safetensors_metadata(path), path).any()) remove_checkpoint(s, stage);
  } catch (const std::exception&) {  // damaged, and nobody reads it
  }
}

namespace {

// Every loss is a number, and the last step may yet have broken the weights.
void expect_finite(const std::string& stage, const SafeTensors& weights) {
  for (const auto& [name, array] : weights.arrays) {
    if (array.dtype != "F32") continue;
    const std::span values(array.as<float>(), static_cast<size_t>(array.count()));
    if (!std::ranges::all_of(values, [](float v) { return std::isfinite(v); }))
      throw Error(
          fmt::format("{0}: {1} holds numbers that are not finite, and the weights were not written; expected a lower "
                      "learning rate (--set {0}.schedule.lr=...)",
                      stage, name));
  }
}

}  // namespace

void write_result(const Session& s, const std::string& stage, SafeTensors weights) {
  alone(s.ctx.collective(), [&] {
    expect_finite(stage, weights);
    weights.metadata[kOriginKey] = to_json(s.ledger.origin(stage)).dump();
    begin_results(s, stage);
    write_safetensors(result_path(s, stage), weights);
    finish_results(s, stage);
  });
}

namespace {

SafeTensors read_own_result(const Session& s, const std::string& stage) {
  const std::filesystem::path path = result_path(s, stage);
  if (!std::filesystem::exists(path))
    throw Error(fmt::format("{}: missing; run the {} stage first", path.string(), stage));
  SafeTensors file = read_stage_weights(path);
  if (const OriginDifference d = s.ledger.compare(stage, file.metadata, path); d.any())
    throw Error(fmt::format("{}: made from other inputs ({}); run the {} stage first", path.string(), d.text(), stage));
  return file;
}

}  // namespace

SafeTensors read_result(const Session& s, const std::string& stage) {
  return file_of_first(s.ctx.collective(), [&] { return read_own_result(s, stage); });
}

}  // namespace kith
