// Pixels: read-only bytes that several owners may share, in memory or in a mapped file. A copy refers to the same bytes.
#pragma once
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

namespace kith::data {

class Pixels {
 public:
  Pixels() = default;
  Pixels(std::vector<uint8_t> bytes);  // owns them
  Pixels(std::initializer_list<uint8_t> bytes) : Pixels(std::vector<uint8_t>(bytes)) {}

  const uint8_t* data() const { return bytes_.data(); }
  size_t size() const { return bytes_.size(); }
  const uint8_t* begin() const { return data(); }
  const uint8_t* end() const { return data() + size(); }
  uint8_t operator[](size_t i) const { return bytes_[i]; }
  operator std::span<const uint8_t>() const { return bytes_; }
  bool operator==(const Pixels& other) const;  // the same values, wherever they are

  Pixels part(size_t first, size_t count) const;  // of these bytes
  bool is_followed_by(const Pixels& next) const;  // in the memory of one owner
  Pixels with_next(const Pixels& next) const;     // both, where is_followed_by

  // Bytes first .. first + count - 1 of a file, read from the disk as they are looked at: processes that map one file share
  // its memory, and a file may be larger than the memory. The file must not get shorter while it is mapped: the process ends
  // with SIGBUS where bytes are gone. Error: cannot be opened or mapped, or is shorter.
  static Pixels mapped(const std::filesystem::path&, size_t first, size_t count);

 private:
  Pixels(std::shared_ptr<const void> owner, std::span<const uint8_t> bytes) : owner_(std::move(owner)), bytes_(bytes) {}

  std::shared_ptr<const void> owner_;
  std::span<const uint8_t> bytes_;
};

}  // namespace kith::data
