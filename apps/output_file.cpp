#include "apps/output_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string_view>
#include <system_error>

#include "apps/new_folder.h"
#include "apps/output_folder.h"
#include "data/formats/files.h"
#include "kernels/core/check.h"

namespace kith {
namespace {

namespace fs = std::filesystem;

bool ends_in(const fs::path& file, std::string_view ending) {
  return std::ranges::equal(file.extension().string(), ending,
                            [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; });
}

}  // namespace

void expect_ending(const std::string& path, const char* option, const char* ending) {
  if (!path.empty() && !ends_in(path, ending))
    throw Error(fmt::format("{} {}: expected a name ending in {}", option, path, ending));
}

void expect_creatable(const fs::path& file) {
  std::error_code ignored;
  if (file.has_parent_path() && !fs::is_directory(file.parent_path(), ignored))
    throw Error(fmt::format("{}: cannot create: no such folder: {}", file.string(), file.parent_path().string()));
  if (const fs::path folder = data::folder_in_place_of(file); !folder.empty())
    throw Error(fmt::format("{}: cannot create: a folder has {}", file.string(),
                            folder == file ? "this name" : "the name " + folder.string()));
  const bool exists = fs::exists(file, ignored);
  if (exists && !fs::is_regular_file(file, ignored)) return;  // a pipe
  // A link's file is written where it points to.
  const fs::path folder = fs::weakly_canonical(fs::absolute(file), ignored).parent_path();
  for (const char* of_a_run : {"config.toml", "run.json"})
    if (exists && fs::exists(folder / of_a_run, ignored))
      throw Error(file.string() + ": is a file of a run, which is only read; give the output another name");
  expect_outside_runs("", file.string());
  if (const std::string why = why_no_file_in(folder); !why.empty())
    throw Error(fmt::format("{}: cannot create: {}", file.string(), why));
}

}  // namespace kith
