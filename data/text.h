// Text files that people write: lists of names. Inside data/ only.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace kith::data {

bool is_utf8(std::string_view);  // no overlong form, surrogate or number beyond U+10FFFF (RFC 3629)

// The lines of a UTF-8 file, with or without byte order mark, ended by LF, CR LF or CR, without the blanks around each;
// empty lines at the end are none. Error, naming file and line: another encoding, a control character, or an empty line
// among others, since the line number is what a name stands for.
std::vector<std::string> read_lines(const std::filesystem::path&);

}  // namespace kith::data
