#include "data/formats/text.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>

#include "data/formats/files.h"

namespace kith::data {
namespace {

using std::string_view;

// The length of the character that `text` begins with, or 0 where it is none of UTF-8's.
size_t character(string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  uint32_t code = first & (0x7fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3f);
  }
  const bool overlong = code < (length == 3 ? 0x800u : length == 4 ? 0x10000u : 0x80u);
  return overlong || (code >= 0xd800 && code < 0xe000) || code > 0x10ffff ? 0 : length;
}

string_view trimmed(string_view line) {
  const size_t begin = line.find_first_not_of(" \t"), end = line.find_last_not_of(" \t");
  return begin == string_view::npos ? string_view{} : line.substr(begin, end - begin + 1);
}

// The next line, taken off `rest`.
string_view take_line(string_view& rest) {
  const size_t end = rest.find_first_of("\r\n");
  const string_view line = rest.substr(0, end);
  rest.remove_prefix(end == string_view::npos ? rest.size() : end + (rest.substr(end).starts_with("\r\n") ? 2 : 1));
  return line;
}

}  // namespace

size_t utf8_prefix(string_view text) {
  size_t at = 0;
  for (size_t length; at < text.size(); at += length)
    if ((length = character(text.substr(at))) == 0) break;
  return at;
}

bool is_utf8(string_view text) { return utf8_prefix(text) == text.size(); }

std::string printable(string_view text) {
  std::string out;
  for (size_t length = 1; !text.empty(); text.remove_prefix(length)) {
    const auto first = static_cast<unsigned char>(text.front());
    length = first < 0x20 || first == 0x7f ? 0 : character(text);
    if (length == 0)
      out += fmt::format("\\x{:02x}", first);
    else
      out += text.substr(0, length);
    length = std::max<size_t>(length, 1);
  }
  return out;
}

std::string_view without_mark(std::string_view text) {
  constexpr std::string_view kMark = "\xef\xbb\xbf";
  return text.starts_with(kMark) ? text.substr(kMark.size()) : text;
}

std::vector<std::string> read_lines(const std::filesystem::path& path) {
  const std::vector<uint8_t> bytes = read_file(path);
  string_view rest(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (rest.starts_with("\xff\xfe") || rest.starts_with("\xfe\xff"))
    fail("{}: is UTF-16, expected UTF-8 (save it anew with that encoding)", path.string());
  rest = without_mark(rest);
  std::vector<std::string> lines;
  size_t empty = 0;  // number of the first empty line with nothing but empty lines after it; 0: none
  for (size_t number = 1; !rest.empty(); ++number) {
    const string_view line = trimmed(take_line(rest));
    if (const size_t bad = utf8_prefix(line); bad < line.size())
      fail("{}:{}: byte 0x{:02x} after '{}' is not UTF-8 (save the file anew with that encoding)", path.string(),
           number, static_cast<unsigned char>(line[bad]), line.substr(0, bad));
    for (const char c : line)
      if ((c >= 0 && c < 0x20 && c != '\t') || c == 0x7f)
        fail("{}:{}: holds the control character 0x{:02x}, expected text in UTF-8", path.string(), number, c);
    if (line.empty()) {
      if (empty == 0) empty = number;
      continue;
    }
    if (empty > 0) fail("{}:{}: is empty, expected a name on every line", path.string(), empty);
    lines.emplace_back(line);
  }
  return lines;
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), above(b.size() + 1),
      row(b.size() + 1);  // of i - 2, i - 1 and i characters of a
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    std::swap(before, above);
    std::swap(above, row);
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row.back();
}

std::string nearest_hint(std::string_view name, const std::vector<std::string>& known) {
  const std::string* nearest = nullptr;
  size_t least = 0;
  for (const std::string& other : known) {
    const auto [shorter, longer] = std::minmax({name.size(), other.size()});
    if (2 * (longer - shorter) > longer) continue;  // that many characters are others
    if (const size_t distance = edit_distance(name, other); nearest == nullptr || distance < least)
      nearest = &other, least = distance;
  }
  if (nearest == nullptr || 2 * least > std::max(name.size(), nearest->size())) return {};
  return "; the nearest is " + *nearest;
}

}  // namespace kith::data
