#include "scan/run/own_folder.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/formats/text.h"
#include "kernels/core/check.h"
#include "scan/config/config_text.h"
#include "scan/run/remedy.h"
#include "scan/text/first_few.h"

namespace kith {

namespace fs = std::filesystem;

void expect_nothing_else(const std::string& folder, const std::function<bool(const fs::path& file)>& known) {
  std::error_code ignored;
  std::vector<std::string> others;
  for (fs::directory_iterator entry(folder, ignored), end; entry != end; entry.increment(ignored))
    if (!known(entry->path())) others.push_back(data::printable(entry->path().filename().string()));
  if (others.empty()) return;
  std::ranges::sort(others);
  constexpr size_t kShown = 3;
  throw Error(fmt::format("{}: holds something else ({}); expected an empty or a new folder, such as {}", folder,
                          first_few(others, kShown), free_name_in(folder)));
}

bool is_beginning_of_run(const fs::path& file) {
  return file.filename() == "metrics.jsonl" || file.extension() == ".partial";
}

bool is_run_directory(const fs::path& folder) {
  std::error_code ignored;
  return fs::exists(folder / "config.toml", ignored) || fs::exists(folder / "run.json", ignored);
}

RunConfig config_of_run(const fs::path& run_dir) {
  const std::string file = (run_dir / "config.toml").string(),
                    remedy = "restore the file, or begin anew in another --out";
  or_remedy(remedy, [&] { return parse(read_source(file)); });  // as one that was cut within a line
  RunConfig config = load_config(file, {});
  if (config.data.spec.empty()) throw Error(file + ": has no data.spec, as every run writes it; " + remedy);
  return config;
}

std::vector<std::string> runs_in(const fs::path& folder) {
  std::error_code ignored;
  std::vector<std::string> runs;
  for (fs::directory_iterator entry(folder, ignored), end; entry != end; entry.increment(ignored))
    if (is_run_directory(entry->path())) runs.push_back(data::printable(entry->path().filename().string()));
  std::ranges::sort(runs);
  return runs;
}

std::string free_name_in(const fs::path& folder) {
  std::error_code ignored;
  fs::path name = folder / "new";
  for (int n = 2; fs::exists(fs::symlink_status(name, ignored)); ++n) name = folder / fmt::format("new{}", n);
  return name.string();
}

}  // namespace kith
