// kith completion bash|zsh: what completes commands, options, their values and the fields of --set; made from the commands
// themselves.
#pragma once
#include <CLI/CLI.hpp>
#include <string>

namespace kith {

// A script for bash, or for zsh, whose bashcompinit runs the same functions.
std::string completion_script(const CLI::App&, bool zsh);

// Call last: it knows the commands that `app` has when it runs.
void add_completion_command(CLI::App& app);

}  // namespace kith
