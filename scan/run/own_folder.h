// Whether a folder is one that a command may fill: what others left there stays theirs.
#pragma once
#include <filesystem>
#include <functional>
#include <string>

namespace kith {

// Error, one line, with what lies there and a name that is free: the folder holds more than what is `known` to be the command's
// own.
void expect_nothing_else(const std::string& folder,
                         const std::function<bool(const std::filesystem::path& file)>& known);

// What a run leaves that was ended before it had saved anything.
bool is_beginning_of_run(const std::filesystem::path& file);

// A name in the folder that is free.
std::string free_name_in(const std::filesystem::path& folder);

}  // namespace kith
