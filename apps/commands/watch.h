// kith watch RUN: how far a run has come, while it works; with --serve as a page on this machine.
#pragma once
#include <CLI/CLI.hpp>

namespace kith {

void add_watch_command(CLI::App& app);

}  // namespace kith
