// Text that people write: its encoding, and files of lines.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace kith::data {

// Bytes of the text before what is no UTF-8: an overlong form, a surrogate or a number beyond U+10FFFF (RFC 3629).
size_t utf8_prefix(std::string_view);
bool is_utf8(std::string_view);           // all of it
std::string printable(std::string_view);  // bytes that are no UTF-8, and control characters, as \xNN

std::string_view without_mark(std::string_view);  // the text behind UTF-8's byte order mark, where it begins with one

// The lines of a UTF-8 file, with or without byte order mark, ended by LF, CR LF or CR, without the blanks around each;
// empty lines at the end are none. Error, naming file and line: another encoding, a control character, or an empty line
// among others, since the line number is what a name stands for.
std::vector<std::string> read_lines(const std::filesystem::path&);

// Insertions, deletions and replacements of a character, and swaps of two neighbours.
size_t edit_distance(std::string_view a, std::string_view b);
// "; the nearest is NAME"; empty where more than half of the longer one's characters would be others.
std::string nearest_hint(std::string_view name, const std::vector<std::string>& known);

}  // namespace kith::data
