// PNG, BMP, GIF, PSD and TGA by stb_image, from memory. stb_image reads zeros beyond the end of what it was given, in
// most of its formats without an error; the reader here notices.
#include <algorithm>
#include <climits>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "data/formats/stb_limit.h"
#include "data/formats/text.h"
#include "data/pictures/exif.h"
#include "data/pictures/formats.h"
#define STBI_NO_STDIO
#include <stb/stb_image.h>

namespace kith::data {
namespace {

class Reader {
 public:
  explicit Reader(Bytes file) : file_(file) {}
  bool beyond_end() const { return beyond_end_; }
  size_t left() const { return file_.size() - at_; }
  // stb_image fills its own buffer ahead of what it needs, and asks for exact numbers of bytes into others. The first call is one
  // of the former kind.
  int read(char* to, int n) {
    if (buffer_ == nullptr) buffer_ = to;
    const size_t count = std::min(left(), static_cast<size_t>(n));
    beyond_end_ |= to == buffer_ ? count == 0 : count < static_cast<size_t>(n);
    std::memcpy(to, file_.data() + at_, count);
    at_ += count;
    return static_cast<int>(count);
  }
  void skip(int n) {
    if (n < 0 || static_cast<size_t>(n) > left()) {
      beyond_end_ = true;
      at_ = file_.size();
    } else {
      at_ += static_cast<size_t>(n);
    }
  }

 private:
  Bytes file_;
  size_t at_ = 0;
  const char* buffer_ = nullptr;
  bool beyond_end_ = false;
};

constexpr stbi_io_callbacks kCallbacks = {
    [](void* reader, char* to, int n) { return static_cast<Reader*>(reader)->read(to, n); },
    [](void* reader, int n) { static_cast<Reader*>(reader)->skip(n); },
    [](void* reader) { return static_cast<int>(static_cast<Reader*>(reader)->left() == 0); }};

uint32_t big_endian(Bytes file, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | file[at + i];
  return value;
}
uint32_t little_endian(Bytes file, size_t at) { return __builtin_bswap32(big_endian(file, at)); }

bool starts(Bytes file, std::string_view text) {
  return file.size() >= text.size() && std::memcmp(file.data(), text.data(), text.size()) == 0;
}

// Of 32 bits a pixel and no masks: the fourth byte means nothing, and may hold anything. stb_image takes it for alpha, unless it
// is 0 in all pixels.
bool has_idle_bytes(Bytes file) {
  constexpr uint32_t kNoMasks = 0, kLeastHeader = 40;
  return starts(file, "BM") && file.size() >= 34 && little_endian(file, 14) >= kLeastHeader && file[28] == 32 &&
         little_endian(file, 30) == kNoMasks;
}

// TGA alone has no first bytes of its own. stb_image sees whether rows begin at the top, and not whether they begin at the right.
bool is_mirrored_tga(Bytes file) {
  constexpr uint8_t kFromTheRight = 0x10;
  for (const std::string_view other : {"\x89PNG", "BM", "GIF8", "8BPS"})
    if (starts(file, other)) return false;
  return file.size() > 17 && (file[17] & kFromTheRight) != 0;
}

// What stb_image would take without a word: jumps backwards.
void expect_sound_header(Bytes file) {
  if (starts(file, "BM") && file.size() >= 18 &&
      uint64_t{little_endian(file, 10)} < 14 + uint64_t{little_endian(file, 14)})
    fail("cannot be decoded: its pixels begin inside the BMP header");
  if (starts(file, "8BPS")) {
    uint64_t at = 26;
    for (int section = 0; section < 3; ++section) {
      if (at + 4 > file.size()) fail("cannot be decoded: the file is cut off");
      at += 4 + uint64_t{big_endian(file, at)};
    }
    if (at > file.size()) fail("cannot be decoded: the file is cut off");
  }
}

// stb_image paints what the first frame of a GIF leaves open in the background colour, opaque, unless that is colour 0.
std::vector<uint8_t> without_gif_background(Bytes file) {
  std::vector<uint8_t> out(file.begin(), file.end());
  if (out.size() > 11) out[11] = 0;
  return out;
}

int png_orientation(Bytes file) {
  for (size_t at = 8; at + 12 <= file.size();) {
    const size_t length = big_endian(file, at);
    if (length > file.size() - at - 12) break;
    if (std::memcmp(file.data() + at + 4, "eXIf", 4) == 0) return exif_orientation(file.subspan(at + 8, length));
    at += length + 12;
  }
  return 1;
}

// PNG files as Apple's tools write them for its devices (chunk CgBI) have blue first, and colours that are multiplied by alpha.
// From here on they are read as others are, by all threads.
void read_apples_png_as_others() {
  static const bool done = [] {
    stbi_convert_iphone_png_to_rgb(1);
    stbi_set_unpremultiply_on_load(1);
    return true;
  }();
  static_cast<void>(done);
}

[[noreturn]] void fail_to_decode(const Reader& reader) {
  if (reader.beyond_end()) fail("cannot be decoded: the file is cut off");
  fail("cannot be decoded: {}", printable(stbi_failure_reason()));  // may quote bytes of the file
}

}  // namespace

Stored decode_stb(Bytes file, const DecodeOptions& options, Turn& turn) {
  if (file.size() > INT_MAX) fail("has {} bytes, above the limit of {}", file.size(), INT_MAX);
  expect_sound_header(file);
  read_apples_png_as_others();
  std::vector<uint8_t> gif;
  if (starts(file, "GIF8")) file = gif = without_gif_background(file);
  int width = 0, height = 0, channels = 0;
  Reader header(file), depth(file), body(file);
  if (stbi_info_from_callbacks(&kCallbacks, &header, &width, &height, &channels) == 0) fail_to_decode(header);
  if (starts(file, "BM") && height < 0 && height > INT_MIN) height = -height;  // its rows begin at the top
  const bool deep = stbi_is_16_bit_from_callbacks(&kCallbacks, &depth) != 0;
  admit(width, height, deep ? 28 : 20, turn);  // filtered, unfiltered, RGBA, RGB, and RGB turned

  const size_t pixels = static_cast<size_t>(width) * static_cast<size_t>(height);
  const StbLimit limit(16 * pixels + 2 * file.size() + (size_t{1} << 20));
  const std::unique_ptr<uint8_t, decltype(&stbi_image_free)> rgba(
      stbi_load_from_callbacks(&kCallbacks, &body, &width, &height, &channels, 4), stbi_image_free);
  if (!rgba || body.beyond_end()) fail_to_decode(body);
  if (has_idle_bytes(file))
    for (size_t p = 0; p < pixels; ++p) rgba.get()[4 * p + 3] = 255;
  constexpr int kUpright = 1, kMirrored = 2;  // of EXIF
  return {.raster = whole(height, width, composite(rgba.get(), pixels, options.background)),
          .orientation = starts(file, "\x89PNG") ? png_orientation(file)
                         : is_mirrored_tga(file) ? kMirrored
                                                 : kUpright};
}

}  // namespace kith::data
