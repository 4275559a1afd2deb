// The options that the commands of the stages share: names, help, what they accept.
#pragma once
#include <CLI/CLI.hpp>
#include <initializer_list>
#include <string>
#include <vector>

#include "apps/run_stage.h"
#include "kernels/core/check.h"

namespace kith {

// What `read` returns. An Error of it is one of the command line.
template <class Read>
auto of_usage(Read&& read) {
  try {
    return read();
  } catch (const Error& e) {
    throw CLI::ValidationError(e.what());
  }
}

constexpr const char* kThreadsText = "Threads; 0: as many as may run. Results do not depend on it";

CLI::Validator not_empty();  // of an unset variable of the shell; what a name stands for is looked at later
void add_device_option(CLI::App& command, std::string& device);  // usage error unless parse_device reads it
void add_stage_options(CLI::App& command, StageOptions& options);
// Those of them that a command cannot use, which its help does not name then.
void leave_out(CLI::App& command, std::initializer_list<const char*> options);
// What only training uses.
inline constexpr std::initializer_list<const char*> kOfTraining = {"--sync-bn", "--recompute", "--no-graphs"};
void add_from_option(CLI::App& command, StageOptions& options);  // of all stages that have one before them
// The option `array` makes a command work on files alone: usage error when one of a stage's options but `kept` stands
// beside it. The help of `array` says so in a part of a sentence.
std::string kept_options_text(const std::vector<std::string>& kept);
void refuse_stage_options(const CLI::App& command, const std::string& array, const std::vector<std::string>& kept);

}  // namespace kith
