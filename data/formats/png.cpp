#include "data/formats/png.h"

#include <algorithm>
#include <memory>

#include "data/formats/files.h"
// Without stdio, as stb.cpp compiles it: this file reads and writes the bytes.
#define STBI_NO_STDIO
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image.h>
#include <stb/stb_image_write.h>

namespace kith::data {
namespace {

constexpr int kGap = 2;
constexpr uint8_t kBackground = 255;

void append(void* context, void* data, int bytes) {
  const auto* begin = static_cast<const uint8_t*>(data);
  auto& out = *static_cast<std::vector<uint8_t>*>(context);
  out.insert(out.end(), begin, begin + bytes);
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
  if (stbi_info_from_memory(file.data(), bytes, &out.width, &out.height, &found) == 0)
    fail("{}: not a PNG file: {}", path.string(), stbi_failure_reason());
  out.channels = found < 3 ? 1 : 3;  // an alpha channel is dropped
  const std::unique_ptr<uint8_t, decltype(&stbi_image_free)> pixels(
      stbi_load_from_memory(file.data(), bytes, &out.width, &out.height, &found, out.channels), stbi_image_free);
  if (!pixels) fail("{}: cannot decode the PNG: {}", path.string(), stbi_failure_reason());
  out.pixels.assign(pixels.get(), pixels.get() + int64_t{out.height} * out.width * out.channels);
  return out;
}

Picture contact_sheet(const Images& images, std::span<const int64_t> index, int columns, int scale) {
  if (columns < 1 || scale < 1 || index.empty())
    fail("a contact sheet of {} images, {} columns, scale {}: expected at least 1 each", index.size(), columns, scale);
  const int rows = static_cast<int>((static_cast<int64_t>(index.size()) + columns - 1) / columns);
  const int cell_height = images.height * scale + kGap, cell_width = images.width * scale + kGap;
  Picture out{.height = rows * cell_height + kGap, .width = columns * cell_width + kGap, .channels = images.channels};
  out.pixels.assign(static_cast<size_t>(int64_t{out.height} * out.width * out.channels), kBackground);
  const int64_t image_bytes = int64_t{images.height} * images.width * images.channels;
  for (size_t i = 0; i < index.size(); ++i) {
    if (index[i] == -1) continue;
    if (index[i] < 0 || index[i] >= images.count)
      fail("contact sheet: image {} is out of range 0..{}", index[i], images.count - 1);
    const uint8_t* image = images.pixels.data() + index[i] * image_bytes;
    const int top = static_cast<int>(i) / columns * cell_height + kGap;
    const int left = static_cast<int>(i) % columns * cell_width + kGap;
    for (int y = 0; y < images.height * scale; ++y)
      for (int x = 0; x < images.width * scale; ++x) {
        const uint8_t* from = image + (int64_t{y / scale} * images.width + x / scale) * images.channels;
        std::copy_n(from, images.channels,
                    out.pixels.begin() + (int64_t{top + y} * out.width + left + x) * out.channels);
      }
  }
  return out;
}

}  // namespace kith::data
