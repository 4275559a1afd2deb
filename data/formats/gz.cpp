#include "data/formats/gz.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "data/formats/content.h"
#include "data/formats/files.h"

namespace kith::data {

GzStream::GzStream(const std::filesystem::path& path) : name_(path.string()), file_(gzopen(path.c_str(), "rb")) {
  if (!file_) fail("{}: cannot open: {}", name_, std::strerror(errno));
  gzbuffer(file_.get(), 1u << 18);
  std::error_code error;
  if (path.extension() == ".gz" && gzdirect(file_.get()) && std::filesystem::file_size(path, error) > 0)
    fail("{}: not a gzip file{}", name_, but_it_is(path));
}

std::vector<uint8_t> GzStream::read(uint64_t bytes) {
  constexpr uint64_t kFirst = 1u << 16, kMost = 16u << 20;  // what a header asks for may not be there
  std::vector<uint8_t> out;
  while (out.size() < bytes) {
    const size_t old = out.size(), step = std::min(std::clamp(uint64_t{old}, kFirst, kMost), bytes - old);
    out.resize(old + step);
    const int n = gzread(file_.get(), out.data() + old, static_cast<unsigned>(step));
    int error = Z_OK;
    const char* what = gzerror(file_.get(), &error);
    if (n < 0 || error == Z_BUF_ERROR || error == Z_DATA_ERROR)
      fail("{}: damaged or cut off: {}", name_, error == Z_ERRNO ? std::strerror(errno) : what);
    out.resize(old + static_cast<size_t>(n));
    if (static_cast<size_t>(n) < step) break;
  }
  return out;
}

std::filesystem::path plain_or_gz(const std::filesystem::path& path) {
  return std::filesystem::exists(path) ? path : std::filesystem::path(path.string() + ".gz");
}

}  // namespace kith::data
