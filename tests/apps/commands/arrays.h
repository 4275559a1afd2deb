// Arrays in a folder of their own, and what the commands on them print.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "apps/commands/arrays.h"
#include "data/formats/npy.h"

namespace kith::test {

using std::filesystem::path;

class Arrays : public testing::Test {
 protected:
  Arrays() { std::filesystem::create_directories(dir); }
  ~Arrays() override { std::filesystem::remove_all(dir); }

  template <class T>
  path write(const std::string& name, const std::vector<T>& values, const std::vector<int64_t>& shape) {
    data::write_npy<T>(dir / name, values, shape);
    return dir / name;
  }

  static std::string message(const std::function<void()>& f) {
    try {
      f();
      return "";
    } catch (const std::exception& e) {
      return e.what();
    }
  }

  static std::string printed(const std::function<int()>& f) {
    testing::internal::CaptureStdout();
    const int status = f();
    std::string out = testing::internal::GetCapturedStdout();
    EXPECT_EQ(status, 0);
    return out;
  }

  Context ctx;
  const path dir = path(testing::TempDir()) / ("kith_arrays_" + std::to_string(getpid()));
};

}  // namespace kith::test
