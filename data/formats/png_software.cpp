#include "data/formats/png_software.h"

#include <zlib.h>

namespace kith::data {
namespace {

// A file begins with the signature and the chunk IHDR of 13 bytes; each chunk is a length, a name, the bytes and a sum.
constexpr size_t kAfterHeader = 8 + 4 + 4 + 13 + 4, kLength = 4, kName = 4;
constexpr std::string_view kSoftware{"tEXtSoftware\0", 13};

void append_number(std::string& out, uint32_t x) {
  for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(x >> shift);
}

}  // namespace

std::vector<uint8_t> with_software(std::vector<uint8_t> file, std::string_view software) {
  const std::string named = std::string(kSoftware) + std::string(software);
  std::string chunk;
  append_number(chunk, static_cast<uint32_t>(named.size() - kName));
  chunk += named;
  append_number(chunk, static_cast<uint32_t>(
                           ::crc32(0, reinterpret_cast<const Bytef*>(named.data()), static_cast<uInt>(named.size()))));
  file.insert(file.begin() + kAfterHeader, chunk.begin(), chunk.end());
  return file;
}

std::string png_software(std::span<const uint8_t> file) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  constexpr size_t kBegin = kAfterHeader + kLength;
  if (!text.starts_with("\x89PNG") || text.size() < kBegin || text.substr(kBegin, kSoftware.size()) != kSoftware)
    return "";
  const size_t length = kName + file[kBegin - 1];
  return length < kSoftware.size() ? ""
                                   : std::string(text.substr(kBegin + kSoftware.size(), length - kSoftware.size()));
}

}  // namespace kith::data
