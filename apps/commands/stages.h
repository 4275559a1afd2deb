// kith run | pretext | mine | cluster | selflabel | refine | evaluate | import | export.
#pragma once
#include <CLI/CLI.hpp>

#include "apps/run_stage.h"

namespace kith {

void add_stage_commands(CLI::App& app);  // all of them
void add_mine_command(CLI::App& app);
void add_cluster_command(CLI::App& app);
void add_evaluate_command(CLI::App& app);
void add_import_command(CLI::App& app);
void add_export_command(CLI::App& app);

// Results: a table for people, or the summary as one JSON line.
void print_summary(const Session&, const StageOptions&, const nlohmann::json& summary);

}  // namespace kith
