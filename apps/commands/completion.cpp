#include "apps/commands/completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>
#include <string_view>
#include <vector>

#include "apps/usage.h"
#include "scan/config/config.h"
#include "scan/config/config_fields.h"

namespace kith {
namespace {

constexpr std::string_view kFunction = R"bash(_kith() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]} words=
  [ "$COMP_CWORD" -gt 2 ] && [ "$command" = data ] && command="data ${COMP_WORDS[2]}"
  COMPREPLY=()
  case $prev in
    --set) compopt -o nospace 2>/dev/null; COMPREPLY=($(compgen -S = -W "$_kith_fields" -- "$cur")); return ;;
    --preset) words=$_kith_presets ;;
    --device) words='auto cpu cuda' ;;
    --precision) words='auto f32 bf16' ;;
    --method) words='kmeans scan temi turtle' ;;
    --format) words='text csv markdown latex' ;;
  esac
  if [ -z "$words" ]; then
    case $cur in
      -*) case $command in
@OPTIONS@        esac ;;
      *) if [ "$COMP_CWORD" = 1 ]; then words='@COMMANDS@'
         elif [ "$COMP_CWORD" = 2 ]; then
           case $command in
             data) words='fetch info' ;;
             presets) words=$_kith_presets ;;
             fields) words="$_kith_sections $_kith_fields" ;;
             completion) words='bash zsh' ;;
           esac
         fi ;;
    esac
  fi
  [ -n "$words" ] && COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _kith kith
)bash";

void replace(std::string& text, std::string_view mark, const std::string& by) {
  text.replace(text.find(mark), mark.size(), by);
}

// "        run) words='--data --out' ;;" for every command below.
std::string option_cases(const CLI::App& app, const std::string& above) {
  std::string out;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    const std::string name = above + command->get_name();
    out += fmt::format("        '{}') words='{}' ;;\n", name, fmt::join(option_names(*command), " "));
    out += option_cases(*command, name + " ");
  }
  return out;
}

std::string field_lists() {
  RunConfig config;
  std::string names, sections, last;
  for (const Field& field : fields(config)) {
    names += (names.empty() ? "" : " ") + field.name;
    const std::string section = field.name.substr(0, field.name.find('.'));
    if (section != field.name && section != last) sections += (sections.empty() ? "" : " ") + section;
    last = section;
  }
  return fmt::format("_kith_fields='{}'\n_kith_sections='{}'\n", names, sections);
}

}  // namespace

std::string completion_script(const CLI::App& app, bool zsh) {
  std::string function(kFunction);
  replace(function, "@OPTIONS@", option_cases(app, ""));
  replace(function, "@COMMANDS@", fmt::format("{}", fmt::join(command_names(app), " ")));
  return fmt::format("{}{}_kith_presets='{}'\n{}", zsh ? "autoload -U +X bashcompinit && bashcompinit\n" : "",
                     field_lists(), fmt::join(preset_names(), " "), function);
}

void add_completion_command(CLI::App& app) {
  auto shell = std::make_shared<std::string>();
  CLI::App* command =
      app.add_subcommand("completion", "A script that makes the shell complete commands, options and fields");
  command->add_option("shell", *shell, "bash or zsh")->required()->check(CLI::IsMember({"bash", "zsh"}));
  command->callback([&app, shell] { fmt::print("{}", completion_script(app, *shell == "zsh")); });
}

}  // namespace kith
