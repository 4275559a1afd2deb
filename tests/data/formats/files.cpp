#include "data/formats/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <thread>

namespace kith::data {
namespace {

namespace fs = std::filesystem;

class Files : public testing::Test {
 protected:
  Files() { fs::create_directories(dir); }
  ~Files() override { fs::remove_all(dir); }
  static std::string text(const fs::path& path) {
    const std::vector<uint8_t> bytes = read_file(path);
    return {bytes.begin(), bytes.end()};
  }
  const fs::path dir = fs::path(testing::TempDir()) / ("kith_files_" + std::to_string(getpid()));
};

TEST_F(Files, ALinkStaysOneAndItsFileIsWritten) {
  write_file(dir / "file", {as_bytes("old")});
  fs::create_symlink("file", dir / "link");
  write_file(dir / "link", {as_bytes("new")});
  EXPECT_TRUE(fs::is_symlink(dir / "link"));
  EXPECT_EQ(text(dir / "file"), "new");
  fs::create_symlink("absent", dir / "dangling");
  write_file(dir / "dangling", {as_bytes("made")});
  EXPECT_EQ(text(dir / "absent"), "made");
}

// What stands for a device must not become a file.
TEST_F(Files, APipeIsWrittenInto) {
  const fs::path pipe = dir / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  std::string read;
  std::thread reader([&] {
    std::ifstream in(pipe);
    std::getline(in, read);
  });
  write_file(pipe, {as_bytes("through"), as_bytes("\n")});
  reader.join();
  EXPECT_EQ(read, "through");
  EXPECT_TRUE(fs::is_fifo(pipe));
}

TEST_F(Files, AFolderIsNoFile) { EXPECT_THROW(write_file(dir, {as_bytes("x")}), std::runtime_error); }

TEST_F(Files, KnowWhatWritingWouldTouch) {
  write_file(dir / "a", {as_bytes("x")});
  fs::create_hard_link(dir / "a", dir / "hard");
  fs::create_symlink("a", dir / "soft");
  for (const char* name : {"a", "hard", "soft", "./a"}) EXPECT_TRUE(would_touch(dir / name, dir / "a")) << name;
  EXPECT_FALSE(would_touch(dir / "b", dir / "a"));
}

}  // namespace
}  // namespace kith::data
