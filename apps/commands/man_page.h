// kith man: the manual page kith.1, made from the commands themselves.
#pragma once
#include <CLI/CLI.hpp>
#include <string>

namespace kith {

// In roff's man macros: every command with its options and examples.
std::string man_page(const CLI::App&);

// Call last: it knows the commands that `app` has when it runs.
void add_man_command(CLI::App& app);

}  // namespace kith
