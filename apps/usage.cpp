#include "apps/usage.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <string_view>
#include <utility>
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

// The command that the words have led to, and its whole name.
std::pair<const CLI::App*, std::string> command_of(const CLI::App& app) {
  std::pair<const CLI::App*, std::string> out = {&app, "kith"};
  while (!out.first->get_subcommands().empty()) {
    out.first = out.first->get_subcommands().front();
    out.second += " " + out.first->get_name();
  }
  return out;
}

// "--data", and "-data", which was meant to be that; not "-" or a number.
bool is_option(std::string_view word) {
  return word.size() > 2 && word[0] == '-' &&
         (word[1] == '-' || std::isalpha(static_cast<unsigned char>(word[1])) != 0);
}

std::string no_command(const std::string& word, const std::vector<std::string>& commands) {
  return fmt::format("no command {}{}", word, data::nearest_hint(word, commands));
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
  const auto [command, name] = command_of(app);
  std::string what = e.what();
  if (const std::string word = unexpected_word(app, words, command_names(*command).empty()); !word.empty()) {
    if (is_option(word)) {
      const std::string option = word.substr(0, word.find('='));
      what = fmt::format("{} has no option {}{}", name, option, data::nearest_hint(option, option_names(*command)));
      if (command->get_option_no_throw("files") != nullptr) what += "; picture files stand without an option";
    } else if (const std::vector<std::string> commands = command_names(*command); !commands.empty()) {
      what = no_command(word, commands);
    } else {
      what = fmt::format("{} does not take '{}'", name, word);
      if (command->get_option_no_throw("--data") != nullptr) what += "; a data set goes behind --data";
    }
  } else if (e.get_name() == "ArgumentMismatch") {
    const bool too_many = what.find(": At Most ") != std::string::npos || what.find(": At most ") != std::string::npos;
    what = what.substr(0, what.find(':')) +
           (too_many ? ": given twice; expected it once" : ": a value is missing behind it");
  }
  return fmt::format("{} ({} --help)", what, name);
}

std::string unknown_command(const CLI::App& app, std::span<char* const> words) {
  const auto [command, name] = command_of(app);
  const std::vector<std::string> commands = command_names(*command);
  const std::string word = commands.empty() ? "" : unexpected_word(app, words, false);
  if (word.empty() || word.starts_with('-')) return "";
  return fmt::format("{} ({} --help)", no_command(word, commands), name);
}

std::string empty_value(const CLI::App& app, std::span<char* const> words) {
  const CLI::App* command = &app;
  std::string name = "kith";
  for (const std::string_view word : words) {
    if (word == "--") break;
    if (!word.starts_with("--")) {
      const auto below = command->get_subcommands([&](const CLI::App* c) { return c->get_name() == word; });
      if (!below.empty()) command = below.front(), name += fmt::format(" {}", word);
      continue;
    }
    if (!word.ends_with('=')) continue;
    const std::string option(word.substr(0, word.size() - 1));
    const CLI::Option* known = command->get_option_no_throw(option);
    if (known == nullptr) continue;
    return fmt::format("{}: {} ({} --help)", option,
                       known->get_expected_min() == 0 ? "expected without a sign behind it"
                                                      : "nothing is behind the sign; expected a value",
                       name);
  }
  return "";
}

std::vector<char*> plain_words(std::span<char* const> words) {
  static char help[] = "--help", version[] = "--version";
  std::vector<char*> out(words.begin(), words.end());
  if (out.size() == 2 && std::string_view(out[1]) == "version") out[1] = version;
  bool asked = false;
  while (out.size() > 1 && std::string_view(out[1]) == "help") out.erase(out.begin() + 1), asked = true;
  if (asked) out.push_back(help);
  return out;
}

}  // namespace kith
