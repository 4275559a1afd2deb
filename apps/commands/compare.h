// kith compare RUN RUN ...: finished runs side by side, mean and standard deviation over those that differ in their seed alone.
#pragma once
#include <CLI/CLI.hpp>

namespace kith {

void add_compare_command(CLI::App& app);

}  // namespace kith
