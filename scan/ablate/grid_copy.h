// The copy of a grid that kith writes into the folder of its runs, DIR/grid.toml: the text between two lines of comment. The end of a
// copy that was cut would else be missed by nobody, for what is left is a grid, too.
#pragma once
#include <string>

namespace kith {

inline constexpr const char* kCopyBegins = "# kept by kith, whole with the last line: # end of the grid";
inline constexpr const char* kCopyEnds = "# end of the grid";

// The text, which may be of a copy itself, as a copy.
std::string copy_of_grid(const std::string& text);

// Error: the text has the first of the two lines and not the last, or the last and not the first. Texts without both are of people, or
// of copies from before there were these lines. `name` stands for the text in the message.
void expect_whole_copy(const std::string& text, const std::string& name);

}  // namespace kith
