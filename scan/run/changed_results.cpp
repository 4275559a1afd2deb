#include "scan/run/changed_results.h"

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

}  // namespace kith
