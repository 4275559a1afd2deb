// kith run | pretext | mine | cluster | selflabel | evaluate, and the options that these share.
#pragma once
#include <CLI/CLI.hpp>

#include "apps/run_stage.h"

namespace kith {

void add_device_option(CLI::App& command, std::string& device);  // usage error unless parse_device reads it
void add_stage_options(CLI::App& command, StageOptions& options);
void add_from_option(CLI::App& command, StageOptions& options);  // of all stages that have one before them
// The option `array` makes a command work on files alone: usage error when one of a stage's options but `kept` stands
// beside it.
void refuse_stage_options(const CLI::App& command, const std::string& array, const std::vector<std::string>& kept);

void add_stage_commands(CLI::App& app);  // all of them
void add_mine_command(CLI::App& app);
void add_evaluate_command(CLI::App& app);

// Results: a table for people, or the summary as one JSON line.
void print_summary(const Session&, const StageOptions&, const nlohmann::json& summary);

}  // namespace kith
