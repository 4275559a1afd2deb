// Weights of a finished stage, read as what may have been damaged since.
#pragma once
#include <filesystem>
#include <map>
#include <string>

#include "nn/state/safetensors.h"

namespace kith {

// Error, one line: the file is missing, or is no whole safetensors file, or has a value that is not finite. Of a file that is
// there the line says that `command` makes it anew once it is removed.
SafeTensors read_stage_weights(const std::filesystem::path& file, const char* command = "kith run");

std::map<std::string, std::string> read_stage_metadata(const std::filesystem::path& file);  // the header alone

}  // namespace kith
