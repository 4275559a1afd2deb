// Runs of the built program where the disk is full or files may not grow: what stood before still stands.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/apps/run_fixture.h"
#include "tests/support/small_files.h"

namespace kith::test {
namespace {

TEST_F(Runs, AFullDiskLeavesTheConfiguration) {
  ASSERT_EQ(kith(command("pretext", "a")).status, 0);
  const std::string before = text_of(root_ / "a" / "config.toml");
  fs::create_symlink("/dev/full", root_ / "a" / "config.toml.partial");
  const Outcome o = run("a", {"--quiet"});
  EXPECT_EQ(o.status, 1);
  ASSERT_FALSE(fs::is_symlink(root_ / "a" / "config.toml"));  // /dev/full would be read without end
  EXPECT_EQ(o.err,
            "kith: error: " + (root_ / "a" / "config.toml").string() + ": cannot write: No space left on device\n");
  EXPECT_EQ(text_of(root_ / "a" / "config.toml"), before);
}

// The first file of a new run is its configuration: what a full disk leaves without one would be anyone's.
TEST_F(Runs, AFullDiskAtTheBeginningLeavesAFolderThatCanBeUsed) {
  const fs::path a = root_ / "a";
  fs::create_directory(a);
  fs::create_symlink("/dev/full", a / "config.toml.partial");
  const Outcome o = run("a", {"--quiet", "--set", "checkpoint_seconds=3600"});
  EXPECT_EQ(o.status, 1);
  EXPECT_EQ(o.err, "kith: error: " + (a / "config.toml").string() + ": cannot write: No space left on device\n");
  ASSERT_FALSE(fs::is_symlink(a / "config.toml"));
  EXPECT_FALSE(fs::exists(a / "timing.json"));
  EXPECT_EQ(run("a", {"--quiet", "--set", "checkpoint_seconds=3600"}).status, 0);
}

TEST_F(Runs, ALimitOfTheSizeOfFilesIsOneLine) {
  ASSERT_EQ(run("whole").status, 0);
  for (const rlim_t bytes : {rlim_t{0}, rlim_t{64 << 10}}) {
    const SmallFiles limit(bytes);  // standard error is a file, too
    const Outcome o = run("small", {"--quiet"});
    EXPECT_EQ(o.status, 1) << o.err;
    if (bytes == 0) continue;
    EXPECT_TRUE(o.err.ends_with(": cannot write: File too large\n")) << o.err;
    EXPECT_EQ(std::ranges::count(o.err, '\n'), 1) << o.err;
  }
  ASSERT_EQ(run("small").status, 0);
  EXPECT_EQ(log_of(root_ / "whole"), log_of(root_ / "small"));
  EXPECT_EQ(text_of(root_ / "whole" / "probabilities.npy"), text_of(root_ / "small" / "probabilities.npy"));
}

}  // namespace
}  // namespace kith::test
