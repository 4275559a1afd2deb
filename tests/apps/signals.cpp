#include "apps/signals.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "data/dataset/pixels.h"
#include "data/formats/files.h"

namespace kith {
namespace {

TEST(Signals, AMappedFileThatBecomesShorterIsSaidInOneLine) {
  const std::filesystem::path path = std::filesystem::path(testing::TempDir()) / "kith_shorter";
  data::write_file(path, {std::vector<uint8_t>(1 << 16, 7)});
  EXPECT_EXIT(
      {
        catch_lost_files();
        const data::Pixels pixels = data::Pixels::mapped(path, 0, 1 << 16);
        std::filesystem::resize_file(path, 0);
        const volatile uint8_t* const last = pixels.end() - 1;
        static_cast<void>(*last);
      },
      testing::ExitedWithCode(1), "^kith: a data file became shorter while it was used, or its disk failed\n$");
  std::filesystem::remove(path);
}

// A handler on the stack of what it interrupts overwrites the heap where generated code has the stack pointer elsewhere.
TEST(Signals, AreHandledOnAStackOfTheirOwn) {
  EXPECT_EXIT(
      {
        catch_stop_signals();
        catch_lost_files();
        stack_t stack{};
        sigaltstack(nullptr, &stack);
        bool apart = (stack.ss_flags & SS_DISABLE) == 0 && stack.ss_size >= (64u << 10);
        for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGBUS}) {
          struct sigaction action {};
          sigaction(signal, nullptr, &action);
          apart = apart && (action.sa_handler == SIG_IGN || (action.sa_flags & SA_ONSTACK) != 0);
        }
        std::_Exit(apart ? 7 : 8);
      },
      testing::ExitedWithCode(7), "");
}

// This process is stopped as one of these ranks, of which one, if it is wanted, has ended.
[[noreturn]] void stop_as_rank(bool one_ended) {
  std::vector<pid_t> ranks = {getpid(), 0};
  if (one_ended) {
    ranks.push_back(fork());
    if (ranks.back() == 0) std::_Exit(0);
    waitpid(ranks.back(), nullptr, 0);
  }
  catch_stop_signals(ranks);
  raise(SIGTERM);
  std::_Exit(stop_announced() ? 7 : 8);
}

// Of ranks whose launcher stops them because of it nothing can be saved.
TEST(Signals, ARankThatHasEndedIsNamed) {
  EXPECT_EXIT(stop_as_rank(true), testing::ExitedWithCode(7),
              "^kith: rank 2 has ended, and the launcher stops the others; what was saved last stands, and the same "
              "command continues\n$");
  EXPECT_EXIT(stop_as_rank(false), testing::ExitedWithCode(7),
              "^kith: stopping: saves first; once more ends at once\n$");
}

}  // namespace
}  // namespace kith
