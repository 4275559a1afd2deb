#include "scan/run/changed_results.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/dataset/digest.h"
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
    const bool made_again = std::ranges::any_of(records, [&](const auto& of) {
      const auto at = of.second.outputs.find(file);
      return at != of.second.outputs.end() && at->second == now;
    });
    if (now != digest && !made_again)
      out.push_back(fmt::format("{}: changed since the run was evaluated; {}", (run_dir / file).string(),
                                use_of_changed(run_dir, file)));
  }
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
