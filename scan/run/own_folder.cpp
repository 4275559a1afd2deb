#include "scan/run/own_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "data/formats/files.h"
#include "data/formats/text.h"
#include "kernels/core/check.h"
#include "scan/config/config_text.h"
#include "scan/text/first_few.h"

namespace kith {

namespace fs = std::filesystem;

namespace {

// Whole, without "." and "..", and without the empty part that "a/" ends in.
fs::path plain_name(const fs::path& path) {
  const fs::path plain = fs::absolute(path).lexically_normal();
  return plain.has_filename() ? plain : plain.parent_path();
}

// A config.toml alone may be anyone's.
bool holds_run(const fs::path& folder) {
  std::error_code ignored;
  return is_run_directory(folder) &&
         (fs::exists(folder / "metrics.jsonl", ignored) || fs::exists(folder / "stages.json", ignored));
}

// Of the description of a run that the command of a grid has begun; empty: no such run.
std::string remedy_in_grid(const fs::path& run_dir) {
  const fs::path cells = plain_name(run_dir).parent_path();
  std::error_code ignored;
  if (cells.filename() != "cells" || !fs::exists(cells.parent_path() / "grid.toml", ignored)) return "";
  const std::string copy = whole_copy_of(run_dir);
  return fmt::format("{}move the folder away, and the command of the grid runs it anew",
                     copy.empty() ? "" : fmt::format("copy {} there, or ", copy));
}

}  // namespace

void expect_nothing_else(const std::string& folder, const std::function<bool(const fs::path& file)>& known) {
  std::error_code ignored;
  std::vector<std::string> others;
  for (fs::directory_iterator entry(folder, ignored), end; entry != end; entry.increment(ignored))
    if (!known(entry->path())) others.push_back(data::printable(entry->path().filename().string()));
  if (others.empty()) return;
  if (const std::string lost = lost_description(folder); !lost.empty()) throw Error(folder + ": " + lost);
  if (holds_run(folder))
    throw Error(fmt::format("{}: holds a run; expected an empty or a new folder, such as {}", folder,
                            free_name_in(plain_name(folder).parent_path())));
  std::ranges::sort(others);
  constexpr size_t kShown = 3;
  throw Error(fmt::format("{}: holds something else ({}); expected an empty or a new folder, such as {}", folder,
                          first_few(others, kShown), free_name_in(folder)));
}

void expect_writable_files(const fs::path& folder, const std::vector<std::string>& files) {
  for (const std::string& file : files) {
    const fs::path name = folder / file;
    if (const fs::path taken = data::folder_in_place_of(name); !taken.empty())
      throw Error(taken.string() + ": is a folder, expected a file");
    std::error_code ignored;
    if (!fs::is_symlink(name, ignored)) continue;
    const fs::path to = fs::weakly_canonical(data::behind_links(name), ignored), run = run_around(to);
    if (!run.empty() && !fs::equivalent(run, folder, ignored))
      throw Error(
          fmt::format("{}: is a link to {}, a file of another run, which would be overwritten; put a copy in "
                      "its place, or remove it",
                      name.string(), to.string()));
  }
}

bool is_beginning_of_run(const fs::path& file) {
  return file.filename() == "metrics.jsonl" || file.extension() == ".partial";
}

bool is_run_directory(const fs::path& folder) {
  std::error_code ignored;
  return fs::exists(folder / "config.toml", ignored) || fs::exists(folder / "run.json", ignored);
}

bool is_grid(const fs::path& folder) {
  std::error_code ignored;
  return fs::exists(folder / "grid.toml", ignored) || !runs_in(folder / "cells").empty();
}

std::string lost_description(const fs::path& folder) {
  std::error_code ignored;
  const auto has = [&](const char* name) { return fs::exists(folder / name, ignored); };
  if (is_run_directory(folder) || has("grid.toml")) return "";
  if (is_grid(folder))
    return "grid.toml is missing, which held the settings and seeds of the runs in cells; the full command of the grid "
           "(kith ablate FILE, or kith run --seeds with --data) writes it anew";
  bool weights = false;
  for (fs::directory_iterator entry(folder, ignored), end; entry != end; entry.increment(ignored))
    weights |= entry->path().extension() == ".safetensors";
  if (!has("stages.json") && !(has("metrics.jsonl") && weights)) return "";
  if (has("model.safetensors") || has("checkpoint.safetensors") || has("neighbours.npy"))
    return "run.json is missing, which held the settings and the features of the clustering here; restore it, or begin "
           "anew in another --out";
  return "config.toml is missing, which held every field of the run here; restore it (the run's full command with "
         "another --out, --dry-run and --fields prints it), or begin anew in another --out";
}

fs::path run_around(const fs::path& path) {
  if (path.empty()) return {};
  std::error_code unknown;
  const fs::path whole = plain_name(path), linked = fs::weakly_canonical(path, unknown);
  for (fs::path folder : {whole, unknown ? whole : plain_name(linked)})
    while (folder.has_relative_path()) {
      folder = folder.parent_path();
      if (holds_run(folder)) return folder;
    }
  return {};
}

// As it was written: what was cut between two lines reads well, too.
std::string whole_copy_of(const fs::path& run_dir) {
  const fs::path run = plain_name(run_dir), copy = run.string() + ".toml";
  std::error_code ignored;
  if (run.parent_path().filename() != "cells" || !fs::exists(copy, ignored)) return "";
  try {
    if (to_toml(load_config(copy.string(), {})) != read_source(copy.string()).text) return "";
  } catch (const std::runtime_error&) {
    return "";
  }
  const fs::path named = run_dir.has_filename() ? run_dir : run_dir.parent_path();
  return named.filename() == run.filename() ? named.string() + ".toml" : copy.string();
}

RunConfig config_of_run(const fs::path& run_dir) {
  const std::string file = (run_dir / "config.toml").string();
  bool cut = true;  // within a line, or to nothing; what else is wrong with it is said with a remedy of its own
  try {
    parse(read_source(file));
    cut = false;
    RunConfig config = load_config(file, {});
    cut = config.data.spec.empty();
    if (cut) throw Error(file + ": has no data.spec, as every run writes it");
    return config;
  } catch (const std::runtime_error& e) {
    const std::string in_grid = remedy_in_grid(run_dir);
    if (in_grid.empty() && !cut) throw;
    throw Error(fmt::format("{}; {}", e.what(),
                            in_grid.empty() ? "restore the file, or begin anew in another --out" : in_grid));
  }
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
