#include "scan/run/progress.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "kernels/core/check.h"
#include "scan/run/metrics_log.h"

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
                                                 {"purity", "purity {:.1f} %", 100},
                                                 {"acc", "ACC {:.1f} %", 100},
                                                 {"images_per_second", "{:.0f} images/s", 1},
                                                 {"seconds", "{:.0f} s", 1}});

std::optional<double> number(const json& line, const char* key) {
  const auto value = line.find(key);
  return value == line.end() || !value->is_number() ? std::nullopt : std::optional(value->get<double>());
}

// Whether a process holds the lock of the log. Asked of the system's list: to try the lock would take it, and a run that began at
// that moment would be refused.
bool in_use(const std::filesystem::path& log) {
  struct stat about {};
  if (::stat(log.c_str(), &about) != 0) return false;
  std::ifstream locks("/proc/locks");
  const std::string file = fmt::format(" {:02x}:{:02x}:{} ", major(about.st_dev), minor(about.st_dev), about.st_ino);
  for (std::string line; std::getline(locks, line);)
    if (line.find("FLOCK") != line.npos && line.find(file) != line.npos) return true;
  return false;
}

int64_t epochs_of(const RunConfig& c, const std::string& stage) {
  if (stage == "pretext") return c.pretext.train.epochs;
  if (stage == "cluster") return c.cluster.train.epochs;
  if (stage == "selflabel") return c.selflabel.train.epochs;
  return stage == "refine" ? c.refine.train.epochs : 0;
}

StageProgress progress_of(const std::string& stage, const RunConfig& config, const std::vector<json>& lines) {
  StageProgress out;
  out.name = stage;
  std::array<std::optional<double>, kFigures.size()> last;
  std::optional<double> epoch;
  for (const json& line : lines) {
    if (line.value("stage", "") != stage) continue;
    out.state = line.value("finished", false) ? State::finished : State::begun;
    if (const auto at = number(line, "epoch")) epoch = at;
    for (size_t i = 0; i < kFigures.size(); ++i)
      if (const auto value = number(line, kFigures[i].key)) last[i] = value;
  }
  const auto add = [&](const std::string& text) { out.text += (out.text.empty() ? "" : ", ") + text; };
  if (const int64_t epochs = epochs_of(config, stage); epoch && epochs > 0)
    add(fmt::format("epoch {:.0f} of {}", *epoch, epochs));
  for (size_t i = 0; i < kFigures.size(); ++i)
    if (last[i]) add(fmt::format(fmt::runtime(kFigures[i].format), kFigures[i].scale * *last[i]));
  return out;
}

}  // namespace

std::string_view name_of(StageProgress::State state) {
  constexpr std::array<std::string_view, 3> kNames = {"waiting", "begun", "finished"};
  return kNames[static_cast<size_t>(state)];
}

RunProgress read_progress(const std::filesystem::path& run_dir) {
  const std::filesystem::path config = run_dir / "config.toml", log = run_dir / "metrics.jsonl";
  RunProgress out;
  out.worked_on = in_use(log);
  if (std::filesystem::exists(config))
    out.config = load_config(config.string(), {});
  else if (!out.worked_on)
    throw Error(run_dir.string() + ": no run is there: config.toml or a process at work expected");
  if (std::filesystem::exists(log)) out.lines = read_metrics(log);
  std::vector<std::string> stages = {"pretext", "mine", "cluster"};
  if (out.config.selflabel.enabled) stages.emplace_back("selflabel");
  if (out.config.refine.enabled) stages.emplace_back("refine");
  for (const std::string& stage : stages) out.stages.push_back(progress_of(stage, out.config, out.lines));
  const bool trained =
      std::ranges::all_of(out.stages, [](const StageProgress& s) { return s.state == State::finished; });
  const bool evaluated = trained && std::filesystem::exists(run_dir / "summary.json") && !out.worked_on;
  out.stages.push_back({.name = "evaluate",
                        .state = evaluated                  ? State::finished
                                 : trained && out.worked_on ? State::begun
                                                            : State::waiting,
                        .text = {}});
  out.finished = evaluated;
  return out;
}

}  // namespace kith
