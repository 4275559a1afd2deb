#include "data/formats/png.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>

#include "data/formats/files.h"
#include "data/formats/text.h"
// Without stdio, as stb.cpp compiles it: this file reads and writes the bytes.
#define STBI_NO_STDIO
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image.h>
#include <stb/stb_image_write.h>

namespace kith::data {
namespace {

void append(void* context, void* data, int bytes) {
  const auto* begin = static_cast<const uint8_t*>(data);
  auto& out = *static_cast<std::vector<uint8_t>*>(context);
  out.insert(out.end(), begin, begin + bytes);
}

// stb_image takes memory for what the header says before it looks for it. Deflate makes at most 1,032 bytes of one.
bool holds_its_pixels(Bytes file, int64_t pixels) {
  constexpr int64_t kMostOfOne = 1032;
  constexpr size_t kDepth = 24;  // a byte of the header; the type of colour follows
  constexpr std::array<int64_t, 7> kChannels = {1, 1, 3, 1, 2, 1, 4};  // by that type; there is no 1 and no 5
  const auto is_first = [&](std::string_view chunk) {
    return std::equal(chunk.begin(), chunk.end(), file.begin() + 12);
  };
  if (file.size() <= kDepth + 1 || !is_first("IHDR") || file[kDepth + 1] >= kChannels.size())
    return true;  // stb_image will say
  return pixels * kChannels[file[kDepth + 1]] * file[kDepth] / 8 <= kMostOfOne * static_cast<int64_t>(file.size());
}

void expect_valid(const Picture& picture) {
  const auto bytes = static_cast<size_t>(int64_t{picture.height} * picture.width * picture.channels);
  if (picture.height < 1 || picture.width < 1 || (picture.channels != 1 && picture.channels != 3) ||
      picture.pixels.size() != bytes)
    fail("a picture of {} x {} pixels, {} channels and {} bytes cannot be written", picture.height, picture.width,
         picture.channels, picture.pixels.size());
}

}  // namespace

std::vector<uint8_t> encode_png(const Picture& picture) {
  expect_valid(picture);
  std::vector<uint8_t> file;
  if (stbi_write_png_to_func(append, &file, picture.width, picture.height, picture.channels, picture.pixels.data(),
                             picture.width * picture.channels) == 0)
    fail("cannot encode a PNG of {} x {} pixels", picture.height, picture.width);
  return file;
}

void write_png(const std::filesystem::path& path, const Picture& picture) { write_file(path, {encode_png(picture)}); }

Picture read_png(const std::filesystem::path& path) {
  const std::vector<uint8_t> file = read_file(path);
  Picture out;
  int found = 0;
  const int bytes = static_cast<int>(std::min<size_t>(file.size(), INT32_MAX));
  constexpr std::array<uint8_t, 4> kSignature = {0x89, 'P', 'N',
                                                 'G'};  // stb_image is compiled with other formats besides
  if (file.size() < kSignature.size() || !std::equal(kSignature.begin(), kSignature.end(), file.begin()))
    fail("{}: not a PNG file", path.string());
  if (stbi_info_from_memory(file.data(), bytes, &out.width, &out.height, &found) == 0)
    fail("{}: not a PNG file: {}", path.string(), printable(stbi_failure_reason()));
  if (!holds_its_pixels(file, int64_t{out.height} * out.width))
    fail("{}: damaged: {} x {} pixels are more than its {} bytes can hold", path.string(), out.height, out.width,
         bytes);
  out.channels = found < 3 ? 1 : 3;  // an alpha channel is dropped
  const std::unique_ptr<uint8_t, decltype(&stbi_image_free)> pixels(
      stbi_load_from_memory(file.data(), bytes, &out.width, &out.height, &found, out.channels), stbi_image_free);
  if (!pixels)
    fail("{}: cannot decode the PNG: {}", path.string(), printable(stbi_failure_reason()));  // may quote bytes
  out.pixels.assign(pixels.get(), pixels.get() + int64_t{out.height} * out.width * out.channels);
  return out;
}

}  // namespace kith::data
