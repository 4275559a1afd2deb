#include "apps/signals.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <filesystem>

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

}  // namespace
}  // namespace kith
