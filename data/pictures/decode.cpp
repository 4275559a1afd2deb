#include "data/pictures/decode.h"

#include <omp.h>

#include <algorithm>
#include <charconv>
#include <string>

#include "data/formats/content.h"
#include "data/pictures/exif.h"
#include "data/pictures/formats.h"

namespace kith::data {
namespace {

using namespace std::string_view_literals;

std::mutex one_at_a_time;
constexpr int64_t kSharedBytes = int64_t{256} << 20;  // of all threads that decode without a turn

bool begins(Bytes file, std::string_view text, size_t at = 0) {
  return file.size() >= at + text.size() &&
         std::equal(text.begin(), text.end(), file.begin() + static_cast<int64_t>(at),
                    [](char a, uint8_t b) { return static_cast<uint8_t>(a) == b; });
}

bool is_stb(Bytes file) {
  for (const std::string_view start : {"\x89PNG\r\n\x1a\n"sv, "BM"sv, "GIF87a"sv, "GIF89a"sv, "8BPS"sv})
    if (begins(file, start)) return true;
  return false;
}

// What people have in such folders and is not read; empty: unknown.
std::string other_content(Bytes file) {
  if (begins(file, "II*\0"sv) || begins(file, "MM\0*"sv)) return "a TIFF image";
  if (begins(file, "ftypavif"sv, 4)) return "an AVIF image";
  if (begins(file, "ftyphei"sv, 4) || begins(file, "ftypmif1"sv, 4)) return "a HEIC image";
  if (begins(file, "\xff\x0a"sv) || begins(file, "JXL "sv, 4)) return "a JPEG XL image";
  if (begins(file, "jP  "sv, 4)) return "a JPEG 2000 image";
  for (const std::string_view start : {"P1"sv, "P2"sv, "P3"sv, "P4"sv, "P7"sv})
    if (begins(file, start)) return "a PNM image of another kind than binary gray (P5) and RGB (P6)";
  return content_of(file.first(std::min(file.size(), kContentHead)));
}

}  // namespace

Colour parse_colour(std::string_view text) {
  if (text == "white") return kWhite;
  if (text == "black") return {0, 0, 0};
  Colour out{};
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  for (size_t i = 0; i < out.size(); ++i) {
    const auto [next, error] = std::from_chars(at, end, out[i]);
    const bool followed = i + 1 == out.size() ? next == end : next != end && *next == ',';
    if (error != std::errc() || !followed)
      fail("background '{}': expected white, black, or R,G,B of numbers 0 to 255", text);
    at = next + 1;
  }
  return out;
}

void Turn::need(int64_t bytes) {
  if (lock_.owns_lock() || bytes <= kSharedBytes / omp_get_max_threads()) return;
  lock_ = std::unique_lock(one_at_a_time);
}

void admit(int64_t width, int64_t height, int64_t bytes_per_pixel, Turn& turn) {
  if (width < 1 || height < 1) fail("is {} x {} pixels, expected at least 1 x 1", width, height);
  if (width > turn.longest_side() || height > turn.longest_side())
    fail("is {} x {} pixels, above the limit of {} for a side", width, height, turn.longest_side());
  if (width * height > kMostPixels)
    fail("is {} x {} pixels, above the limit of {} million", width, height, kMostPixels / 1'000'000);
  const int64_t bytes = width * height * bytes_per_pixel;
  if (bytes > kMostDecodeBytes)
    fail("is {} x {} pixels, which would take {} MiB to decode, above the limit of {}", width, height, bytes >> 20,
         kMostDecodeBytes >> 20);
  turn.need(bytes);
}

std::vector<uint8_t> composite(const uint8_t* rgba, size_t pixels, const Colour& background) {
  std::vector<uint8_t> out(pixels * 3);
  for (size_t p = 0; p < pixels; ++p) {
    const unsigned alpha = rgba[4 * p + 3];
    for (size_t c = 0; c < 3; ++c)
      out[3 * p + c] = static_cast<uint8_t>((alpha * rgba[4 * p + c] + (255 - alpha) * background[c] + 127) / 255);
  }
  return out;
}

Raster whole(int height, int width, std::vector<uint8_t> pixels) {
  return {.height = height,
          .width = width,
          .pixels = std::move(pixels),
          .box_height = static_cast<double>(height),
          .box_width = static_cast<double>(width)};
}

Raster decode(Bytes file, const DecodeOptions& options, Turn& turn) {
  if (file.empty()) fail("is empty");
  Stored stored;
  if (begins(file, "\xff\xd8\xff"sv))
    stored = decode_jpeg(file, options, turn);
  else if (begins(file, "RIFF"sv) && begins(file, "WEBP"sv, 8))
    stored = decode_webp(file, options, turn);
  else if (begins(file, "P5"sv) || begins(file, "P6"sv))
    stored = decode_pnm(file, turn);
  else if (is_stb(file))
    stored = decode_stb(file, options, turn);
  else if (const std::string other = other_content(file); !other.empty())
    fail("is not a picture that can be read; it is {}", other);
  else if (options.tga)
    stored = decode_stb(file, options, turn);
  else
    fail("is not a picture that can be read");
  return upright(std::move(stored.raster), stored.orientation);
}

}  // namespace kith::data
