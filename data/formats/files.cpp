#include "data/formats/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "data/formats/has_name.h"
#include "data/formats/text.h"

namespace kith::data {
namespace {

void write_all(int fd, Bytes bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("{}: cannot write: {}", path.string(), std::strerror(errno));
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
}

// What is filled before it gets the name.
std::filesystem::path partial_of(const std::filesystem::path& path) { return path.string() + ".partial"; }

// Writes into a pipe or a device, which no file can replace.
void write_into(const std::filesystem::path& path, std::initializer_list<Bytes> parts) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) fail("{}: cannot open: {}", path.string(), std::strerror(errno));
  try {
    for (const Bytes part : parts) write_all(fd, part, path);
  } catch (...) {
    ::close(fd);
    throw;
  }
  ::close(fd);
}

// Empty, and of this writer alone: who writes the same name at the same time waits, and is the one whose file stays.
int open_partial(const std::filesystem::path& path) {
  for (;;) {
    const int fd = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0) fail("{}: cannot create: {}", path.string(), std::strerror(errno));
    while (::flock(fd, LOCK_EX) != 0 && errno == EINTR) {
    }
    const bool own = has_name(fd, path);  // else renamed or removed since by who had the lock
    if (own && (::ftruncate(fd, 0) == 0 || errno == EINVAL)) return fd;  // EINVAL: a device
    const int error = errno;
    ::close(fd);
    if (own) fail("{}: cannot empty: {}", path.string(), std::strerror(error));
  }
}

}  // namespace

// A chain of links is finite where status() could follow it, or ends at a name that is not there.
std::filesystem::path behind_links(std::filesystem::path path) {
  std::error_code error;
  for (int link = 0; link < 40 && std::filesystem::is_symlink(path, error); ++link)
    path = path.parent_path() / std::filesystem::read_symlink(path, error);
  return path;
}

void fail_with(const std::string& what) { throw std::runtime_error(printable(what)); }

std::ifstream open_file(const std::filesystem::path& path) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (std::filesystem::is_directory(status)) fail("{}: is a folder, expected a file", path.string());
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
    fail("{}: is a pipe or a device, expected a file", path.string());
  std::ifstream in(path, std::ios::binary);
  if (!in) fail("{}: cannot open: {}", path.string(), std::strerror(errno));
  return in;
}

std::vector<uint8_t> read_file(const std::filesystem::path& path) {
  std::ifstream in = open_file(path);
  in.seekg(0, std::ios::end);  // of the file that is open: another may have the name by now
  std::vector<uint8_t> bytes(static_cast<size_t>(std::max<std::streamoff>(in.tellg(), 0)));
  in.seekg(0);
  if (!in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size())))
    fail("{}: cannot read {} bytes", path.string(), bytes.size());
  return bytes;
}

void write_file(const std::filesystem::path& name, std::initializer_list<Bytes> parts) {
  std::error_code error;
  const std::filesystem::file_type type = std::filesystem::status(name, error).type();
  if (type == std::filesystem::file_type::directory) fail("{}: is a folder, expected a file", name.string());
  if (std::filesystem::exists(name, error) && type != std::filesystem::file_type::regular)
    return write_into(name, parts);
  const std::filesystem::path path = behind_links(name);
  const std::filesystem::path temporary = partial_of(path);
  const int fd = open_partial(temporary);
  try {
    for (const Bytes part : parts) write_all(fd, part, path);
    if (::fsync(fd) != 0) fail("{}: cannot sync: {}", path.string(), std::strerror(errno));
    if (::rename(temporary.c_str(), path.c_str()) != 0)
      fail("{}: cannot rename to its final name: {}", temporary.string(), std::strerror(errno));
  } catch (...) {
    ::close(fd);
    ::unlink(temporary.c_str());
    throw;
  }
  ::close(fd);
}

std::filesystem::path folder_in_place_of(const std::filesystem::path& file) {
  std::error_code ignored;
  for (const std::filesystem::path& name : {file, partial_of(file)})
    if (std::filesystem::is_directory(name, ignored)) return name;
  return {};
}

bool would_touch(const std::filesystem::path& output, const std::filesystem::path& file) {
  for (const std::filesystem::path& p : {output, partial_of(output)}) {
    std::error_code ignored;
    if (std::filesystem::equivalent(p, file, ignored)) return true;
    const std::filesystem::path a = std::filesystem::weakly_canonical(p, ignored),
                                b = std::filesystem::weakly_canonical(file, ignored);
    if (!a.empty() && a == b) return true;
  }
  return false;
}

}  // namespace kith::data
