// Files of a stage: the checkpoint while it runs, and its result. Of several ranks the first reads and writes them; what it read
// all have. begin_results, finish_results and write_checkpoint are for the first alone (scan/run/ranks.h).
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "nn/state/safetensors.h"
#include "scan/run/session.h"

namespace kith {

// Sections of one file: arrays and metadata of `part` under "section/".
void put_section(SafeTensors& file, const std::string& section, const SafeTensors& part);
SafeTensors take_section(const SafeTensors& file, const std::string& section);

// Called at the start of a stage, before it reads anything: checks that its inputs are valid and records their origin. Warns of
// files that others changed. Error: Ledger::require_inputs.
void start_stage(Session&, const std::string& stage);
// Called before and after a stage writes its files. Warns of changed files that it replaces.
void begin_results(const Session&, const std::string& stage, Ledger::Writes = Ledger::Writes::what_it_made);
void finish_results(const Session&, const std::string& stage);

// checkpoint_<stage>.safetensors; `state` holds counters and other small things.
struct Checkpoint {
  SafeTensors arrays;
  nlohmann::json state;
};
void write_checkpoint(const Session&, const std::string& stage, Checkpoint);
// None, with a warning, if it has another origin; for pretext that is an Error. Error, too: damaged (scan/train/checkpoint_file.h).
std::optional<Checkpoint> read_checkpoint(const Session&, const std::string& stage);
// Error, of the directory's where there is one, the same lines as read_checkpoint's: it is damaged; also: it was begun with other
// inputs, in a way that forbids the stage to start over.
void expect_whole_checkpoint(const std::filesystem::path& run_dir, const std::string& stage);
void expect_usable_checkpoint(Ledger&, const std::filesystem::path& run_dir, const std::string& stage);
void remove_checkpoint(const Session&, const std::string& stage);
// That of a stage whose valid result stands: a kill came between the two. One of another origin stays, its attempt may go on.
void remove_finished_checkpoint(const Session&, const std::string& stage);

// The last line of a command's metrics, once its results are written (scan/run/metrics_log.h).
void report_finished(const Session&, const std::string& command);
// The same line, if the command that wrote a valid result was killed before it.
void complete_log(const Session&, const std::string& command);

// <stage>.safetensors: the weights of a finished stage.
void write_result(const Session&, const std::string& stage, SafeTensors weights);  // Error: they are not finite
SafeTensors read_result(const Session&, const std::string& stage);  // Error: missing, or of another origin

}  // namespace kith
