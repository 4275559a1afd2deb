// Single files that a command is about to write: named as their content is, and where they can be.
#pragma once
#include <filesystem>
#include <string>

namespace kith {

// Error, one line: the name of an output, if there is one, ends otherwise. Capitals are the same: X.PNG ends in .png.
void expect_ending(const std::string& path, const char* option, const char* ending);

// Error, one line, before the work that is to be written there: no such folder, a folder has this name, it is a file of a run
// or would lie in one (output_folder.h), or no file can be made there, which is tried.
void expect_creatable(const std::filesystem::path& file);

}  // namespace kith
