// The text "Software" of a PNG file: which program wrote it.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kith::data {

// `file` of encode_png with that text, up to 200 letters of ASCII, behind its header.
std::vector<uint8_t> with_software(std::vector<uint8_t> file, std::string_view software);

std::string png_software(std::span<const uint8_t> file);  // as with_software puts it; empty: none, or no PNG

}  // namespace kith::data
