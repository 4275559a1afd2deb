#include "scan/run/changed_results.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "data/dataset/digest.h"
#include "scan/run/log_ends.h"
#include "scan/run/lost_records.h"
#include "scan/run/stage_records.h"

namespace kith {
namespace {

namespace fs = std::filesystem;

// Where kith run would not make them anew, it is told once why.
std::vector<std::string> missing_results(const fs::path& run_dir, const RunConfig& config, const Outlook& next) {
  const StageRecords records = read_records(run_dir);
  std::vector<std::string> out;
  for (const StageInfo& stage : stage_table()) {
    const auto record = records.find(stage.name);
    if (record == records.end() || record->second.under_way || !takes_part(config, stage.name)) continue;
    const auto look = [&](const Origin::Values& files, const std::string& remedy) {
      for (const auto& [file, digest] : files)
        if (!fs::exists(run_dir / file))
          out.push_back(
              fmt::format("{}: missing, which the stage {} left{}", (run_dir / file).string(), stage.name, remedy));
    };
    look(record->second.outputs, imported(config, stage.name)
                                     ? "; restore it, or kith import begins another run with such weights"
                                 : next.clear() ? fmt::format("; kith run --out {} makes it anew{}", run_dir.string(),
                                                              stage.has_weights() ? ", training the stage again" : "")
                                                : "");
    look(record->second.given,
         fmt::format("; restore it, or give it again: kith mine --out {} --neighbours FILE", run_dir.string()));
  }
  return out;
}

}  // namespace

std::vector<std::string> changes_since_evaluation(const fs::path& run_dir, const std::vector<EvaluatedFile>& files) {
  const StageRecords records = read_records(run_dir);
  std::vector<std::string> out;
  for (const auto& [name, used] : files)
    if (const fs::path file = run_dir / name;
        fs::exists(file) && was_changed(records, "evaluate", name, data::digest_of_file(file)))
      out.push_back(changed_text(file.string(), "evaluate", "kith evaluate makes a new one; " + used));
  return out;
}

std::vector<std::string> changed_figures(const fs::path& run_dir) {
  return changes_since_evaluation(
      run_dir, {{"summary.json", "figures are of it"}, {"assignments.npy", "the agreement of seeds is of it"}});
}

std::vector<std::string> changed_inputs(const fs::path& run_dir) {
  const StageRecords records = read_records(run_dir);
  const auto evaluated = records.find("evaluate");
  if (evaluated == records.end() || evaluated->second.under_way) return {};
  std::vector<std::string> out;
  for (const auto& [file, digest] : evaluated->second.origin.inputs) {
    if (!fs::exists(run_dir / file)) continue;
    const std::string now = data::digest_of_file(run_dir / file);
    const bool made_again = std::ranges::any_of(records, [&, &file = file](const auto& of) {
      const auto at = of.second.outputs.find(file);
      return at != of.second.outputs.end() && at->second == now;
    });
    if (now != digest && !made_again) out.push_back((run_dir / file).string());
  }
  return out;
}

std::vector<std::string> doubts_about_files(const fs::path& run_dir, const RunConfig& config, const Outlook& next) {
  std::vector<std::string> out = missing_results(run_dir, config, next);
  const std::vector<std::string> changed = changed_inputs(run_dir);
  if (!changed.empty())
    out.push_back(fmt::format("{}: changed since the run was evaluated; {}", fmt::join(changed, ", "),
                              advice(next, run_dir, does_with_changed(next))));
  if (std::string text = unrecorded_text(run_dir, config, unrecorded_stages(run_dir, config)); !text.empty())
    out.push_back(std::move(text));
  if (changed.empty() && !next.clear()) out.push_back(advice(next, run_dir, ""));
  return out;
}

}  // namespace kith
