// For tests of the runner: what must end in a Fault.
#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "tests/simt/runner/runtime.h"

namespace kith::simt_test {

// The message of the Fault that f must throw; empty when it throws none.
inline std::string fault_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const simt::Fault& e) {
    return e.what();
  }
  return "";
}
#define EXPECT_FAULT(call, text)                                                              \
  do {                                                                                        \
    const std::string message = fault_of([&] { call; });                                      \
    EXPECT_NE(message.find(text), std::string::npos) << "the fault was: '" << message << "'"; \
  } while (false)

}  // namespace kith::simt_test
