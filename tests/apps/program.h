// Runs the built program as a user does.
#pragma once
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace kith::test {

struct Outcome {
  int status = 0;        // exit status, or 128 + signal
  std::string out, err;  // standard output, standard error
};
struct Interruption {
  int signal = 0;  // 0: none
  int after_ms = 0;
  std::function<bool()> ready = {};  // awaited first, two minutes at most: however slow the machine is
};
// Variables and their values; an empty value: without that variable.
using Environment = std::vector<std::pair<std::string, std::string>>;
// Standard output is kept, or goes to the file named. The program's environment is the test's but for `changes`.
Outcome kith(const std::vector<std::string>& arguments, Interruption = {}, const char* output = nullptr,
             const Environment& changes = {});

// The help of a command without its line breaks: every option on one line. Words: data, info.
std::string unwrapped_help(std::vector<std::string> words);
inline std::string unwrapped_help(const std::string& command) { return unwrapped_help(std::vector{command}); }

}  // namespace kith::test
