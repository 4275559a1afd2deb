#include "apps/given_command.h"

#include "scan/text/shell_word.h"

namespace kith {

std::string given_command(const CLI::App& command) {
  std::string text = "kith " + command.get_name(), named;
  for (const CLI::Option* option : command.get_options()) {
    if (option->count() == 0) continue;
    const bool positional = option->get_positional();
    for (const std::string& word : option->results()) {
      if (positional)
        text += " " + shell_word(word);
      else if (option->get_expected_min() == 0)  // a flag
        named += " " + option->get_name();
      else
        named += " " + option->get_name() + " " + shell_word(word);
    }
  }
  return text + named;
}

}  // namespace kith
