// Other programs, started from an argument vector: no shell reads a path. Inside data/, and for the tools of bench/.
#pragma once
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace kith::data {

struct Finished {
  int code = 0;         // exit status
  std::string message;  // the first line of stderr that is not a warning
};

// Thrown when the program was ended by Ctrl-C or SIGTERM: no other source is to be tried.
struct Stopped : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Runs arguments[0], found on PATH, in `folder`, with stdin and stdout closed. Error when it cannot be started.
Finished run_program(const std::vector<std::string>& arguments, const std::filesystem::path& folder);

// What arguments[0], found on PATH, writes to stdout, of which the first 64 KiB; with stdin and stderr closed. Empty when it cannot
// be started or fails.
std::string output_of(const std::vector<std::string>& arguments);

// run_program, and Error "PROGRAM: message" on any exit status but 0.
void expect_program(const std::vector<std::string>& arguments, const std::filesystem::path& folder);

}  // namespace kith::data
