// kith run | pretext | cluster | selflabel, and the options that these share with mine and evaluate.
#pragma once
#include <CLI/CLI.hpp>

#include "apps/session.h"

namespace kith {

void add_stage_options(CLI::App& command, StageOptions& options);
void add_stage_commands(CLI::App& app);

// Results: a table for people, or the summary as one JSON line.
void print_summary(const Session&, const StageOptions&, const nlohmann::json& summary);

}  // namespace kith
