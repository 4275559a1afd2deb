#include "nn/device/shared_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "kernels/core/check.h"

namespace kith {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> children(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code ignored;  // a folder that cannot be read has no children
  for (fs::directory_iterator it(folder, ignored), end; it != end; it.increment(ignored)) found.push_back(it->path());
  std::ranges::sort(found);
  return found;
}

void add_list(const std::string& list, std::vector<fs::path>& folders) {
  std::istringstream parts(list);
  for (std::string folder; std::getline(parts, folder, ':');)
    if (!folder.empty()) folders.emplace_back(folder);
}

// lib/python3.11/site-packages/nvidia/cudnn/lib and its like; dist-packages is Debian's name for the same.
void add_wheels(const fs::path& environment, std::vector<fs::path>& folders) {
  for (const fs::path& python : children(environment / "lib")) {
    if (!python.filename().string().starts_with("python")) continue;
    for (const char* packages : {"site-packages", "dist-packages"})
      for (const fs::path& part : children(python / packages / "nvidia")) folders.push_back(part / "lib");
  }
}

// The environment that python3 of PATH belongs to: an environment that was never activated, or the system's own, whose pip
// writes below local/.
void add_wheels_of_path(const std::string& path, std::vector<fs::path>& folders) {
  std::istringstream parts(path);
  std::error_code ignored;  // a folder that cannot be read has no python3
  for (std::string bin; std::getline(parts, bin, ':');) {
    if (bin.empty() || !fs::exists(fs::path(bin) / "python3", ignored)) continue;
    const fs::path prefix = (fs::path(bin) / "..").lexically_normal();
    add_wheels(prefix, folders);
    add_wheels(prefix / "local", folders);
    return;
  }
}

}  // namespace

SharedLibrary::SharedLibrary(const std::string& name, const std::vector<fs::path>& folders) : name_(name) {
  std::string reasons;
  const auto open = [&](const std::string& file) {
    // Global: cuDNN's parts and cuDNN's use of cuBLAS look for each other among the libraries that are there.
    handle_ = dlopen(file.c_str(), RTLD_NOW | RTLD_GLOBAL);
    if (handle_ == nullptr && (reasons.empty() || fs::exists(file))) reasons += fmt::format("; {}", dlerror());
    return handle_ != nullptr;
  };
  if (open(name)) return;
  std::string tried;
  for (const fs::path& folder : folders) {
    if (open((folder / name).string())) return;
    tried += fmt::format(" {}", folder.string());
  }
  throw Error(
      fmt::format("{} cannot be loaded (looked with the system's linker{}{}){}: install it, or name its folder in "
                  "KITH_CUDA_LIBRARIES",
                  name, tried.empty() ? "" : " and in", tried, reasons));
}

void* SharedLibrary::address(const char* name) const {
  void* found = dlsym(handle_, name);
  check(found != nullptr, fmt::format("{} has no function {}: another version is needed", name_, name));
  return found;
}

std::vector<fs::path> cuda_library_folders(const std::function<std::string(const char*)>& variable,
                                           const std::string& beside_headers) {
  std::vector<fs::path> folders;
  add_list(variable("KITH_CUDA_LIBRARIES"), folders);
  for (const char* home : {"CUDA_HOME", "CUDA_PATH"})
    if (const std::string root = variable(home); !root.empty())
      for (const char* lib : {"lib64", "lib"}) folders.push_back(fs::path(root) / lib);
  folders.emplace_back("/usr/local/cuda/lib64");
  for (const char* environment : {"VIRTUAL_ENV", "CONDA_PREFIX"})
    if (const std::string root = variable(environment); !root.empty()) add_wheels(root, folders);
  add_wheels_of_path(variable("PATH"), folders);
  if (const std::string home = variable("HOME"); !home.empty()) add_wheels(fs::path(home) / ".local", folders);
  add_list(beside_headers, folders);
  return folders;
}

std::vector<fs::path> cuda_library_folders() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  return cuda_library_folders(variable, KITH_BESIDE_HEADERS);
}

}  // namespace kith
