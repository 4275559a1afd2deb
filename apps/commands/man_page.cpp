#include "apps/commands/man_page.h"

#include <fmt/format.h>

namespace kith {
namespace {

constexpr char kHead[] = R"roff(.TH KITH 1 "" "kith @VERSION@" "User Commands"
.SH NAME
kith \- unsupervised image classification from nearest neighbours (SCAN)
.SH SYNOPSIS
.B kith
.I command
.RI [ options ]
.SH DESCRIPTION
kith learns what images look alike, finds each image's nearest neighbours and turns neighbourhoods into clusters, without labels:
Van Gansbeke et al., Learning to Classify Images without Labels, ECCV 2020.
.SH COMMANDS
)roff";

constexpr char kTail[] = R"roff(.SH EXIT STATUS
0 done, 1 error, 2 wrong usage; 130, 143, 129 stopped by Ctrl\-C, SIGTERM, SIGHUP after saving.
.SH ENVIRONMENT
.TP
.B KITH_CACHE
folder of what may be made anew: decoded pictures, plans of a device; otherwise ~/.cache/kith
.TP
.B OMP_NUM_THREADS
threads where \-\-threads is not given
.SH SEE ALSO
.B kith fields
says what each field of a configuration means,
.B kith presets
lists the configurations there are.
)roff";

// As text of roff: no character is a request or starts an escape.
std::string roff(const std::string& text) {
  std::string out;
  bool first = true;
  for (const char c : text) {
    if (first && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
    first = c == '\n';
  }
  return out;
}

std::string section(const CLI::App& command, const std::string& above) {
  const std::string name = above + command.get_name();
  std::string out = fmt::format(".SS {}\n{}\n", roff(name), roff(command.get_description()));
  for (const CLI::Option* option : command.get_options())
    out += fmt::format(".TP\n.B {}\n{}\n", roff(option->get_name(option->get_positional(), true)),
                       roff(option->get_description()));
  if (const std::string footer = command.get_footer(); !footer.empty())
    out += fmt::format(".PP\n.nf\n{}\n.fi\n", roff(footer));
  for (const CLI::App* below : command.get_subcommands([](const CLI::App*) { return true; }))
    out += section(*below, name + " ");
  return out;
}

}  // namespace

std::string man_page(const CLI::App& app) {
  std::string out(kHead);
  out.replace(out.find("@VERSION@"), 9, KITH_VERSION);
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    out += section(*command, "");
  return out + kTail;
}

void add_man_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("man", "The manual page: kith man | man -l -");
  command->callback([&app] { fmt::print("{}", man_page(app)); });
}

}  // namespace kith
