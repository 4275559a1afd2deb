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
#include "scan/text/wrap.h"

namespace kith {
namespace {

constexpr size_t kLargest = size_t{1} << 20;  // bytes; a configuration has a few thousand
constexpr size_t kMostParts = 16;             // of a key; fields have up to four
constexpr size_t kValueShown = 200;           // bytes of a value that messages quote

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

// Behind the comment or string that begins at `at`; one that does not end is an error that toml++ tells.
size_t behind(std::string_view text, size_t at) {
  const char first = text[at];
  if (first == '#') return std::min(text.find('\n', at), text.size());
  const std::string_view three = text.substr(at, 3);
  const bool many = three == "\"\"\"" || three == "'''";
  for (at += many ? 3 : 1; at < text.size(); ++at) {
    if (first == '"' && text[at] == '\\')
      ++at;
    else if (many && text.substr(at, 3) == three)
      return std::min({text.find_first_not_of(first, at), at + 5, text.size()});  // two more may be of the string
    else if (!many && (text[at] == first || text[at] == '\n'))
      return at + 1;
  }
  return text.size();
}

// toml++ makes a table of each part of a.b.c and takes them down one within the other: of 100,000 the stack is at its end.
void expect_short_keys(std::string_view text, const Source& source) {
  size_t line = 1, parts = 1;
  for (size_t at = 0, next = 0; at < text.size(); at = next) {
    const char c = text[at];
    next = c == '#' || c == '"' || c == '\'' ? behind(text, at) : at + 1;
    if (c == '.')
      ++parts;
    else if (std::string_view("=,[]{}\n").find(c) != std::string_view::npos)
      parts = 1;
    if (parts > kMostParts)
      throw Error(fmt::format("{}: expected a key of at most {} parts",
                              source.lines ? fmt::format("{}:{}", source.name, line) : source.name, kMostParts));
    line += static_cast<size_t>(std::ranges::count(text.substr(at, next - at), '\n'));
  }
}

std::string formatted(const toml::node& node) {
  std::ostringstream text;
  text << toml::toml_formatter(node,
                               toml::toml_formatter::default_flags & ~toml::format_flags::allow_multi_line_strings);
  return text.str();
}

// A long list is formatted with a line for each value.
std::string in_one_line(std::string_view text) {
  std::string out;
  for (size_t end; !text.empty(); text.remove_prefix(end)) {
    end = std::min(text.find('\n'), text.size());
    out += text.substr(0, end);
    if (end == text.size()) break;
    end = std::min(text.find_first_not_of(" \n", end), text.size());
    out += ' ';
  }
  return out;
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
  const std::string_view text = data::without_mark(source.text);
  expect_short_keys(text, source);
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
  return beginning_of(written(source, node), kValueShown);
}

// A string is quoted here: versions of toml++ write one with a line break differently.
std::string written(const Source& source, const toml::node& node) {
  if (const auto text = node.value_exact<std::string>()) {
    const char quote = text->find('\'') == std::string::npos ? '\'' : '"';
    return quote + in_one_line(*text) + quote;
  }
  return source.lines ? in_one_line(formatted(node)) : source.text;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

}  // namespace kith
