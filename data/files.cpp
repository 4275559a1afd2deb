#include "data/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

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

}  // namespace

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
  std::vector<uint8_t> bytes(static_cast<size_t>(std::filesystem::file_size(path)));
  if (!in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size())))
    fail("{}: cannot read {} bytes", path.string(), bytes.size());
  return bytes;
}

void write_file(const std::filesystem::path& path, std::initializer_list<Bytes> parts) {
  const std::filesystem::path temporary = path.string() + ".partial";
  const int fd = ::open(temporary.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
  if (fd < 0) fail("{}: cannot create: {}", temporary.string(), std::strerror(errno));
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

}  // namespace kith::data
