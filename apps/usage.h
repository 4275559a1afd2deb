// What a command line that cannot be read is answered with.
#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>
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

// The same where help was asked for of a command that is none; else empty.
std::string unknown_command(const CLI::App&, std::span<char* const> words);

// Of `--seeds=`, with nothing behind the sign, which would take the next word as its value; empty where there is none such. A
// variable of the shell that is unset leaves it.
std::string empty_value(const CLI::App&, std::span<char* const> words);

// The words of a command line, program first: those of kith help data fetch as those of kith data fetch --help, and
// of kith help help as those of kith --help.
std::vector<char*> plain_words(std::span<char* const> words);

}  // namespace kith
