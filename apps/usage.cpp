#include "apps/usage.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "data/formats/text.h"

namespace kith {
namespace {

// The word that was not expected, the first on the command line: an option before a value, which may be its own; but where a
// command is wanted, that before its options.
std::string unexpected_word(const CLI::App& app, std::span<char* const> words, bool options_first) {
  const std::vector<std::string> left = app.remaining(true);
  std::string first;
  for (const std::string_view word : words) {
    if (std::ranges::find(left, word) == left.end()) continue;
    if (word.starts_with('-') == options_first) return std::string(word);
    if (first.empty()) first = word;
  }
  return first.empty() && !left.empty() ? left.front() : first;
}

}  // namespace

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  return names;
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

std::string usage_error(const CLI::App& app, const CLI::ParseError& e, std::span<char* const> words) {
  std::string name = "kith";
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    name += " " + command->get_name();
  }
  std::string what = e.what();
  if (const std::string word = unexpected_word(app, words, command_names(*command).empty()); !word.empty()) {
    if (word.starts_with("--")) {
      const std::string option = word.substr(0, word.find('='));
      what = fmt::format("{} has no option {}; the nearest is {}", name, option,
                         data::nearest_name(option, option_names(*command)));
    } else if (const std::vector<std::string> commands = command_names(*command); !commands.empty()) {
      what = fmt::format("no command {}; the nearest is {}", word, data::nearest_name(word, commands));
    } else {
      what = fmt::format("{} does not take '{}'", name, word);
    }
  }
  return fmt::format("{} ({} --help)", what, name);
}

}  // namespace kith
