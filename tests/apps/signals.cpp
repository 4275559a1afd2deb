#include "apps/signals.h"

#include <gtest/gtest.h>

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
      testing::ExitedWithCode(1), "^\nkith: a data file became shorter while it was used, or its disk failed\n$");
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace kith
