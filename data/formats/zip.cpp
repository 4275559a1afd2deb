#include "data/formats/zip.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "data/formats/content.h"
#include "data/formats/text.h"

namespace kith::data {
namespace {

// PKWARE's APPNOTE 6.3.10, 4.3.7, 4.3.12, 4.3.16: signatures and bytes before the first name.
constexpr uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50;
constexpr uint64_t kLocalBytes = 30, kCentralBytes = 46, kEndBytes = 22, kLongestComment = 0xffff;
constexpr uint32_t kBeyond = 0xffffffff;  // in place of a number that zip64 has
constexpr uint16_t kEncrypted = 1, kStored = 0, kDeflated = 8;

uint64_t number(Bytes bytes, uint64_t at, int width) {
  uint64_t value = 0;
  for (int i = 0; i < width; ++i) value |= uint64_t{bytes[at + static_cast<uint64_t>(i)]} << 8 * i;
  return value;
}
uint16_t half(Bytes bytes, uint64_t at) { return static_cast<uint16_t>(number(bytes, at, 2)); }
uint32_t word(Bytes bytes, uint64_t at) { return static_cast<uint32_t>(number(bytes, at, 4)); }

void put(std::string& out, uint64_t value, int width) {
  for (int i = 0; i < width; ++i) out.push_back(static_cast<char>(value >> 8 * i & 0xff));
}

uint32_t crc_of(const char* bytes, uint64_t count) {
  return static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes), count));
}

// The last record of the archive, after which stands a comment of the length it tells.
uint64_t end_record(Bytes bytes, const std::string& name) {
  if (bytes.size() >= kEndBytes) {
    const uint64_t last = bytes.size() - kEndBytes, first = last > kLongestComment ? last - kLongestComment : 0;
    for (uint64_t at = last + 1; at-- > first;)
      if (word(bytes, at) == kEnd && half(bytes, at + 20) == last - at) return at;
  }
  const bool begins = bytes.size() >= 4 && word(bytes, 0) == kLocal;
  fail("{}: not a zip archive{}", name, begins ? " to its end: it is damaged, cut off" : but_it_is(bytes));
}

class Inflater {
 public:
  Inflater() { ready_ = inflateInit2(&stream_, -MAX_WBITS) == Z_OK; }  // no zlib header
  ~Inflater() {
    if (ready_) inflateEnd(&stream_);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // Nothing but `size` bytes; false otherwise.
  bool operator()(Bytes packed, uint64_t size, std::string& out) {
    if (!ready_) return false;
    constexpr uint64_t kFirst = 1u << 16, kMost = 16u << 20;  // what the archive promises may not be there
    stream_.next_in = const_cast<Bytef*>(packed.data());      // zlib does not write there
    stream_.avail_in = static_cast<uInt>(packed.size());
    int status = Z_OK;
    while (status == Z_OK) {
      const uint64_t done = out.size();
      const uint64_t step = std::min(std::clamp(done, kFirst, kMost), size - done + 1);  // one more would be too many
      out.resize(done + step);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + done);
      stream_.avail_out = static_cast<uInt>(step);
      status = inflate(&stream_, Z_NO_FLUSH);
      out.resize(done + step - stream_.avail_out);
      if (out.size() > size) return false;
    }
    return status == Z_STREAM_END && out.size() == size && stream_.avail_in == 0;
  }

 private:
  z_stream stream_{};
  bool ready_ = false;
};

}  // namespace

