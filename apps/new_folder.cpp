#include "apps/new_folder.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <utility>

#include "kernels/core/check.h"

namespace kith {
namespace {

// Of /proc the system says that what is to be made does not exist.
std::string why_not(const char* what, const std::filesystem::path& folder, int error) {
  return error == ENOENT ? fmt::format("no {} can be made in {}", what, folder.string()) : std::strerror(error);
}

std::string trial_in(const std::filesystem::path& folder) { return (folder / ".kith-XXXXXX").string(); }

}  // namespace

NewFolder::NewFolder(std::filesystem::path path, std::string kept) : path_(std::move(path)), kept_(std::move(kept)) {
  std::error_code failed;
  made_ = std::filesystem::create_directories(path_, failed);
  if (failed) throw Error(fmt::format("{}: cannot create: {}", path_.string(), failed.message()));
}

NewFolder::~NewFolder() {
  std::error_code ignored;
  if (!made_ || std::filesystem::exists(path_ / kept_, ignored)) return;
  std::filesystem::remove(path_ / "metrics.jsonl", ignored);
  std::filesystem::remove(path_, ignored);  // only when nothing else is in it
}

void expect_usable_folder(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code failed;
  if (fs::exists(path, failed) && !fs::is_directory(path, failed)) throw Error(path + ": is a file, expected a folder");
  if (fs::is_symlink(fs::symlink_status(path, failed)) && !fs::exists(path, failed))
    throw Error(fmt::format("{}: is a link to {}, which is not there; expected a folder", path,
                            fs::read_symlink(path, failed).string()));
  fs::path existing = fs::absolute(path);
  if (!existing.has_filename()) existing = existing.parent_path();  // of "a/"
  const fs::path wanted = existing;
  while (!fs::exists(existing, failed) && existing.has_relative_path()) existing = existing.parent_path();
  std::string trial = trial_in(existing);
  if (::mkdtemp(trial.data()) == nullptr)
    throw Error(fmt::format("{}: cannot {}: {}", path, existing == wanted ? "write" : "create",
                            why_not("folder", existing, errno)));
  ::rmdir(trial.c_str());
}

std::string why_no_file_in(const std::filesystem::path& folder) {
  std::string trial = trial_in(folder);
  const int made = ::mkstemp(trial.data());
  if (made < 0) return why_not("file", folder, errno);
  ::close(made);
  ::unlink(trial.c_str());
  return "";
}

}  // namespace kith
