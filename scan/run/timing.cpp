#include "scan/run/timing.h"

#include <fstream>

#include "data/formats/files.h"
#include "scan/run/stage_records.h"

namespace kith {
namespace {

constexpr const char* kTimes = "timing.json";

nlohmann::json times_in(const std::filesystem::path& run_dir) {
  std::ifstream file(run_dir / kTimes);
  nlohmann::json times = nlohmann::json::parse(file, nullptr, false);
  return times.is_object() ? times : nlohmann::json::object();
}

// Of stages that have seconds in both, and other ones on record.
nlohmann::json recorded_otherwise(const std::filesystem::path& run_dir, const nlohmann::json& times) {
  nlohmann::json out = nlohmann::json::object();
  for (const auto& [stage, record] : read_records(run_dir))
    if (record.seconds && times.contains(stage) && times[stage] != *record.seconds) out[stage] = *record.seconds;
  return out;
}

}  // namespace

std::optional<double> seconds_in(const std::filesystem::path& run_dir, const std::string& stage) {
  const nlohmann::json times = times_in(run_dir);
  const auto at = times.find(stage);
  return at != times.end() && at->is_number() ? std::optional(at->get<double>()) : std::nullopt;
}

std::vector<std::string> stages_of_other_seconds(const std::filesystem::path& run_dir) {
  std::vector<std::string> out;
  const nlohmann::json others = recorded_otherwise(run_dir, times_in(run_dir));
  for (const StageInfo& stage : stage_table())
    if (others.contains(stage.name)) out.push_back(stage.name);
  return out;
}

nlohmann::json recorded_seconds(const Session& s) {
  nlohmann::json times = times_in(s.dir);
  times.update(recorded_otherwise(s.dir, times));
  return times;
}

void record_seconds(const Session& s, const std::string& stage, double seconds) {
  s.ledger.before_write();  // without a configuration beside it, nobody would know whose the file is
  nlohmann::json times = recorded_seconds(s);
  times[stage] = seconds;
  data::write_file(s.dir / kTimes, {data::as_bytes(times.dump(2) + "\n")});
}

}  // namespace kith
