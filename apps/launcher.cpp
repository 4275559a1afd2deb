#include "apps/launcher.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "apps/signals.h"
#include "kernels/core/check.h"

namespace kith {
namespace {

constexpr const char* kVariable = "KITH_RANKS";  // of processes that were started: where say_...() is heard
constexpr char kListen = 'l', kSpoken = 's', kNothing = 0;

sockaddr_un address_of(const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;  // sun_path[0] is 0: a name of the kernel's, no file
  name.copy(address.sun_path + 1, sizeof(address.sun_path) - 1);
  return address;
}
socklen_t size_of(const std::string& name) {
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
}

// Where the first rank says what it has come to.
class Ear {
 public:
  Ear() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socklen_t size = sizeof(address.sun_family);  // no name: the kernel chooses one that is free
    const bool bound = socket_ >= 0 && ::bind(socket_, reinterpret_cast<sockaddr*>(&address), size) == 0;
    size = sizeof(address);
    if (!bound || ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw Error(fmt::format("--ranks: no socket to hear from ranks: {}", std::strerror(errno)));
    name_.assign(address.sun_path + 1, size - offsetof(sockaddr_un, sun_path) - 1);
  }
  ~Ear() { ::close(socket_); }
  Ear(const Ear&) = delete;
  Ear& operator=(const Ear&) = delete;
  const std::string& name() const { return name_; }
  char heard() const {
    char byte = kNothing;
    return ::recv(socket_, &byte, 1, 0) == 1 ? byte : kNothing;
  }

 private:
  int socket_;
  std::string name_;
};

// Signals wait from before the fork until the child, like any program before its start, is ended by them.
pid_t start(const std::vector<std::string>& words) {
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  sigset_t all, before;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &before);
  const pid_t parent = ::getpid(), child = ::fork();
  if (child == 0) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    for (const int signal : {SIGINT, SIGTERM, SIGUSR1, SIGHUP}) {
      struct sigaction action {};
      ::sigaction(signal, nullptr, &action);
      if (action.sa_handler != SIG_IGN) ::signal(signal, SIG_DFL);
    }
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    if (::getppid() != parent) ::_exit(143);
    ::execvp(argv.front(), argv.data());
    ::_exit(127);
  }
  const int error = errno;
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  if (child < 0) throw Error(fmt::format("{}: cannot be started: {}", words.front(), std::strerror(error)));
  return child;
}

// Processes of which that one is the parent, by the fourth word of their line: the second, in brackets, may have any.
std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> found;
  std::error_code ignored;  // a process may end meanwhile
  for (std::filesystem::directory_iterator it("/proc", ignored), end; it != end; it.increment(ignored)) {
    const std::string name = it->path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream file(it->path() / "stat");
    const std::string line{std::istreambuf_iterator<char>(file), {}};
    const size_t bracket = line.rfind(") ");
    if (bracket == std::string::npos) continue;
    const std::string rest = line.substr(bracket + 3);  // after the letter of its state
    if (std::strtol(rest.c_str(), nullptr, 10) == parent) found.push_back(std::stoi(name));
  }
  return found;
}

// Orphans of the launcher became this process's children; theirs do when they end.
void end_what_is_left() {
  while (true) {
    while (::waitpid(-1, nullptr, WNOHANG) > 0) continue;
    const std::vector<pid_t> left = children_of(::getpid());
    if (left.empty()) return;
    for (const pid_t process : left) ::kill(process, SIGKILL);
    while (::waitpid(-1, nullptr, 0) < 0 && errno == EINTR) continue;
  }
}

void kill_below(pid_t process) {
  for (const pid_t child : children_of(process)) {
    kill_below(child);
    ::kill(child, SIGKILL);
  }
}

// The ranks first: a launcher that is asked to end leaves them a second or two, and one that is killed leaves its files.
void end_at_once(pid_t launcher, std::chrono::milliseconds patience) {
  kill_below(launcher);
  ::kill(launcher, SIGTERM);
  const auto until = std::chrono::steady_clock::now() + patience;
  while (::waitpid(launcher, nullptr, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > until) ::kill(launcher, SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  end_what_is_left();
}

// What a launcher is told once this process is to stop.
class Stop {
 public:
  Stop(pid_t launcher, LauncherPatience patience) : launcher_(launcher), patience_(patience) {}
  bool told() const { return sent_ != 0; }
  bool gave_up() const { return told() && sent_ != SIGUSR1; }

  void go_on(bool listening) {
    const Clock::time_point now = Clock::now();
    if (since_ == Clock::time_point{}) since_ = now;
    const Clock::duration waited = now - since_;
    if (sent_ == 0 && listening) return send(SIGUSR1);
    if (sent_ == 0 && waited > patience_.listen) return send(SIGTERM);
    if (sent_ == SIGTERM && waited > patience_.listen + patience_.end) send(SIGKILL);
  }

 private:
  using Clock = std::chrono::steady_clock;
  void send(int signal) {
    ::kill(launcher_, signal);
    sent_ = signal;
  }

  pid_t launcher_;
  LauncherPatience patience_;
  Clock::time_point since_{};  // when go_on was first called
  int sent_ = 0;
};

// mpirun itself is quiet, and so is a rank that had no time to speak.
void expect_no_rank_killed(int status) {
  for (const int signal : {SIGKILL, SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE})
    if (status == 128 + signal)
      throw Error(
          fmt::format("a rank was ended by signal {} ({}), and with it the others; what was saved last "
                      "stands, and the same command goes on from there",
                      signal, ::strsignal(signal)));
}

void say_to_launcher(char word) {
  const char* name = std::getenv(kVariable);
  const int socket = name == nullptr ? -1 : ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return;
  const sockaddr_un address = address_of(name);
  // Where nobody hears it, the launcher was started by hand in this environment.
  ::sendto(socket, &word, 1, MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&address), size_of(name));
  ::close(socket);
}

}  // namespace

LauncherEnd run_launcher(const std::vector<std::string>& words, LauncherPatience patience) {
  const Ear ear;
  ::setenv(kVariable, ear.name().c_str(), 1);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  catch_stop_signals_quietly();  // until ranks listen there is nothing to be saved
  keep_second_signal();
  const pid_t child = start(words);
  Stop stop(child, patience);
  int status = 0;
  bool listening = false, spoken = false;
  const auto hear = [&] {
    for (char word = ear.heard(); word != kNothing; word = ear.heard()) {
      spoken = spoken || word == kSpoken;
      if (listening || word != kListen) continue;
      listening = true;
      catch_stop_signals();
    }
  };
  while (::waitpid(child, &status, WNOHANG) == 0) {
    if (second_signal()) {
      end_at_once(child, patience.tidy);
      return {.status = 128 + stop_signal()};
    }
    const bool wanted = stop_signal() != 0;  // before the ear: ranks that spoke first are heard first
    hear();
    if (wanted) stop.go_on(listening);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  end_what_is_left();
  hear();
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) throw Error(words.front() + ": cannot be started");
  const bool done = WIFEXITED(status) && WEXITSTATUS(status) == 0;  // before any rank could stop
  if (stop.told() && !done) return {.status = 128 + stop_signal(), .given_up = stop.gave_up() && !spoken};
  const int ended = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  expect_no_rank_killed(ended);
  return {.status = ended};
}

bool started_by_kith() { return std::getenv(kVariable) != nullptr; }

void say_ranks_listen() { say_to_launcher(kListen); }
void say_ranks_stopped() { say_to_launcher(kSpoken); }

}  // namespace kith
