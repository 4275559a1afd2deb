#include "data/fetch/process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <sstream>
#include <utility>

#include "data/formats/files.h"

namespace kith::data {
namespace {

class FileActions {
 public:
  FileActions() { posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

std::string read_to_end(int fd) {
  constexpr size_t kKept = 64 << 10;  // the start is what we want; the rest is read so that the program never blocks
  std::string text;
  std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return text;
    if (text.size() < kKept) text.append(buffer.data(), static_cast<size_t>(n));
  }
}

std::string first_complaint(const std::string& errors) {
  std::istringstream lines(errors);
  std::string last;
  for (std::string line; std::getline(lines, line);) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (line.empty()) continue;
    last = line;
    bool warning = false;
    for (const char* prefix : {"npm warn", "npm WARN", "npm notice", "W:", "WARNING"})
      warning = warning || line.starts_with(prefix);
    if (!warning) return line;
  }
  return last;
}

struct Ran {
  int error = 0;   // why it did not start
  int status = 0;  // of waitpid
  std::string text;
};

// Runs a program and reads what it writes to `kept`, stdout or stderr; the other one and stdin are closed.
Ran run(const std::vector<std::string>& arguments, const std::filesystem::path& folder, int kept) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);

  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail("cannot make a pipe: {}", std::strerror(errno));
  FileActions actions;
  posix_spawn_file_actions_addchdir_np(actions.get(), folder.c_str());
  posix_spawn_file_actions_addopen(actions.get(), STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(actions.get(), kept == STDOUT_FILENO ? STDERR_FILENO : STDOUT_FILENO, "/dev/null",
                                   O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(actions.get(), ends[1], kept);
  Ran ran;
  pid_t child = 0;
  ran.error = ::posix_spawnp(&child, argv[0], actions.get(), nullptr, argv.data(), environ);
  ::close(ends[1]);
  if (ran.error == 0) ran.text = read_to_end(ends[0]);
  ::close(ends[0]);
  while (ran.error == 0 && ::waitpid(child, &ran.status, 0) < 0)
    if (errno != EINTR) fail("cannot wait for {}: {}", arguments[0], std::strerror(errno));
  return ran;
}

}  // namespace

Finished run_program(const std::vector<std::string>& arguments, const std::filesystem::path& folder) {
  const auto [error, status, errors] = run(arguments, folder, STDERR_FILENO);
  if (error == ENOENT && std::filesystem::is_directory(folder)) fail("{} is not installed", arguments[0]);
  if (error != 0) fail("cannot start {}: {}", arguments[0], std::strerror(error));
  const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + signal;
  if (code == 128 + SIGINT || code == 128 + SIGTERM) throw Stopped(fmt::format("{} was stopped", arguments[0]));
  if (signal != 0) fail("{} was ended by signal {}", arguments[0], signal);
  return {code, first_complaint(errors)};
}

std::string output_of(const std::vector<std::string>& arguments) {
  Ran ran = run(arguments, ".", STDOUT_FILENO);
  return ran.error == 0 && ran.status == 0 ? std::move(ran.text) : std::string();
}

void expect_program(const std::vector<std::string>& arguments, const std::filesystem::path& folder) {
  const Finished finished = run_program(arguments, folder);
  if (finished.code == 0) return;
  const std::string& what = finished.message;
  fail("{}", what.empty() ? fmt::format("{} failed with status {}", arguments[0], finished.code)
                          : (what.starts_with(arguments[0]) ? what : arguments[0] + ": " + what));
}

}  // namespace kith::data
