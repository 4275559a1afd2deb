#include "data/dataset/pixels.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "data/formats/files.h"

namespace kith::data {
namespace {

class Mapping {
 public:
  Mapping(const std::filesystem::path& path, size_t bytes) : bytes_(bytes) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) fail("{}: cannot open: {}", path.string(), std::strerror(errno));
    struct stat about {};
    const bool known = ::fstat(file, &about) == 0;
    if (known && static_cast<uint64_t>(about.st_size) >= bytes)
      start_ = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, file, 0);
    const int error = errno;
    ::close(file);  // the mapping holds the file
    if (known && static_cast<uint64_t>(about.st_size) < bytes)
      fail("{}: expected at least {} bytes, found {}", path.string(), bytes, about.st_size);
    if (start_ == MAP_FAILED) fail("{}: cannot map: {}", path.string(), std::strerror(error));
  }
  ~Mapping() { ::munmap(start_, bytes_); }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  const uint8_t* start() const { return static_cast<const uint8_t*>(start_); }

 private:
  void* start_ = MAP_FAILED;
  size_t bytes_;
};

}  // namespace

Pixels::Pixels(std::vector<uint8_t> bytes) {
  const auto kept = std::make_shared<const std::vector<uint8_t>>(std::move(bytes));
  bytes_ = *kept;
  owner_ = kept;
}

bool Pixels::operator==(const Pixels& other) const { return std::ranges::equal(bytes_, other.bytes_); }

Pixels Pixels::part(size_t first, size_t count) const { return {owner_, bytes_.subspan(first, count)}; }

bool Pixels::is_followed_by(const Pixels& next) const { return owner_ == next.owner_ && end() == next.begin(); }

Pixels Pixels::with_next(const Pixels& next) const { return {owner_, {data(), size() + next.size()}}; }

Pixels Pixels::mapped(const std::filesystem::path& path, size_t first, size_t count) {
  const auto mapping = std::make_shared<const Mapping>(path, first + count);
  return {mapping, {mapping->start() + first, count}};
}

}  // namespace kith::data
