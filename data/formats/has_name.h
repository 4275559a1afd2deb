// Whether what was opened is still what a path names.
#pragma once
#include <sys/stat.h>

#include <filesystem>

namespace kith::data {

// Not where it was renamed, removed or replaced since.
inline bool has_name(int fd, const std::filesystem::path& path) {
  struct stat opened {
  }, named{};
  return ::fstat(fd, &opened) == 0 && ::stat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

}  // namespace kith::data
