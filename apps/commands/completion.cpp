#include "apps/commands/completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <variant>
#include <vector>

#include "apps/usage.h"
#include "scan/config/config.h"
#include "scan/config/config_fields.h"

namespace kith {
namespace {

// Bash parts words at '=', zsh does not: --set NAME=VALUE and --option=VALUE come in both shapes.
constexpr std::string_view kFunction = R"bash(_kith() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}
  local at=$COMP_CWORD words= field= before=
  [ "$COMP_CWORD" -gt 2 ] && [ "$command" = data ] && command="data ${COMP_WORDS[2]}"
  COMPREPLY=()
  if [ "$cur" = = ] || [ "$prev" = = ]; then
    [ "$cur" = = ] && cur= || at=$((at - 1))
    field=${COMP_WORDS[at-1]}
    [ "${COMP_WORDS[at-2]}" = --set ] || { prev=$field; field=; }
  elif [ "$prev" = --set ] && [[ $cur = *=* ]]; then
    field=${cur%%=*} before=${cur%%=*}= cur=${cur#*=}
  fi
  if [ -n "$field" ]; then
    case $field in
@VALUES@    esac
    [ -n "$words" ] && COMPREPLY=($(compgen -P "$before" -W "$words" -- "$cur"))
    return
  fi
  case $prev in
    --set) compopt -o nospace 2>/dev/null; COMPREPLY=($(compgen -S = -W "$_kith_fields" -- "$cur")); return ;;
    --preset) words=$_kith_presets ;;
    --device) words='auto cpu cuda' ;;
    --method) words='kmeans scan temi turtle' ;;
    -*) case "$command $prev" in
@CHOICES@          *' --split') words='all train test unlabelled' ;;
        esac ;;
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
         elif [ "$COMP_CWORD" = 3 ] && [ "$command" = 'data fetch' ]; then words='cifar10 cifar100 cifar20 fashion-mnist'
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

// What the check of an option names, "{auto,cpu}" in its type, as "auto cpu"; empty where it names nothing.
std::string choices_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const size_t begin = type.find('{'), end = type.find('}', std::min(begin, type.size()));
  if (end == type.npos) return "";
  std::string words = type.substr(begin + 1, end - begin - 1);
  std::ranges::replace(words, ',', ' ');
  return words;
}

// "        'run --stream') words='auto yes no' ;;" for every option whose values are named.
std::string choice_cases(const CLI::App& app, const std::string& above) {
  std::string out;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    const std::string name = above + command->get_name();
    for (const CLI::Option* option : command->get_options())
      if (const std::string words = choices_of(*option); !words.empty() && option->nonpositional())
        out += fmt::format("        '{} --{}') words='{}' ;;\n", name, option->get_lnames().front(), words);
    out += choice_cases(*command, name + " ");
  }
  return out;
}

// "      pretext.task) words='simclr moco byol rotnet' ;;" for every field whose values are named.
std::string value_cases() {
  RunConfig config;
  std::string out;
  for (const Field& field : fields(config))
    if (const auto* choice = std::get_if<EnumField>(&field.value))
      out += fmt::format("      {}) words='{}' ;;\n", field.name, fmt::join(choice->names, " "));
    else if (std::holds_alternative<bool*>(field.value))
      out += fmt::format("      {}) words='true false' ;;\n", field.name);
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
  replace(function, "@VALUES@", value_cases());
  replace(function, "@CHOICES@", choice_cases(app, ""));
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
