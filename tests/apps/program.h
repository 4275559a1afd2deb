// Runs the built program as a user does.
#pragma once
#include <string>
#include <vector>

namespace kith::test {

struct Outcome {
  int status = 0;        // exit status, or 128 + signal
  std::string out, err;  // standard output, standard error
};
struct Interruption {
  int signal = 0;  // 0: none
  int after_ms = 0;
};
// Standard output is kept, or goes to the file named.
Outcome kith(const std::vector<std::string>& arguments, Interruption = {}, const char* output = nullptr);

}  // namespace kith::test
