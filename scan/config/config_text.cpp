#include "scan/config/config_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "data/formats/text.h"
#include "kernels/core/check.h"

namespace kith {
namespace {

constexpr std::string_view kMark = "\xEF\xBB\xBF";  // of UTF-8
constexpr size_t kLargest = size_t{1} << 20;        // bytes; a configuration has a few thousand

void expect_utf8(const Source& source) {
  const std::string& text = source.text;
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF") || text.find('\0') != std::string::npos)
    throw Error(fmt::format("{}:1: expected UTF-8 text; found UTF-16, or no text at all", source.name));
  const size_t at = data::utf8_prefix(text);
  if (at == text.size()) return;
  throw Error(fmt::format("{}:{}: expected UTF-8 text; found the byte 0x{:02X} of another encoding (Latin-1?)",
                          source.name, 1 + std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(at), '\n'),
                          static_cast<unsigned char>(text[at])));
}

}  // namespace

Source read_source(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  Source source{path, {}};
  if (!in || std::filesystem::is_directory(path)) throw Error(path + ": not a readable file");
  for (std::array<char, 8192> piece; source.text.size() <= kLargest && in;) {
    in.read(piece.data(), piece.size());
    source.text.append(piece.data(), static_cast<size_t>(in.gcount()));
  }
  if (source.text.size() > kLargest) throw Error(path + ": larger than 1 MiB, which is no configuration");
  return source;
}

toml::table parse(const Source& source) {
  expect_utf8(source);
  std::string_view text = source.text;
  if (text.starts_with(kMark)) text.remove_prefix(kMark.size());
  try {
    return toml::parse(text, source.name);
  } catch (const toml::parse_error& e) {
    throw Error(
        fmt::format("{}: {}", place(source, e.source()), data::printable(e.description())));  // may quote a line break
  }
}

toml::table parse_value(const std::string& text) {
  try {
    toml::table table = toml::parse("value = " + text);
    if (table.size() == 1) return table;
  } catch (const toml::parse_error&) {  // a string, then
  }
  toml::table table;
  table.insert_or_assign("value", text);
  return table;
}

std::string place(const Source& source, const toml::source_region& region) {
  return source.lines ? fmt::format("{}:{}", source.name, region.begin.line) : source.name;
}

std::string found(const Source& source, const toml::node& node) {
  if (node.is_table()) return "a table";
  if (!source.lines && !node.is_string()) return source.text;
  std::ostringstream text;
  text << toml::toml_formatter(node);
  return text.str();
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

}  // namespace kith
