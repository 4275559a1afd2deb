// A run directory, made where there is none; and whether it, or another folder, could be.
#pragma once
#include <filesystem>
#include <string>

namespace kith {

// Error, one line, where it cannot be made. A command that fails before it has anything to keep, which is the file `kept`, leaves
// none behind that it has made.
class NewFolder {
 public:
  NewFolder(std::filesystem::path, std::string kept);
  ~NewFolder();
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;

 private:
  std::filesystem::path path_;
  std::string kept_;
  bool made_ = false;
};

// Error, one line, where a command could not make the folder, or write into it: tried with a folder that is gone at once, in the
// nearest one that is there.
void expect_usable_folder(const std::string& path);

// Why no file can be made in that folder, tried with one that is gone at once; empty where one can.
std::string why_no_file_in(const std::filesystem::path& folder);

}  // namespace kith
