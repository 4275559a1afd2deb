// Binary PGM and PPM (netpbm's P5 and P6). stb_image 2.27 takes samples of 16 bits for twice as many of 8, and gets none right
// whose maximum is not 255.
#include <algorithm>
#include <cctype>
#include <charconv>
#include <string_view>

#include "data/pictures/formats.h"

namespace kith::data {
namespace {

struct Head {
  int width = 0, height = 0, most = 0;
  size_t bytes = 0;  // of it
};

// Two letters, three numbers with blanks and comments before each, one blank.
Head read_head(Bytes file) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  const auto is_blank = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  Head head;
  size_t at = 2;
  for (int* number : {&head.width, &head.height, &head.most}) {
    while (at < text.size() && (is_blank(text[at]) || text[at] == '#'))
      at = text[at] == '#' ? std::min(text.find_first_of("\r\n", at), text.size()) : at + 1;
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), *number);
    if (error != std::errc()) fail("cannot be decoded: the PNM header has no width, height and maximum");
    at = static_cast<size_t>(end - text.data());
  }
  if (at == text.size() || !is_blank(text[at])) fail("cannot be decoded: the PNM header is cut off");
  head.bytes = at + 1;
  return head;
}

// Of values up to `most`; of 16 bits the high byte.
uint8_t scaled_byte(unsigned value, unsigned most) {
  if (most == 0xffff) return static_cast<uint8_t>(value >> 8);
  return static_cast<uint8_t>((std::min(value, most) * 255 + most / 2) / most);
}

}  // namespace

Stored decode_pnm(Bytes file, Turn& turn) {
  const Head head = read_head(file);
  if (head.most < 1 || head.most > 0xffff)
    fail("cannot be decoded: PNM values up to {}, expected a maximum of 1 to 65535", head.most);
  admit(head.width, head.height, 6, turn);
  const size_t channels = file[1] == '6' ? 3 : 1, sample = head.most > 255 ? 2 : 1;
  const size_t pixels = static_cast<size_t>(head.width) * static_cast<size_t>(head.height);
  if (file.size() - head.bytes < pixels * channels * sample) fail("cannot be decoded: the file is cut off");
  const uint8_t* from = file.data() + head.bytes;
  std::vector<uint8_t> rgb(pixels * 3);
  for (size_t p = 0; p < pixels; ++p)
    for (size_t c = 0; c < 3; ++c) {
      const size_t at = p * channels + std::min(c, channels - 1);
      const unsigned value = sample == 1 ? from[at] : static_cast<unsigned>(from[2 * at] << 8 | from[2 * at + 1]);
      rgb[3 * p + c] = scaled_byte(value, static_cast<unsigned>(head.most));
    }
  return {.raster = whole(head.height, head.width, std::move(rgb))};
}

}  // namespace kith::data
