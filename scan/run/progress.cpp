#include "scan/run/progress.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <utility>

#include "kernels/core/check.h"
#include "scan/run/lost_lines.h"
#include "scan/run/metrics_log.h"
#include "scan/run/own_folder.h"
#include "scan/run/stage_records.h"

namespace kith {
namespace {

using nlohmann::json;
using State = StageProgress::State;

struct Figure {
  const char *key, *format;
  double scale;
};
// What is shown of a stage's lines, in this order.
constexpr auto kFigures = std::to_array<Figure>({{"loss", "loss {:.3f}", 1},
                                                 {"kept", "{:.0f} % kept", 100},
                                                 {"knn", "k-NN accuracy {:.1f} %", 100},
                                                 {"acc", "ACC {:.1f} %", 100},
                                                 {"images_per_second", "{:.0f} images/s", 1},
                                                 {"seconds", "{:.0f} s", 1}});

std::optional<double> number(const json& line, const char* key) {
  const auto value = line.find(key);
  return value == line.end() || !value->is_number() ? std::nullopt : std::optional(value->get<double>());
}

// The process that holds the lock of the log, or 0. Asked of the system's list: to try the lock would take it, and a run that
// began at that moment would be refused.
int64_t worker_of(const std::filesystem::path& log) {
  struct stat about {};
  if (::stat(log.c_str(), &about) != 0) return 0;
  std::ifstream locks("/proc/locks");
  const std::string file = fmt::format("{:02x}:{:02x}:{}", major(about.st_dev), minor(about.st_dev), about.st_ino);
  for (std::string line; std::getline(locks, line);) {
    std::istringstream words(line);  // "1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF"
    std::string number, kind, advice, mode, at;
    int64_t process = 0;
    if (words >> number >> kind >> advice >> mode >> process >> at && kind == "FLOCK" && at == file) return process;
  }
  return 0;
}

// When it was started, in seconds since 1970; 0 where that cannot be told.
double start_of(int64_t process) {
  std::ifstream system("/proc/stat"), own(fmt::format("/proc/{}/stat", process));
  double boot = 0;
  for (std::string word; system >> word;)
    if (word == "btime") system >> boot;
  std::string text;
  std::getline(own, text);
  const size_t behind = text.rfind(')');  // of the name, which may hold anything
  if (behind == text.npos) return 0;
  std::istringstream fields(text.substr(behind + 1));
  std::string field;
  for (int i = 0; i < 20; ++i) fields >> field;  // the twentieth behind the name is the start in ticks since boot
  return boot + std::strtod(field.c_str(), nullptr) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

// Whether the configuration was written before the process began that works here: until its first result it may have another.
bool is_older(const std::filesystem::path& config, int64_t process) {
  struct stat about {};
  return process != 0 && ::stat(config.c_str(), &about) == 0 &&
         static_cast<double>(about.st_mtim.tv_sec) + 1 < start_of(process);
}

[[noreturn]] void refuse_without_run(const std::filesystem::path& run_dir, const std::filesystem::path& log) {
  constexpr std::time_t kJustNow = 10;  // seconds
  std::error_code none;
  const std::string begun = run_dir.string() + ": a run began here and ended before it had saved anything",
                    nothing = run_dir.string() + ": no run is there: config.toml or a process at work expected";
  if (struct stat about{}; ::stat(log.c_str(), &about) == 0) {
    if (about.st_mtim.tv_sec + kJustNow < std::time(nullptr)) throw Error(begun);
    throw NotBegun(begun);
  }
  if (!std::filesystem::exists(run_dir, none) || std::filesystem::is_empty(run_dir, none)) throw NotBegun(nothing);
  throw Error(nothing);
}

// Of each stage the lines of its last attempt alone.
std::vector<json> last_attempts(std::vector<json> lines) {
  std::map<std::string, size_t> begins;  // of a stage's attempt
  std::map<std::string, bool> ended;
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string stage = lines[i].value("stage", "");
    if (!begins.contains(stage) || ended[stage]) begins[stage] = i;
    ended[stage] = lines[i].value("finished", false);
  }
  std::vector<json> kept;
  for (size_t i = 0; i < lines.size(); ++i)
    if (i >= begins[lines[i].value("stage", "")]) kept.push_back(std::move(lines[i]));
  return kept;
}

StageProgress progress_of(const std::string& stage, int64_t epochs, const std::vector<json>& lines) {
  StageProgress out;
  out.name = stage;
  std::array<std::optional<double>, kFigures.size()> last;
  std::optional<double> epoch, done;
  std::map<std::string, std::string, std::greater<>> purity;  // of a split, of which there are two: train before test
  for (const json& line : lines) {
    if (line.value("stage", "") != stage) continue;
    if (const auto value = number(line, "purity"))
      purity[line.value("split", "")] = fmt::format("{:.1f} % of {:.0f}", 100 * *value, number(line, "k").value_or(0));
    out.state = line.value("finished", false) ? State::finished : State::begun;
    if (const auto at = number(line, "epoch")) epoch = at;
    if (const auto at = number(line, "done")) done = at;
    for (size_t i = 0; i < kFigures.size(); ++i)
      if (const auto value = number(line, kFigures[i].key)) last[i] = value;
  }
  const auto add = [&](const std::string& text) { out.text += (out.text.empty() ? "" : ", ") + text; };
  if (done && out.state != State::finished) add(fmt::format("{:.0f} %", std::floor(100 * *done)));
  if (epoch) add(fmt::format("epoch {:.0f}", *epoch) + (epochs > 0 ? fmt::format(" of {}", epochs) : ""));
  for (const auto& [split, share] : purity)
    add(fmt::format("{}{} {} {}", split == purity.begin()->first ? "purity " : "", share, split,
                    split == purity.begin()->first ? "neighbours" : "ones"));
  for (size_t i = 0; i < kFigures.size(); ++i)
    if (last[i]) add(fmt::format(fmt::runtime(kFigures[i].format), kFigures[i].scale * *last[i]));
  return out;
}

}  // namespace

bool is_worked_on(const std::filesystem::path& run_dir) { return worker_of(run_dir / "metrics.jsonl") != 0; }

std::string_view name_of(StageProgress::State state) {
  constexpr std::array<std::string_view, 4> kNames = {"waiting", "begun", "running", "finished"};
  return kNames[static_cast<size_t>(state)];
}

RunProgress read_progress(const std::filesystem::path& run_dir) {
  const std::filesystem::path config = run_dir / "config.toml", log = run_dir / "metrics.jsonl";
  RunProgress out;
  const int64_t worker = worker_of(log);
  out.worked_on = worker != 0;
  const bool known = std::filesystem::exists(config), certain = known && !is_older(config, worker);
  if (known)
    out.config = config_of_run(run_dir);
  else if (is_grid(run_dir))
    throw Error(fmt::format("{0}: a folder of runs; expected one of those in it, {0}/cells/NAME", run_dir.string()));
  else if (std::filesystem::exists(run_dir / "run.json"))
    throw Error(run_dir.string() + ": a run on rows of features; only runs on images are watched");
  else if (const std::string lost = lost_description(run_dir); !lost.empty())
    throw Error(fmt::format("{}: {}", run_dir.string(), lost));
  else if (!out.worked_on)
    refuse_without_run(run_dir, log);
  if (struct stat about{}; ::stat(log.c_str(), &about) == 0) out.written = about.st_mtim.tv_sec;
  if (std::filesystem::exists(log)) out.lines = last_attempts(read_metrics(log));
  out.lost = lost_lines(run_dir, out.config, out.worked_on ? AtWork::yes : AtWork::no);
  const StageRecords records = read_records(run_dir);
  bool standing = true;  // all stages so far
  for (const StageInfo& info : stage_table()) {
    const std::string& stage = info.name;
    if (stage != info.command || stage == "evaluate" || !takes_part(out.config, stage)) continue;
    StageProgress s = progress_of(stage, certain ? epochs_of(out.config, stage) : 0, out.lines);
    if (!out.worked_on && s.state != State::finished && stands(records, out.config, stage))
      s = {.name = stage, .state = State::finished, .text = {}};              // the log has lost how it went
    if (!standing) s = {.name = stage, .state = State::waiting, .text = {}};  // what it has is of an earlier attempt
    if (standing && out.worked_on && s.state != State::finished) s.state = State::running;
    standing = standing && s.state == State::finished;
    out.stages.push_back(std::move(s));
  }
  out.finished = standing && !out.worked_on && std::filesystem::exists(run_dir / "summary.json") &&
                 follow(records, out.config) && evaluation_stands(run_dir, records);
  const State evaluated = out.finished ? State::finished : standing && out.worked_on ? State::running : State::waiting;
  out.stages.push_back({.name = "evaluate", .state = evaluated, .text = {}});
  return out;
}

}  // namespace kith
