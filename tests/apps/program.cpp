#include "tests/apps/program.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <thread>

namespace kith::test {
namespace {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

std::string text(std::FILE* file) {
  std::string all;
  std::rewind(file);
  for (int c = 0; (c = std::fgetc(file)) != EOF;) all += static_cast<char>(c);
  return all;
}

std::vector<std::string> changed(const Environment& changes) {
  std::vector<std::string> lines;
  for (char** at = environ; *at != nullptr; ++at) {
    const std::string line = *at, name = line.substr(0, line.find('='));
    if (std::ranges::none_of(changes, [&](const auto& change) { return change.first == name; })) lines.push_back(line);
  }
  for (const auto& [name, value] : changes)
    if (!value.empty()) lines.push_back(name + "=" + value);
  return lines;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> out;
  for (std::string& word : words) out.push_back(word.data());
  out.push_back(nullptr);
  return out;
}

}  // namespace

Outcome kith(const std::vector<std::string>& arguments, Interruption interruption, const char* output,
             const Environment& changes) {
  std::vector<std::string> words = {KITH_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> variables = changed(changes);
  const std::vector<char*> argv = pointers(words), envp = pointers(variables);

  const File out(std::tmpfile(), std::fclose), err(std::tmpfile(), std::fclose);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fileno(out.get()), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, fileno(err.get()), STDERR_FILENO);
  if (output != nullptr) posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY, 0);
  pid_t child = 0;
  const int failed = posix_spawn(&child, KITH_PROGRAM, &actions, nullptr, argv.data(), envp.data());
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) throw std::runtime_error("cannot start " KITH_PROGRAM);
  if (interruption.signal != 0) {
    for (int i = 0; interruption.ready && i < 6000 && !interruption.ready(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    std::this_thread::sleep_for(std::chrono::milliseconds(interruption.after_ms));
    kill(child, interruption.signal);  // not reaped yet, so the number is still the child's
  }
  int status = 0;
  waitpid(child, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), text(out.get()), text(err.get())};
}

std::string unwrapped_help(std::vector<std::string> words) {
  words.emplace_back("--help");
  std::string help = kith(words).out;
  const std::string below = "\n" + std::string(30, ' ');
  for (size_t at = help.find(below); at != std::string::npos; at = help.find(below, at))
    help.replace(at, below.size(), " ");
  return help;
}

}  // namespace kith::test
