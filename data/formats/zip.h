// Zip archives of a few files, as NumPy's savez writes them. Inside data/ only.
//
// Read: what the central directory lists, stored or deflated; zip64, encryption, several volumes and other methods are errors.
// Written: stored, with the date 1980-01-01, so that equal members make equal files.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/formats/files.h"

namespace kith::data {

class ZipArchive {
 public:
  // Reads the whole file, below 4 GiB. Error names it: no zip archive, cut off, a name twice, an extent beyond the file.
  explicit ZipArchive(const std::filesystem::path&);

  bool has(const std::string& member) const;
  // The content, whose size and CRC-32 are the directory's. Memory grows with what is there, and never beyond the size that the
  // directory tells. Error names file and member.
  std::string read(const std::string& member) const;

 private:
  struct Member {
    std::string name;
    uint16_t flags = 0, method = 0;
    uint32_t crc = 0, packed = 0, size = 0, at = 0;
  };
  const Member* find(const std::string& member) const;

  std::string name_;
  std::vector<uint8_t> bytes_;
  uint64_t directory_ = 0;  // where it begins: members end before it
  std::vector<Member> members_;
};

struct ZipMember {
  std::string name, content;
};
// Atomic, as write_file. Error: 4 GiB or more in all.
void write_zip(const std::filesystem::path&, const std::vector<ZipMember>&);

}  // namespace kith::data
