// A word of a command that people copy into a shell.
#pragma once
#include <string>

namespace kith {

std::string shell_word(const std::string&);  // in quotes where a shell would change it

}  // namespace kith
