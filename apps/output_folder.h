// Folders that a command is about to fill: what others left there stays, and nothing comes to lie among what is read.
#pragma once
#include <filesystem>
#include <string>

namespace kith {

// One command at a time works in a folder. Its runs hold the lock, too: where the command was killed they may still be saving.
// Error, one line: another has it.
class FolderLock {
 public:
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int file_;
};

// Error, one line: the folder is of kith ablate or kith run --seeds, whose tables and page a run would replace.
void expect_no_grid(const std::string& out);

// Error, one line: the folder holds runs, or something else than one (scan/run/own_folder.h).
void expect_run_or_empty(const std::string& out);

// Error, one line: `path`, named by `option`, is the folder of the data set folder:DIR or lies in it: pictures written there would
// be images of the data set the next time, and folders its classes. Other data sets do not look around.
void expect_outside_data(const char* option, const std::string& path, const std::string& spec);

// Error, one line: `path`, named by `option` where there is one, lies in the directory of a run. The one rule of all commands: a run
// directory is written by its own stages and only read by others, which find no file of theirs there and leave none.
void expect_outside_runs(const std::string& option, const std::string& path);

// Whether `path` lies in the folder, or is it, where links lead or by its name.
bool lies_in_folder(const std::string& path, const std::string& folder);

}  // namespace kith
