#include "scan/run/changed_results.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "data/dataset/digest.h"
#include "scan/run/log_ends.h"
#include "scan/run/lost_records.h"
#include "scan/run/stage_records.h"

namespace kith {

std::vector<std::string> changes_since_evaluation(const std::filesystem::path& run_dir,
                                                  const std::vector<EvaluatedFile>& files) {
  const StageRecords records = read_records(run_dir);
  std::vector<std::string> out;
  for (const auto& [name, used] : files)
    if (const std::filesystem::path file = run_dir / name;
        std::filesystem::exists(file) && was_changed(records, "evaluate", name, data::digest_of_file(file)))
      out.push_back(changed_text(file.string(), "evaluate", "kith evaluate makes a new one; " + used));
  return out;
}

std::vector<std::string> changed_figures(const std::filesystem::path& run_dir) {
  return changes_since_evaluation(
      run_dir, {{"summary.json", "figures are of it"}, {"assignments.npy", "the agreement of seeds is of it"}});
}

std::vector<std::string> changed_inputs(const std::filesystem::path& run_dir) {
  const StageRecords records = read_records(run_dir);
  const auto evaluated = records.find("evaluate");
  if (evaluated == records.end() || evaluated->second.under_way) return {};
  std::vector<std::string> out;
  for (const auto& [file, digest] : evaluated->second.origin.inputs) {
    if (!std::filesystem::exists(run_dir / file)) continue;
    const std::string now = data::digest_of_file(run_dir / file);
    const bool made_again = std::ranges::any_of(records, [&, &file = file](const auto& of) {
      const auto at = of.second.outputs.find(file);
      return at != of.second.outputs.end() && at->second == now;
    });
    if (now != digest && !made_again)
      out.push_back(fmt::format("{}: changed since the run was evaluated; {}", (run_dir / file).string(),
                                use_of_changed(run_dir, file)));
  }
  return out;
}

std::vector<std::string> missing_results(const std::filesystem::path& run_dir, const RunConfig& config) {
  const StageRecords records = read_records(run_dir);
  std::vector<std::string> out;
  for (const StageInfo& stage : stage_table()) {
    const auto record = records.find(stage.name);
    if (record == records.end() || record->second.under_way || !takes_part(config, stage.name)) continue;
    const auto look = [&](const Origin::Values& files, const std::string& remedy) {
      for (const auto& [file, digest] : files)
        if (!std::filesystem::exists(run_dir / file))
          out.push_back(
              fmt::format("{}: missing, which the stage {} left; {}", (run_dir / file).string(), stage.name, remedy));
    };
    look(record->second.outputs, imported(config, stage.name)
                                     ? "restore it, or kith import begins another run with such weights"
                                     : fmt::format("kith run --out {} makes it anew{}", run_dir.string(),
                                                   stage.has_weights() ? ", training the stage again" : ""));
    look(record->second.given,
         fmt::format("restore it, or give it again: kith mine --out {} --neighbours FILE", run_dir.string()));
  }
  return out;
}

std::vector<std::string> doubts_about_files(const std::filesystem::path& run_dir, const RunConfig& config) {
  std::vector<std::string> out = missing_results(run_dir, config);
  std::ranges::move(changed_inputs(run_dir), std::back_inserter(out));
  if (std::string text = unrecorded_text(run_dir, config, unrecorded_stages(run_dir, config)); !text.empty())
    out.push_back(std::move(text));
  return out;
}

std::string use_of_changed(const std::filesystem::path& run_dir, const std::string& file) {
  if (file.starts_with("features_"))
    return fmt::format(
        "kith run --out {} would take the file as it is and search for neighbours again, and if it finds others, make "
        "another network",
        run_dir.string());
  if (file.ends_with(".npy"))
    return fmt::format("kith run --out {} would take the file as it is, and make another network", run_dir.string());
  return fmt::format(
      "kith run --out {} refuses the file until it is restored, or removed, which has its stage trained again",
      run_dir.string());
}

}  // namespace kith
