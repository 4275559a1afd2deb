// What the help of a command ends with: command lines that can be typed as they are, but for the names of files.
#pragma once
#include <CLI/CLI.hpp>

namespace kith {

// To every command that is there. Error: one of them has no example.
void add_examples(CLI::App&);

}  // namespace kith
