// The help of every option that is a number says the range that its check holds it to.
#include <gtest/gtest.h>

#include <regex>
#include <sstream>

#include "tests/apps/program.h"

namespace kith::test {
namespace {

// Every command, those below others too, as the help lists them.
std::vector<std::vector<std::string>> commands_below(const std::vector<std::string>& words) {
  std::vector<std::string> asked = words;
  asked.emplace_back("--help");
  const std::string help = kith(asked).out;
  std::vector<std::vector<std::string>> out;
  const size_t at = help.find("\nSubcommands:\n");
  if (at == std::string::npos) return {words};
  std::istringstream lines(help.substr(at + 14));
  for (std::string line; std::getline(lines, line) && line.starts_with("  ");) {
    if (line[2] == ' ') continue;
    std::vector<std::string> below = words;
    below.push_back(line.substr(2, line.find(' ', 2) - 2));
    for (std::vector<std::string>& command : commands_below(below)) out.push_back(std::move(command));
  }
  return out;
}

TEST(NumberOptions, TheirHelpSaysTheRangeThatTheyAreHeldTo) {
  const std::regex number("^  (--[a-z-]+) (INT|UINT|FLOAT)\\b.*"), range("\\(((from )?[0-9][^)]*)\\)$");
  int seen = 0;
  for (const std::vector<std::string>& words : commands_below({})) {
    std::string command;
    for (const std::string& word : words) command += (command.empty() ? "" : " ") + word;
    std::istringstream lines(unwrapped_help(words));
    for (std::string line; std::getline(lines, line);) {
      std::smatch option, said;
      if (!std::regex_match(line, option, number)) continue;
      ++seen;
      ASSERT_TRUE(std::regex_search(line, said, range)) << command << ": " << line;
      std::string held = said[1];
      if (held.ends_with(" pixels")) held.resize(held.size() - 7);
      std::vector<std::string> asked = words;
      asked.push_back(option[1].str() + "=-1");
      const std::string error = kith(asked).err;
      EXPECT_TRUE(error.starts_with("kith: error: " + option[1].str() + ": expected ")) << command << ": " << error;
      EXPECT_NE(error.find(held + "; found '-1'"), std::string::npos) << command << ": " << line << "\n" << error;
    }
  }
  EXPECT_GE(seen, 30);
  EXPECT_NE(unwrapped_help(std::vector<std::string>{"data", "info"}).find("are decoded to (1 to 1024 pixels)"),
            std::string::npos);
  EXPECT_NE(unwrapped_help("cluster").find("of largest silhouette (2 to 1000000)"), std::string::npos);
}

}  // namespace
}  // namespace kith::test
