#include "scan/text/wrap.h"

#include <algorithm>

namespace kith {
namespace {

// Where the second column of a line begins, behind a gap; where there is none, two right of the first.
size_t second_column(std::string_view line, size_t columns, size_t of_list) {
  const size_t first = std::min(line.find_first_not_of(' '), line.size());
  const bool listed = first == 2 && of_list > first && of_list < line.size();
  if (listed && line[of_list - 1] == ' ' && line[of_list] != ' ') return of_list;
  const size_t gap = line.find("  ", first);
  const size_t second = gap == std::string_view::npos ? gap : line.find_first_not_of(' ', gap);
  if (second < columns / 2) return second;
  return first >= columns / 4 ? first : first + 2;
}

}  // namespace

std::string wrapped(std::string_view line, size_t indent, size_t columns) {
  std::string out;
  size_t words = std::min(line.find_first_not_of(' '), line.size()), room = columns;  // in `line`, of its first word
  while (line.size() > room) {
    size_t end = line.rfind(' ', room);
    if (end == std::string_view::npos || end < words) end = line.find(' ', words);
    if (end == std::string_view::npos) break;
    const size_t next = line.find_first_not_of(' ', end);
    if (next == std::string_view::npos) break;
    out.append(line.substr(0, line.find_last_not_of(' ', end) + 1)).append("\n").append(indent, ' ');
    line.remove_prefix(next);
    words = 0, room = columns - indent;
  }
  return out.append(line);
}

std::string wrapped_note(std::string_view text) {
  if (text.find('\n') != std::string_view::npos) return std::string(text);
  return wrapped(text, std::min(text.find_first_not_of(' '), text.size()) + 2);
}

std::string wrapped_parts(const std::vector<std::string>& parts, size_t indent, size_t columns) {
  std::string out;
  size_t begin = 0;  // of the line that is being written
  for (const std::string& part : parts) {
    if (&part == &parts.front()) {
      out = part;
    } else if (out.size() - begin + 2 + part.size() <= columns) {
      out += "  " + part;
    } else {
      begin = out.size() + 1;
      out.append("\n").append(indent, ' ').append(part);
    }
  }
  return out;
}

std::string beginning_of(std::string_view text, size_t bytes) {
  if (text.size() <= bytes) return std::string(text);
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xc0) == 0x80) --bytes;  // within a character
  return std::string(text.substr(0, bytes)) + "...";
}

std::string wrapped_columns(std::string_view text, size_t columns, size_t second) {
  std::string out;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    const bool ended = line.size() < text.size();
    out += wrapped(line, second_column(line, columns, second), columns);
    if (ended) out += '\n';
    text.remove_prefix(line.size() + (ended ? 1 : 0));
  }
  return out;
}

}  // namespace kith
