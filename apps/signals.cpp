#include "apps/signals.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace kith {
namespace {

std::atomic<int> received{0};  // a handler can reach nothing but a global
static_assert(std::atomic<int>::is_always_lock_free);

void handle(int signal) {
  int none = 0;
  if (!received.compare_exchange_strong(none, signal)) _exit(128 + signal);
  constexpr char kText[] = "\nkith: stopping: saves first; once more ends at once\n";
  [[maybe_unused]] const auto written = write(STDERR_FILENO, kText, sizeof kText - 1);
}

// Images may lie in a mapped file (data/dataset/pixels.h).
void report_lost_file(int) {
  constexpr char kText[] = "\nkith: a data file became shorter while it was used, or its disk failed\n";
  [[maybe_unused]] const auto written = write(STDERR_FILENO, kText, sizeof kText - 1);
  _exit(1);
}

}  // namespace

void catch_stop_signals() {
  struct sigaction action {};
  action.sa_handler = handle;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  struct sigaction hangup {};
  sigaction(SIGHUP, nullptr, &hangup);
  if (hangup.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, nullptr);  // nohup ignores it: the run goes on
}

void catch_lost_files() {
  struct sigaction action {};
  action.sa_handler = report_lost_file;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, nullptr);
}

int stop_signal() { return received.load(); }

}  // namespace kith
