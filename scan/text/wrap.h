// Lines of text for terminals of 80 columns.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace kith {

constexpr size_t kTerminalColumns = 80;

// One line, broken at spaces: lines after the first begin with `indent` spaces. A longer word has a line of its own.
std::string wrapped(std::string_view line, size_t indent, size_t columns = kTerminalColumns);

// A note: what follows its first line is two right of where that begins. A text of several lines stays as it was laid out.
std::string wrapped_note(std::string_view text);

// A line of parts, two spaces between them: broken only there.
std::string wrapped_parts(const std::vector<std::string>& parts, size_t indent, size_t columns = kTerminalColumns);

// Whole characters of the first `bytes`, then "..." where some are left out. Of UTF-8.
std::string beginning_of(std::string_view text, size_t bytes);

// Every line of a text, in one or two columns: what follows is below the second one, which is behind a gap, or begins at `second`
// in a line of a list.
std::string wrapped_columns(std::string_view text, size_t columns = kTerminalColumns, size_t second = 0);

}  // namespace kith
