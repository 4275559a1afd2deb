#include "scan/run/start_from.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <system_error>

#include "data/formats/files.h"
#include "data/formats/has_name.h"
#include "kernels/core/check.h"
#include "scan/run/ledger.h"
#include "scan/run/lost_records.h"
#include "scan/run/metrics_log.h"
#include "scan/run/stage_records.h"
#include "scan/text/json_text.h"

namespace kith {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::vector<const StageInfo*> wanted_stages(const RunConfig& config, const std::string& command) {
  const bool all = command == "run";
  std::vector<const StageInfo*> wanted = stages_before(stage_info(all ? "evaluate" : command));
  std::erase_if(wanted, [&](const StageInfo* stage) { return !takes_part(config, stage->name); });
  return wanted;
}

std::set<std::string> commands_of(const ReusePlan& plan) {
  std::set<std::string> commands;
  for (const std::string& stage : plan.stages) commands.insert(stage_info(stage).command);
  return commands;
}

void write_text(const fs::path& path, const std::string& text) { data::write_file(path, {data::as_bytes(text)}); }

// In pieces, as features may be larger than memory. std::filesystem::copy_file says "Input/output error" of a full disk.
void copy_in_pieces(const fs::path& from, const fs::path& to) {
  std::ifstream in = data::open_file(from);
  std::ofstream out(to, std::ios::binary | std::ios::trunc);
  std::vector<char> piece(size_t{1} << 20);
  bool open = static_cast<bool>(out);
  while (open && in) {
    in.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    open = static_cast<bool>(out.write(piece.data(), in.gcount()));
  }
  if (!open || !out.flush()) throw fs::filesystem_error("copy", to, std::error_code(errno, std::generic_category()));
}

// The lines of metrics.jsonl and the seconds of timing.json that belong to the stages taken over.
void copy_report(const std::set<std::string>& commands, const fs::path& from, const fs::path& to) {
  std::string kept;
  for (const json& line : finished_log(from))
    if (commands.contains(line.value("stage", ""))) kept += json_text(line) + "\n";
  write_text(to / "metrics.jsonl", kept);
  std::ifstream file(from / "timing.json");
  const json seconds = json::parse(file, nullptr, false);
  json times = json::object();
  for (const std::string& command : commands)
    if (seconds.is_object() && seconds.contains(command)) times[command] = seconds[command];
  write_text(to / "timing.json", times.dump(2) + "\n");
}

// A folder that is filled before it gets its name, by one command at a time.
class OwnFolder {
 public:
  OwnFolder(const fs::path& path, const fs::path& target) : path_(path) {
    fs::create_directories(path);
    file_ = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int error = errno;
    if (file_ < 0) throw fs::filesystem_error("open", path, std::error_code(error, std::generic_category()));
    if (flock(file_, LOCK_EX | LOCK_NB) == 0 && data::has_name(file_, path_)) return;
    close(file_);
    throw Error(fmt::format("{}: another kith is working in this directory", target.string()));
  }
  ~OwnFolder() { close(file_); }
  OwnFolder(const OwnFolder&) = delete;
  OwnFolder& operator=(const OwnFolder&) = delete;
  void remove() const {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }

 private:
  fs::path path_;
  int file_ = -1;
};

void fill(const ReusePlan& plan, const RunConfig& config, const fs::path& from, const fs::path& to) {
  const StageRecords records = read_records(from);
  for (const std::string& stage : plan.stages) {
    for (const std::string& file : stage_info(stage).outputs) copy_in_pieces(from / file, to / file);
    if (const auto record = records.find(stage); record != records.end()) write_record(to, stage, record->second);
  }
  copy_report(commands_of(plan), from, to);
  write_text(to / "config.toml", to_toml(config));
}

}  // namespace

ReusePlan plan_reuse(const RunConfig& config, const data::Dataset& data, const fs::path& from,
                     const std::string& command) {
  Ledger ledger(config, data, from);
  ReusePlan plan;
  std::set<std::string> left;  // files that are not taken over
  std::string first_reason;
  for (const StageInfo* stage : wanted_stages(config, command)) {
    const Ledger::Standing standing = ledger.standing(stage->name);
    const std::vector<std::string> inputs = inputs_of(config, *stage);
    const auto lost = std::ranges::find_if(inputs, [&](const std::string& file) { return left.contains(file); });
    if (lost == inputs.end() && standing.state == Ledger::State::valid) {
      plan.stages.push_back(stage->name);
      plan.notes.push_back(fmt::format("{}: taken over from {}", stage->name, from.string()));
      if (!standing.warning.empty()) plan.warnings.push_back(standing.warning);
      continue;
    }
    const std::string known = lost != inputs.end() ? *lost + " is made again" : standing.why,
                      why = known.empty() ? "it was not run there" : known;
    plan.left[stage->name] = known;
    if (first_reason.empty()) first_reason = fmt::format("{}: {}", stage->name, why);
    left.insert(stage->outputs.begin(), stage->outputs.end());
    plan.notes.push_back(fmt::format("{}: runs again: {}", stage->name, why));
  }
  std::vector<std::string> unrecorded = unrecorded_stages(from, config);
  std::erase_if(unrecorded,
                [&](const std::string& stage) { return std::ranges::find(plan.stages, stage) == plan.stages.end(); });
  if (!unrecorded.empty()) plan.warnings.push_back(unrecorded_text(from, config, unrecorded));
  if (plan.stages.empty())
    throw Error(fmt::format("--from {}: nothing of it can be taken over ({})", from.string(), first_reason));
  return plan;
}

void take_over(const ReusePlan& plan, const RunConfig& config, const fs::path& from, const fs::path& to) {
  // "a/" would put the partial folder inside, where no rename can replace a.
  const fs::path target = to.has_filename() ? to : to.parent_path();
  const fs::path partial = target.string() + ".partial";
  if (fs::exists(target) && !fs::is_empty(target))
    throw Error(fmt::format("{}: --from wants a new folder, this one is not empty", target.string()));
  std::optional<OwnFolder> own;
  try {
    own.emplace(partial, target);
    for (const fs::directory_entry& left : fs::directory_iterator(partial))
      fs::remove_all(left);  // of a killed command
    fill(plan, config, from, partial);
    fs::rename(partial, target);
  } catch (const fs::filesystem_error& e) {
    if (own) own->remove();
    throw Error(fmt::format("--from {}: cannot copy to {}: {}", from.string(), target.string(), e.code().message()));
  } catch (...) {
    if (own) own->remove();
    throw;
  }
}

}  // namespace kith
