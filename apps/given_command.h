// The command that was given, for a page that says how it was made.
#pragma once
#include <CLI/CLI.hpp>
#include <string>

namespace kith {

// "kith compare a 'b c' --page p.html": the words of a parsed command that its options took, those without a name first, in
// quotes where a shell would change them.
std::string given_command(const CLI::App& command);

}  // namespace kith
