// The file of a checkpoint: safetensors whose metadata hold a digest of all the rest, so that nothing goes on from other bytes than
// were saved.
#pragma once
#include <filesystem>
#include <string>

#include "nn/state/safetensors.h"

namespace kith {

void write_checkpoint_file(const std::filesystem::path&, SafeTensors);
// Error, one line, behind it the remedy: the file is cut, or names, shapes, bytes or metadata are others than were written. Of a file
// without a digest, which an earlier kith wrote, the format alone is checked.
SafeTensors read_checkpoint_file(const std::filesystem::path&, const std::string& remedy);

}  // namespace kith
