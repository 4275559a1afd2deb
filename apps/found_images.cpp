#include "apps/found_images.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "data/dataset/dataset.h"
#include "scan/run/own_folder.h"

namespace kith {
namespace {

namespace fs = std::filesystem;

// A path of a configuration, made absolute where the current folder does not have it and one above `dir` does: runs lie mostly
// below the folder they were begun in, and a project that is moved or entered elsewhere keeps that. Others than the run's images,
// of the same name, are refused by their content. Empty: not found.
fs::path found_path(const fs::path& path, const fs::path& dir) {
  if (path.empty() || path.is_absolute() || holds_images(path)) return path;
  fs::path at = fs::absolute(dir).lexically_normal();
  if (!at.has_filename()) at = at.parent_path();  // a slash at the end
  while (at != at.root_path()) {
    at = at.parent_path();
    if (holds_images(at / path)) return (at / path).lexically_normal();
  }
  return {};
}

}  // namespace

bool holds_images(const fs::path& path) {
  std::error_code none;
  return fs::exists(path, none) && !is_run_directory(path);
}

FoundImages find_images(const DataConfig& data, const fs::path& dir, const std::set<std::string>& named) {
  FoundImages out;
  const auto look = [&](const std::string& field, const std::string& before, const std::string& text) {
    if (text.empty() || named.contains(field)) return;
    const fs::path at = found_path(text, dir);
    if (at.empty() || at == text) return;
    out.overrides.push_back(fmt::format("{}={}", field, before + at.string()));
    out.as_begun.push_back(fmt::format("{}={}", field, before + text));
    out.line += fmt::format("{}{} '{}', which the current folder does not have, is {}", out.line.empty() ? "" : "; ",
                            field, before + text, at.string());
  };
  look("data.spec", data::kind_of(data.spec) + ":", data::path_of(data.spec));
  look("data.classes_file", "", data.classes_file);
  return out;
}

std::vector<std::string> find_images(Grid& grid, const fs::path& dir) {
  std::vector<std::string> lines;
  std::error_code none;
  if (!fs::exists(dir / "grid.toml", none)) return lines;
  for (GridCell& cell : grid.cells) {
    FoundImages found = find_images(cell.config.data, dir);
    cell.config = with_overrides(cell.config, found.overrides);
    if (!found.line.empty() && std::ranges::find(lines, found.line) == lines.end())
      lines.push_back(std::move(found.line));
  }
  return lines;
}

}  // namespace kith
