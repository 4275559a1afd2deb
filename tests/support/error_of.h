// What an expression fails with.
#pragma once
#include <exception>
#include <string>

namespace kith::test {

// The text of the exception that f throws; empty where it throws none.
template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const std::exception& e) {
    return e.what();
  }
  return {};
}

}  // namespace kith::test
