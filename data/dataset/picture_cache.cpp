#include "data/dataset/picture_cache.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "data/dataset/digest.h"
#include "data/formats/files.h"

namespace kith::data {
namespace {

namespace fs = std::filesystem;

constexpr std::array<char, 8> kMagic = {'K', 'I', 'T', 'H', 'P', 'I', 'C', '3'};
constexpr size_t kFooter = kMagic.size() + sizeof(uint64_t);

std::string dumped(const nlohmann::json& j) { return j.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace); }

std::string digest_of(const nlohmann::json& contents) { return digest(as_bytes(dumped(contents))); }

// With a digest of itself: an index of `order` that is another one would give an image another's label.
std::string as_json(const CacheContents& contents, const std::string& pixels) {
  nlohmann::json bad = nlohmann::json::array();
  for (const BadPicture& one : contents.bad) bad.push_back({one.index, one.reason});
  nlohmann::json all = {{"state", contents.state},
                        {"order", contents.order},
                        {"train", contents.train},
                        {"bad", bad},
                        {"pixels", pixels}};
  all["digest"] = digest_of(all);
  return dumped(all);
}

CacheContents from_json(const nlohmann::json& all) {
  CacheContents out{.state = all.at("state"), .order = all.at("order"), .train = all.at("train"), .bad = {}};
  for (const nlohmann::json& one : all.at("bad")) out.bad.push_back({one.at(0), "", one.at(1)});
  return out;
}

// The JSON of a cache file whose footer is right.
std::optional<std::string> read_contents(const fs::path& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) return {};
  const auto bytes = static_cast<uint64_t>(in.tellg());
  std::array<char, kFooter> footer{};
  in.seekg(-static_cast<std::streamoff>(kFooter), std::ios::end);
  if (!in.read(footer.data(), kFooter) || std::memcmp(footer.data(), kMagic.data(), kMagic.size()) != 0) return {};
  uint64_t length = 0;
  std::memcpy(&length, footer.data() + kMagic.size(), sizeof(length));
  if (length > bytes - kFooter) return {};
  std::string text(length, '\0');
  in.seekg(-static_cast<std::streamoff>(kFooter + length), std::ios::end);
  if (!in.read(text.data(), static_cast<std::streamsize>(length))) return {};
  return text;
}

void write_at(int file, const fs::path& path, const void* data, size_t bytes, int64_t at) {
  const char* from = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t n = ::pwrite(file, from, bytes, at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail("{}: cannot write: {}", path.string(), std::strerror(errno));
    from += n;
    at += n;
    bytes -= static_cast<size_t>(n);
  }
}

}  // namespace

std::optional<CachedPictures> open_picture_cache(const fs::path& path, const std::string& state, int64_t image_bytes) {
  const std::optional<std::string> text = read_contents(path);
  if (!text) return {};
  try {
    nlohmann::json all = nlohmann::json::parse(*text);
    const std::string written = all.at("digest");
    all.erase("digest");
    if (digest_of(all) != written) return {};
    CachedPictures out{.contents = from_json(all), .pixels = {}};
    const auto bytes = static_cast<uint64_t>(out.contents.order.size()) * static_cast<uint64_t>(image_bytes);
    if (out.contents.state != state || fs::file_size(path) != bytes + text->size() + kFooter) return {};
    if (bytes > 0) out.pixels = Pixels::mapped(path, 0, bytes);
    if (digest(std::as_const(out.pixels)) != all.at("pixels").get<std::string>()) return {};
    return out;
  } catch (const std::exception&) {
    return {};  // damaged, or replaced meanwhile: it is made again
  }
}

PictureCacheWriter::PictureCacheWriter(fs::path path, int64_t images, int64_t image_bytes)
    : path_(std::move(path)), partial_(path_), images_(images), image_bytes_(image_bytes) {
  partial_ += fmt::format(".{}.partial", ::getpid());
  const std::string hint = "decoded pictures are kept there; the environment variable KITH_CACHE names another folder";
  std::error_code error;
  if (!path_.parent_path().empty()) fs::create_directories(path_.parent_path(), error);
  if (error) fail("{}: cannot create: {}; {}", path_.parent_path().string(), error.message(), hint);
  file_ = ::open(partial_.c_str(), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0644);
  if (file_ < 0) fail("{}: cannot create: {}; {}", partial_.string(), std::strerror(errno), hint);
  if (const int full = images > 0 ? ::posix_fallocate(file_, 0, images * image_bytes) : 0; full != 0) {
    ::close(file_);
    ::unlink(partial_.c_str());
    fail("{}: no room for {} images of {} bytes: {}; {}", partial_.string(), images, image_bytes, std::strerror(full),
         hint);
  }
}

PictureCacheWriter::~PictureCacheWriter() {
  if (file_ < 0) return;
  ::close(file_);
  ::unlink(partial_.c_str());
}

void PictureCacheWriter::write(int64_t image, std::span<const uint8_t> pixels) {
  write_at(file_, partial_, pixels.data(), pixels.size(), image * image_bytes_);
}

void PictureCacheWriter::keep(std::span<const int64_t> kept) {
  std::vector<uint8_t> pixels(static_cast<size_t>(image_bytes_));
  images_ = static_cast<int64_t>(kept.size());
  for (int64_t to = 0; to < images_; ++to) {
    const int64_t from = kept[static_cast<size_t>(to)];
    if (from == to) continue;
    if (::pread(file_, pixels.data(), pixels.size(), from * image_bytes_) != static_cast<ssize_t>(pixels.size()))
      fail("{}: cannot read image {}: {}", partial_.string(), from, std::strerror(errno));
    write(to, pixels);
  }
}

CachedPictures PictureCacheWriter::finish(CacheContents contents) {
  const auto bytes = static_cast<size_t>(images_ * image_bytes_);
  if (::ftruncate(file_, static_cast<off_t>(bytes)) != 0)
    fail("{}: cannot shorten: {}", partial_.string(), std::strerror(errno));
  // Mapped before it has its name: another process may put a file of its own there at any time.
  CachedPictures out{.contents = std::move(contents), .pixels = {}};
  if (bytes > 0) out.pixels = Pixels::mapped(partial_, 0, bytes);
  const std::string json = as_json(out.contents, digest(std::as_const(out.pixels)));
  const uint64_t length = json.size();
  std::string end = json + std::string(kMagic.data(), kMagic.size());
  end.append(reinterpret_cast<const char*>(&length), sizeof(length));
  write_at(file_, partial_, end.data(), end.size(), static_cast<int64_t>(bytes));
  if (::fsync(file_) != 0) fail("{}: cannot sync: {}", partial_.string(), std::strerror(errno));
  if (::rename(partial_.c_str(), path_.c_str()) != 0)
    fail("{}: cannot rename to its final name: {}", partial_.string(), std::strerror(errno));
  ::close(std::exchange(file_, -1));
  return out;
}

}  // namespace kith::data
