// Whether a folder is one that a command may fill: what others left there stays theirs.
#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "scan/config/config.h"

namespace kith {

// Error, one line, with what lies there and a name that is free, beside it where it is a run's: the folder holds more than what is
// `known` to be the command's own. Of a run or a grid that has lost its description the line is lost_description().
void expect_nothing_else(const std::string& folder,
                         const std::function<bool(const std::filesystem::path& file)>& known);

// Error, one line: in `folder` a folder has the name of one of these files, so that it cannot be written, or it is a link to a file
// of another run, which would be overwritten: links are followed.
void expect_writable_files(const std::filesystem::path& folder, const std::vector<std::string>& files);

// What a run leaves that was ended before it had saved anything.
bool is_beginning_of_run(const std::filesystem::path& file);

// Whether it is the directory of a run, on images or on rows of features.
bool is_run_directory(const std::filesystem::path& folder);

// What is said of the directory of a run, or of a grid of runs, without the file that describes it: the file, what it held, and
// what brings it back. Empty: the file is there, or the folder is no such directory. Told by what else a run leaves.
std::string lost_description(const std::filesystem::path& folder);

// Whether the folder is that of a grid of runs (kith ablate, kith run --seeds).
bool is_grid(const std::filesystem::path& folder);

// The directory of a run that the path lies in, itself not counted, by its name or where links lead; empty: none. Told by its
// configuration with its log or its records.
std::filesystem::path run_around(const std::filesystem::path&);

// The configuration in the directory of a run on images. Error, one line: load_config's, or it names no data set; of a file that
// was emptied or cut with a remedy, which names whole_copy_of() where there is one.
RunConfig config_of_run(const std::filesystem::path& run_dir);

// The file beside a run of a grid in which its command has left the same configuration, whole; empty: there is none.
std::string whole_copy_of(const std::filesystem::path& run_dir);

// The names of those in the folder, as they can be printed, in their order.
std::vector<std::string> runs_in(const std::filesystem::path& folder);

// A name in the folder that is free.
std::string free_name_in(const std::filesystem::path& folder);

}  // namespace kith
