#include "scan/ablate/folders.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <string_view>
#include <system_error>

#include "data/dataset/digest.h"
#include "data/formats/files.h"
#include "kernels/core/check.h"
#include "scan/config/config_fields.h"
#include "scan/run/own_folder.h"

namespace kith {

namespace fs = std::filesystem;

namespace {

constexpr size_t kDigestDigits = 12;

// What may stand in the name of a folder anywhere, and not too much of it.
std::string readable(const std::string& name) {
  constexpr size_t kLongest = 100;
  std::string out;
  for (const char c : name) {
    if (c == ' ' || c == '"' || c == '\'') continue;
    const bool plain =
        std::isalnum(static_cast<unsigned char>(c)) || std::string_view("._=,+-").find(c) != std::string_view::npos;
    out += plain ? c : '_';
  }
  return out.substr(0, kLongest);
}

}  // namespace

std::string result_digest(const RunConfig& config) {
  std::string text;
  for (const Difference& d : differences(RunConfig{}, config))
    if (affects_of(d.field) != Affects::nothing) text += d.field + "=" + d.right + "\n";
  return data::digest(data::as_bytes(text));
}

std::string cell_folder_name(const std::string& setting, uint64_t seed, const std::string& digest) {
  return fmt::format("{},seed={}-{}", readable(setting), seed, digest.substr(0, kDigestDigits));
}

void keep_folders(Grid& grid, const fs::path& cells) {
  std::map<std::string, std::string> known;
  if (fs::is_directory(cells))
    for (const auto& entry : fs::directory_iterator(cells))
      if (const std::string name = entry.path().filename().string();
          entry.is_directory() && name.size() > kDigestDigits)
        known[name.substr(name.size() - kDigestDigits)] = name;
  for (GridCell& cell : grid.cells)
    if (const auto at = known.find(cell.folder.substr(cell.folder.size() - kDigestDigits)); at != known.end())
      cell.folder = at->second;
}

void expect_descriptions(const Grid& grid, const fs::path& cells) {
  for (const GridCell& cell : grid.cells) {
    const fs::path folder = cells / cell.folder, lost = folder / "config.toml";
    std::error_code ignored;
    if (fs::exists(lost, ignored) || std::all_of(fs::directory_iterator(folder, ignored), fs::directory_iterator(),
                                                 [](const auto& file) { return is_beginning_of_run(file.path()); }))
      continue;
    const std::string copy = whole_copy_of(folder);  // which every start of the run writes
    throw Error(
        fmt::format("{}: missing, which held every field of the run {}; {}move the folder away, and the same "
                    "command runs it anew",
                    lost.string(), grid.name(cell), copy.empty() ? "" : fmt::format("copy {} there, or ", copy)));
  }
}

bool holds_cells(const Grid& grid, const fs::path& cells) {
  std::error_code ignored;
  return std::ranges::any_of(
      grid.cells, [&](const GridCell& cell) { return fs::exists(cells / cell.folder / "config.toml", ignored); });
}

std::vector<std::string> runs_beside(const Grid& grid, const fs::path& cells) {
  std::vector<std::string> others;
  std::error_code ignored;
  for (fs::directory_iterator at(cells, ignored), end; at != end; at.increment(ignored))
    if (const std::string name = at->path().filename().string();
        fs::exists(at->path() / "config.toml", ignored) &&
        std::ranges::find(grid.cells, name, &GridCell::folder) == grid.cells.end())
      others.push_back(name);
  std::ranges::sort(others);
  return others;
}

}  // namespace kith
