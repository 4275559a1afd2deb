#include "apps/program.h"

#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <new>
#include <span>
#include <sstream>
#include <system_error>
#include <vector>

#include "apps/answers/answer_commands.h"
#include "apps/commands/ablate.h"
#include "apps/commands/compare.h"
#include "apps/commands/completion.h"
#include "apps/commands/data.h"
#include "apps/commands/info.h"
#include "apps/commands/man_page.h"
#include "apps/commands/stages.h"
#include "apps/commands/watch.h"
#include "apps/examples.h"
#include "apps/launch.h"
#include "apps/launcher.h"
#include "apps/signals.h"
#include "apps/standard_output.h"
#include "apps/usage.h"
#include "data/formats/text.h"
#include "kernels/core/check.h"
#include "nn/device/threads.h"
#include "scan/config/config.h"
#include "scan/config/field_help.h"
#include "scan/text/wrap.h"

namespace kith {
namespace {

// The first sentences of a preset's comment, which say what it is for.
std::string purpose_of(const std::string& preset) {
  constexpr size_t kLongest = 210;  // but for one that is longer
  std::istringstream lines(preset_text(preset));
  std::string text;
  for (std::string line; std::getline(lines, line) && line.starts_with("# ");)
    text += line.substr(text.empty() ? 2 : 1);
  size_t end = 0;
  for (size_t dot = text.find('.'); dot != std::string::npos; dot = text.find('.', dot + 1)) {
    const bool ends = dot + 1 == text.size() || text[dot + 1] == ' ';
    if (ends && !text.substr(0, dot).ends_with(" al") && (end == 0 || dot < kLongest)) end = dot + 1;
  }
  return text.substr(0, end);
}

// "quick    Minutes on two cores ..."
void list_presets() {
  size_t widest = 0;
  for (const std::string& name : preset_names()) widest = std::max(widest, name.size());
  for (const std::string& name : preset_names())
    fmt::print("{}\n", wrapped(fmt::format("{:<{}}  {}", name, widest, purpose_of(name)), widest + 2));
}

void add_preset_command(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("presets", "List the presets, or print one");
  command->add_option("name", *name, "Preset to print");
  command->callback([name] {
    if (name->empty()) return list_presets();
    fmt::print("{}", preset_text(*name));
  });
}

void add_fields_command(CLI::App& app) {
  auto prefix = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("fields", "What the fields of a configuration mean: default, range, unit");
  command->add_option("prefix", *prefix, "Section or field: cluster, cluster.optimizer, cluster.lambda; default: all");
  command->callback([prefix] { fmt::print("{}", fields_text(*prefix)); });
}

// Standard error may lie on the disk that is full: the status tells then.
int say(const std::string& text, int status) {
  const std::string line = fmt::format("kith: {}\n", text);
  [[maybe_unused]] const size_t written = std::fwrite(line.data(), 1, line.size(), stderr);
  return status;
}

int fail(const std::string& text, int status) { return say("error: " + text, status); }

int stopped(const char* how) {
  const int signal = stop_signal() != 0 ? stop_signal() : SIGUSR1;  // another rank was asked
  say_ranks_stopped();
  return say(how, 128 + signal);
}

// "PATH: File name too long; ...", where the library that met it would put the path last, behind a word of its own.
std::string text_of(const std::filesystem::filesystem_error& e) {
  const std::string text = fmt::format("{}: {}", data::printable(e.path1().string()), e.code().message());
  return e.code() == std::errc::filename_too_long ? text + "; expected names of at most 255 bytes" : text;
}

int out_of_memory(const std::string& text) {
  return fail(text + "; stop other programs that use it, or take a narrower model (--set model.width)", 1);
}

int parse_and_run(std::vector<char*> words, const ThreadWait& wait) {
  CLI::App app("Unsupervised image classification from nearest neighbours (SCAN)", "kith");
  app.set_version_flag("-v,--version", "kith " KITH_VERSION);
  app.require_subcommand(1);
  add_stage_commands(app);
  add_answer_commands(app);
  add_ablate_command(app);
  add_compare_command(app);
  add_watch_command(app);
  add_data_commands(app);
  add_preset_command(app);
  add_fields_command(app);
  add_info_command(app, wait);
  add_completion_command(app);
  add_man_command(app);
  add_examples(app);
  const std::span<char* const> arguments = std::span(words).subspan(1);
  if (const std::string wrong = empty_value(app, arguments); !wrong.empty()) return fail(wrong, 2);
  try {
    app.parse(static_cast<int>(words.size()), words.data());
    flush_output();
    if (stop_announced()) say(kDoneBeforeStop, 0);
  } catch (const CLI::Success& e) {  // --help, --version
    if (const std::string wrong = unknown_command(app, arguments); !wrong.empty()) return fail(wrong, 2);
    std::ostringstream text;
    app.exit(e, text, text);
    fmt::print("{}", wrapped_columns(text.str(), kTerminalColumns, app.get_formatter()->get_column_width()));
    flush_output();
  } catch (const std::system_error& e) {
    if (std::ferror(stdout) == 0) throw;
    refuse_output(e.code().value());  // fmt::print to standard output
  } catch (const CLI::ParseError& e) {
    return fail(usage_error(app, e, arguments), 2);
  }
  return 0;
}

}  // namespace

int program(int argc, char** argv) {
  try {
    const ThreadWait wait = settle_thread_wait(argv);
    catch_lost_files();
    expect_command_of_ranks({argv + 1, argv + argc});
    return parse_and_run(plain_words({argv, argv + argc}), wait);
  } catch (const EndQuietly& e) {
    return e.status;
  } catch (const StoppedUnsaved&) {
    return stopped(kNothingSaved);
  } catch (const Interrupted&) {
    return stopped(kStopped);
  } catch (const OutOfMemory& e) {
    return out_of_memory(e.what());
  } catch (const std::bad_alloc&) {
    return out_of_memory("out of memory");
  } catch (const std::filesystem::filesystem_error& e) {
    return fail(text_of(e), 1);
  } catch (const std::exception& e) {
    return fail(e.what(), 1);
  }
}

}  // namespace kith
