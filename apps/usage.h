// What a command line that cannot be read is answered with.
#pragma once
#include <CLI/CLI.hpp>
#include <span>
#include <string>
#include <vector>

namespace kith {

// Names of the commands below, and of the long options with their dashes.
std::vector<std::string> command_names(const CLI::App&);
std::vector<std::string> option_names(const CLI::App&);

// One line: what was not understood, the nearest command or option, and whose help says more. `words`: of the command line, in
// their order.
std::string usage_error(const CLI::App&, const CLI::ParseError&, std::span<char* const> words);

}  // namespace kith
