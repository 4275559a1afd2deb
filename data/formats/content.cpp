#include "data/formats/content.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <string_view>

#include "data/formats/text.h"

namespace kith::data {
namespace {

struct Signature {
  std::string_view bytes, name;
};

using namespace std::string_view_literals;

// First bytes of the formats that are found where data sets and arrays are expected.
constexpr std::array kSignatures = {
    Signature{"\x1f\x8b"sv, "a gzip file"},
    Signature{"PK\x03\x04"sv, "a zip archive"},
    Signature{"BZh"sv, "a bzip2 file"},
    Signature{"\xfd"
              "7zXZ"sv,
              "an xz file"},
    Signature{"\x28\xb5\x2f\xfd"sv, "a Zstandard file"},
    Signature{"7z\xbc\xaf"sv, "a 7-Zip archive"},
    Signature{"Rar!"sv, "a RAR archive"},
    Signature{"\x89PNG"sv, "a PNG image"},
    Signature{"\xff\xd8\xff"sv, "a JPEG image"},
    Signature{"GIF8"sv, "a GIF image"},
    Signature{"\x93NUMPY"sv, "a NumPy array (.npy)"},
    Signature{"\x89HDF"sv, "an HDF5 file"},
    Signature{"PAR1"sv, "a Parquet file"},
    Signature{"version https://git-lfs"sv, "a Git LFS pointer, not the file that it stands for"},
};

bool starts_without_case(std::string_view text, std::string_view lower) {
  return text.size() >= lower.size() && std::equal(lower.begin(), lower.end(), text.begin(), [](char a, char b) {
           return a == std::tolower(static_cast<unsigned char>(b));
         });
}

std::string markup(std::string_view text) {
  text = without_mark(text);
  text.remove_prefix(std::min(text.size(), text.find_first_not_of(" \t\r\n")));
  for (const std::string_view start : {"<!doctype html", "<html", "<head", "<body"})
    if (starts_without_case(text, start)) return "a web page (HTML)";
  return text.starts_with("<?xml") ? "an XML document" : "";
}

std::string plain_text(std::string_view text) {
  const std::string_view line = text.substr(0, std::min<size_t>(40, text.find_first_of("\r\n")));
  if (line.size() < 8 || !std::ranges::all_of(line, [](char c) { return c >= 0x20 && c < 0x7f; })) return "";
  return fmt::format("text that begins '{}'", line);
}

}  // namespace

std::string content_of(Bytes head) {
  const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  for (const Signature& s : kSignatures)
    if (text.starts_with(s.bytes)) return std::string(s.name);
  if (head.size() >= 2 && head[0] == 0x80 && head[1] >= 2 && head[1] <= 5) return "a Python pickle";
  if (text.size() > 262 && text.substr(257, 5) == "ustar") return "a tar archive";
  const bool of_values = head.size() >= 4 && head[2] >= 8 && head[2] <= 14;
  if (of_values && head[0] == 0 && head[1] == 0 && head[3] >= 1 && head[3] <= 4)
    return fmt::format("an IDX file of {} extents{}", head[3], head[2] == 8 ? "" : ", not of bytes");
  const std::string page = markup(text);
  return page.empty() ? plain_text(text) : page;
}

std::string but_it_is(Bytes head) {
  const std::string what = content_of(head);
  return what.empty() ? "" : "; it is " + what;
}

std::string but_it_is(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::array<char, kContentHead> head;
  in.read(head.data(), head.size());
  return but_it_is(as_bytes({head.data(), static_cast<size_t>(in.gcount())}));
}

}  // namespace kith::data
