#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "data/formats/files.h"
#include "data/formats/npy.h"
#include "data/formats/npy_header.h"

namespace kith::data {
namespace {

// Whatever wrote it: what the name stands for after a power cut is whole.
void sync(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool done = fd >= 0 && ::fsync(fd) == 0;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (!done) fail("{}: cannot sync: {}", path.string(), std::strerror(error));
}

}  // namespace

NpyWriter::NpyWriter(std::filesystem::path path, std::vector<int64_t> shape)
    : path_(behind_links(std::move(path))), temporary_(path_.string() + ".partial"), shape_(std::move(shape)) {
  file_.open(temporary_, std::ios::binary | std::ios::trunc);
  if (!file_) fail("{}: cannot create: {}", temporary_.string(), std::strerror(errno));
  const std::string head = npy_head("<f4", shape_, path_.string());
  file_.write(head.data(), static_cast<std::streamsize>(head.size()));
}

NpyWriter::~NpyWriter() {
  if (!file_.is_open()) return;
  file_.close();
  std::error_code ignored;
  std::filesystem::remove(temporary_, ignored);
}

void NpyWriter::append(std::span<const float> values) {
  written_ += static_cast<int64_t>(values.size());
  file_.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size_bytes()));
  if (!file_) fail("{}: cannot write: {}", temporary_.string(), std::strerror(errno));
}

void NpyWriter::finish() {
  if (element_count(shape_) != written_)
    fail("{}: {} values do not fill the shape ({})", path_.string(), written_, fmt::join(shape_, ", "));
  file_.flush();
  if (!file_) fail("{}: cannot write: {}", temporary_.string(), std::strerror(errno));
  sync(temporary_);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0)
    fail("{}: cannot rename to its final name: {}", temporary_.string(), std::strerror(errno));
  file_.close();
}

}  // namespace kith::data
