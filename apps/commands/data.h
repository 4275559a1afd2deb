// kith data fetch | info
#pragma once
#include <CLI/CLI.hpp>

namespace kith {

void add_data_commands(CLI::App& app);

}  // namespace kith
