#include "apps/output_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <vector>

#include "data/dataset/dataset.h"
#include "kernels/core/check.h"
#include "scan/run/own_folder.h"
#include "scan/text/first_few.h"

namespace kith {
namespace {

namespace fs = std::filesystem;

bool lies_in(const fs::path& path, const fs::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
}

// Without "." and "..", and without the empty part that "a/" ends in.
fs::path normal(const fs::path& path) {
  const fs::path plain = fs::absolute(path).lexically_normal();
  return plain.has_filename() ? plain : plain.parent_path();
}

}  // namespace

FolderLock::FolderLock(const fs::path& folder) : file_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY)) {
  if (file_ >= 0 && ::flock(file_, LOCK_EX | LOCK_NB) == 0) return;
  const std::string why =
      errno == EWOULDBLOCK ? "another kith ablate, or a run of one, is working here" : std::strerror(errno);
  if (file_ >= 0) ::close(file_);
  throw Error(fmt::format("{}: {}", folder.string(), why));
}

FolderLock::~FolderLock() { ::close(file_); }

void expect_no_grid(const std::string& out) {
  std::error_code ignored;
  if (is_grid(out) && fs::is_directory(fs::path(out) / "cells", ignored))
    throw Error(out + ": holds a grid of runs (kith ablate, kith run --seeds); expected another --out");
}

void expect_run_or_empty(const std::string& out) {
  std::error_code ignored;
  if (fs::exists(fs::path(out) / "config.toml", ignored)) return;
  if (const std::vector<std::string> runs = runs_in(out); !runs.empty())
    throw Error(fmt::format("{}: --out holds runs ({}); expected the folder of one, such as {}", out,
                            first_few(runs, 3), free_name_in(out)));
  expect_nothing_else(out, is_beginning_of_run);
}

void expect_outside_runs(const std::string& option, const std::string& path) {
  if (const fs::path run = run_around(path); !run.empty())
    throw Error(fmt::format("{}{}{}: lies in the run {}, which is only read; expected another place", option,
                            option.empty() ? "" : " ", path, run.string()));
}

bool lies_in_folder(const std::string& path, const std::string& folder) {
  return lies_in(fs::weakly_canonical(path), fs::weakly_canonical(folder)) || lies_in(normal(path), normal(folder));
}

void expect_outside_data(const char* option, const std::string& path, const std::string& spec) {
  const fs::path folder = data::path_of(spec);
  if (data::kind_of(spec) != "folder" || folder.empty()) return;  // whose reader says what is missing
  // By its name, too: a link inside the folder is followed by who reads it.
  if (lies_in_folder(path, folder))
    throw Error(fmt::format("{} {}: lies in {}, whose pictures are read; expected another folder", option, path,
                            fs::weakly_canonical(folder).string()));
}

}  // namespace kith
