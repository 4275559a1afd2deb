// What a stage under way leaves on disk, and whether what lies in the run directory belongs to this configuration.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "nn/safetensors.h"
#include "scan/stages.h"

namespace kith {

// Sections of one file: arrays and metadata of `part` under "section/".
void put_section(SafeTensors& file, const std::string& section, const SafeTensors& part);
SafeTensors take_section(const SafeTensors& file, const std::string& section);

// Hash of all that decides the result of `stage` (pretext, cluster, selflabel): the configuration up to and including
// that stage, and the shape of the data. Threads, the checkpoint interval and where the data lies do not count,
// nor do precision and TF32: weights are f32 always, and a run may be finished on another device.
std::string stage_hash(const Session&, const std::string& stage);

// checkpoint_<stage>.safetensors; `state` holds counters and other small things.
struct Checkpoint {
  SafeTensors arrays;
  nlohmann::json state;
};
void write_checkpoint(const Session&, const std::string& stage, Checkpoint);
std::optional<Checkpoint> read_checkpoint(const Session&, const std::string& stage);  // Error: another configuration's
void remove_checkpoint(const Session&, const std::string& stage);

// <stage>.safetensors: the weights of a finished stage.
bool has_result(const Session&, const std::string& stage);
void write_result(const Session&, const std::string& stage, SafeTensors weights);
SafeTensors read_result(const Session&, const std::string& stage);  // Error: missing, or another configuration's

}  // namespace kith
