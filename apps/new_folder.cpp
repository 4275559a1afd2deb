#include "apps/new_folder.h"

#include <fmt/format.h>

#include <system_error>
#include <utility>

#include "kernels/core/check.h"

namespace kith {

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

}  // namespace kith
