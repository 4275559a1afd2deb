#include "apps/signals.h"

#include <signal.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <string_view>
#include <vector>

namespace kith {
namespace {

std::atomic<int> received{0};  // a handler can reach nothing but a global
std::atomic<bool> quiet{false}, on_terminal{false}, second_is_kept{false}, second{false};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

// A line that begins with its end, for a terminal, where ^C or a bar stands before it.
template <size_t kSize>
void say_in_handler(const char (&text)[kSize]) {
  const size_t skipped = on_terminal ? 0 : 1;
  [[maybe_unused]] const auto written = write(STDERR_FILENO, text + skipped, kSize - 1 - skipped);
}

// Processes of the ranks; set before the handler is.
std::vector<pid_t>& ranks() {
  static std::vector<pid_t> processes;
  return processes;
}

// The first rank on this machine that is there no more; -1: none.
int ended_rank() {
  const int before = errno;
  int found = -1;
  for (size_t r = 0; found < 0 && r < ranks().size(); ++r)
    if (ranks()[r] > 0 && kill(ranks()[r], 0) != 0 && errno == ESRCH) found = static_cast<int>(r);
  errno = before;
  return found;
}

// A line for one write, made of nothing that a handler may not call.
class Line {
 public:
  Line& add(std::string_view part) {
    for (const char c : part)
      if (size_ < sizeof text_) text_[size_++] = c;
    return *this;
  }
  Line& add(int number) {  // not negative
    if (number > 9) add(number / 10);
    const char digit = static_cast<char>('0' + number % 10);
    return add({&digit, 1});
  }
  void say() const { [[maybe_unused]] const auto written = write(STDERR_FILENO, text_, size_); }

 private:
  char text_[160];
  size_t size_ = 0;
};

void handle(int signal) {
  int none = 0;
  if (!received.compare_exchange_strong(none, signal)) {
    if (!second_is_kept || second.exchange(true)) _exit(128 + signal);
    return;
  }
  if (quiet || signal == SIGUSR1) return;  // SIGUSR1 is sent by programs
  if (const int rank = signal == SIGTERM ? ended_rank() : -1; rank >= 0)
    return Line()
        .add(on_terminal ? "\n" : "")
        .add("kith: rank ")
        .add(rank)
        .add(
            " has ended, and the launcher stops the others; what was saved last stands, and the same command "
            "continues\n")
        .say();
  say_in_handler("\nkith: stopping: saves first; once more ends at once\n");
}

// Images may lie in a mapped file (data/dataset/pixels.h).
void report_lost_file(int) {
  say_in_handler("\nkith: a data file became shorter while it was used, or its disk failed\n");
  _exit(1);
}

// What a handler of the calling thread, the main one, runs on: signals for the process go there. Not its own stack, because some
// generated code of oneDNN has the stack pointer elsewhere, and what the kernel puts below it would overwrite the heap.
void take_alternate_stack() {
  constexpr size_t kEnough =
      size_t{64} << 10;  // the kernel's frame holds all vector and matrix registers: 11 KiB with AMX
  static std::vector<std::byte> memory(std::max<size_t>(kEnough, 4 * getauxval(AT_MINSIGSTKSZ)));
  stack_t stack{};
  stack.ss_sp = memory.data();
  stack.ss_size = memory.size();
  sigaltstack(&stack, nullptr);
}

void handle_stop_signals() {
  on_terminal = isatty(STDERR_FILENO) != 0;
  take_alternate_stack();
  struct sigaction action {};
  action.sa_handler = handle;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART | SA_ONSTACK;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGUSR1, &action, nullptr);
  struct sigaction hangup {};
  sigaction(SIGHUP, nullptr, &hangup);
  if (hangup.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, nullptr);  // nohup ignores it: the run goes on
}

}  // namespace

void catch_stop_signals() { catch_stop_signals({}); }

void catch_stop_signals(std::span<const pid_t> processes) {
  ranks().assign(processes.begin(), processes.end());
  quiet = false;
  handle_stop_signals();
}

void catch_stop_signals_quietly() {
  quiet = true;
  handle_stop_signals();
}

void keep_second_signal() { second_is_kept = true; }

bool second_signal() { return second; }

void catch_lost_files() {
  on_terminal = isatty(STDERR_FILENO) != 0;
  struct sigaction action {};
  action.sa_handler = report_lost_file;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_ONSTACK;  // where the thread has one
  sigaction(SIGBUS, &action, nullptr);
  signal(SIGXFSZ, SIG_IGN);
}

int stop_signal() { return received.load(); }

bool stop_announced() { return !quiet && received != 0 && received != SIGUSR1; }

}  // namespace kith