ZipArchive::ZipArchive(const std::filesystem::path& path) : name_(path.string()) {
  open_file(path);
  if (std::filesystem::file_size(path) >= kBeyond) fail("{}: a zip archive of 4 GiB or more is not supported", name_);
  bytes_ = read_file(path);
  const Bytes all = bytes_;
  const uint64_t end = end_record(all, name_);
  const uint64_t count = half(all, end + 10), size = word(all, end + 12);
  directory_ = word(all, end + 16);
  if (count == 0xffff || size == kBeyond || directory_ == kBeyond) fail("{}: a zip64 archive is not supported", name_);
  if (half(all, end + 4) != 0 || half(all, end + 6) != 0 || half(all, end + 8) != count)
    fail("{}: a zip archive of several volumes is not supported", name_);
  if (directory_ + size > end) fail("{}: damaged zip archive: its directory does not fit", name_);
  for (uint64_t i = 0, at = directory_; i < count; ++i) {
    if (at + kCentralBytes > end || word(all, at) != kCentral)
      fail("{}: damaged zip archive: entry {} of {} of its directory is none", name_, i + 1, count);
    const uint64_t name = half(all, at + 28), rest = uint64_t{half(all, at + 30)} + half(all, at + 32);
    if (at + kCentralBytes + name + rest > end) fail("{}: damaged zip archive: its directory is cut off", name_);
    Member m{.name = {reinterpret_cast<const char*>(all.data() + at + kCentralBytes), name},
             .flags = half(all, at + 8),
             .method = half(all, at + 10),
             .crc = word(all, at + 16),
             .packed = word(all, at + 20),
             .size = word(all, at + 24),
             .at = word(all, at + 42)};
    if (m.packed == kBeyond || m.size == kBeyond || m.at == kBeyond)
      fail("{}: {}: a member of 4 GiB or more (zip64) is not supported", name_, printable(m.name));
    if (has(m.name)) fail("{}: {} is there twice", name_, printable(m.name));
    members_.push_back(std::move(m));
    at += kCentralBytes + name + rest;
  }
}

const ZipArchive::Member* ZipArchive::find(const std::string& member) const {
  const auto at = std::ranges::find(members_, member, &Member::name);
  return at == members_.end() ? nullptr : &*at;
}

bool ZipArchive::has(const std::string& member) const { return find(member) != nullptr; }

std::string ZipArchive::read(const std::string& member) const {
  const Member* m = find(member);
  if (!m) fail("{}: no {} in it", name_, printable(member));
  if (m->flags & kEncrypted) fail("{}: {} is encrypted", name_, printable(member));
  if (m->method != kStored && m->method != kDeflated)
    fail("{}: {}: compression method {} is not supported, expected stored or deflated", name_, printable(member),
         m->method);
  const Bytes all = bytes_;
  // The local header's own sizes may stand in an extra field: only its length is of interest.
  if (m->at + kLocalBytes > directory_ || word(all, m->at) != kLocal)
    fail("{}: damaged zip archive: {} is not where the directory says", name_, printable(member));
  const uint64_t first = m->at + kLocalBytes + half(all, m->at + 26) + half(all, m->at + 28);
  if (first + m->packed > directory_)
    fail("{}: damaged zip archive: {} ends beyond the members", name_, printable(member));
  const Bytes packed = all.subspan(first, m->packed);
  std::string content;
  if (m->method == kStored ? m->packed != m->size : !Inflater()(packed, m->size, content))
    fail("{}: {}: damaged: {} bytes expected", name_, printable(member), m->size);
  if (m->method == kStored) content.assign(reinterpret_cast<const char*>(packed.data()), packed.size());
  if (crc_of(content.data(), content.size()) != m->crc)
    fail("{}: {}: damaged: its checksum differs", name_, printable(member));
  return content;
}

void write_zip(const std::filesystem::path& path, const std::vector<ZipMember>& members) {
  constexpr uint64_t kVersion = 20, kDate = 1 << 5 | 1;
  std::string all, directory;
  for (const ZipMember& m : members) {
    if (m.content.size() >= kBeyond || all.size() + m.content.size() + directory.size() >= kBeyond - 0xffff)
      fail("{}: 4 GiB or more do not go into a zip archive", path.string());
    const uint64_t at = all.size();
    std::string common;  // of both headers
    put(common, kVersion, 2), put(common, 0, 2), put(common, kStored, 2), put(common, 0, 2), put(common, kDate, 2);
    put(common, crc_of(m.content.data(), m.content.size()), 4);
    put(common, m.content.size(), 4), put(common, m.content.size(), 4), put(common, m.name.size(), 2);
    put(common, 0, 2);
    put(all, kLocal, 4), all += common + m.name + m.content;
    put(directory, kCentral, 4), put(directory, kVersion, 2), directory += common;
    put(directory, 0, 2), put(directory, 0, 2), put(directory, 0, 2), put(directory, 0, 4), put(directory, at, 4);
    directory += m.name;
  }
  std::string end;
  put(end, kEnd, 4), put(end, 0, 2), put(end, 0, 2), put(end, members.size(), 2), put(end, members.size(), 2);
  put(end, directory.size(), 4), put(end, all.size(), 4), put(end, 0, 2);
  write_file(path, {as_bytes(all), as_bytes(directory), as_bytes(end)});
}

}  // namespace kith::data
