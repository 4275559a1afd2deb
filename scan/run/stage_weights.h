// Weights of a finished stage, read as what may have been damaged since.
#pragma once
#include <filesystem>
#include <map>
#include <string>

#include "kernels/core/check.h"
#include "nn/state/safetensors.h"
#include "scan/run/provenance.h"

namespace kith {

// Error, one line: the file is missing, or is no whole safetensors file, or has a value that is not finite. Of a file that is
// there the line says that `command` makes it anew once it is removed.
SafeTensors read_stage_weights(const std::filesystem::path& file, const char* command = "kith run");

std::map<std::string, std::string> read_stage_metadata(const std::filesystem::path& file);  // the header alone

// What to throw of weights that are other bytes than the stage's record has: what is trained on them, and what they answer, would
// be wrong unnoticed. "FILE: not the bytes that the stage STAGE wrote: damaged, or changed by hand; restore it, or REMEDY"
Error changed_weights(const std::filesystem::path& file, const std::string& stage, const std::string& remedy);
// Of a stage of a run on images.
Error changed_weights(const std::filesystem::path& file, const StageInfo& stage, const RunConfig& config);

// Of a configuration with which what is saved would answer wrongly; `what`: "data.size was 28, now 0".
Error changed_since_trained(const std::filesystem::path& run_dir, const std::string& what);

// Error: the configuration asks for another network than was saved, by what the pretext has on record.
void expect_saved_network(const std::filesystem::path& run_dir, const RunConfig&);

}  // namespace kith
