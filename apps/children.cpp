#include "apps/children.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <thread>
#include <utility>

#include "kernels/core/check.h"

namespace kith {

Children::~Children() {
  stop();
  while (running() > 0) wait(100);
}

void Children::start(size_t id, const std::vector<std::string>& arguments, const std::filesystem::path& log) {
  std::vector<char*> argv = {const_cast<char*>("kith")};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (out < 0) throw Error(fmt::format("{}: cannot write: {}", log.string(), std::strerror(errno)));
  const pid_t parent = ::getpid(), child = ::fork();
  if (child == 0) {  // nothing but system calls: other threads of the parent may have held locks
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(143);  // it has ended in between
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    ::execv("/proc/self/exe", argv.data());
    ::_exit(127);
  }
  const int error = errno;
  ::close(out);
  if (child < 0) throw Error(fmt::format("cannot start another process: {}", std::strerror(error)));
  running_.push_back({.id = id, .process = child});
}

std::optional<Children::Ended> Children::wait(int milliseconds) {
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + std::chrono::milliseconds(milliseconds);
  do {
    for (size_t i = 0; i < running_.size(); ++i) {
      int status = 0;
      const pid_t found = ::waitpid(running_[i].process, &status, WNOHANG);
      if (found == 0 || (found < 0 && errno == EINTR)) continue;
      const Ended ended{.id = running_[i].id,
                        .status = found < 0           ? 1
                                  : WIFEXITED(status) ? WEXITSTATUS(status)
                                                      : 128 + WTERMSIG(status)};
      running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
      return ended;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(std::min(milliseconds, 20)));
  } while (Clock::now() < until);
  return {};
}

void Children::stop() {
  for (Child& child : running_)
    if (!std::exchange(child.asked, true))
      ::kill(child.process, SIGTERM);  // not reaped yet: the number is still its own
}

std::string complaint_in(const std::filesystem::path& log) {
  constexpr std::string_view kMark = "kith: error: ";
  std::ifstream in(log);
  std::string last, error;
  for (std::string line; std::getline(in, line);) {
    if (line.empty()) continue;
    if (line.starts_with(kMark)) error = line.substr(kMark.size());
    last = line;
  }
  return !error.empty() ? error : !last.empty() ? last : "it ended without a word";
}

}  // namespace kith
