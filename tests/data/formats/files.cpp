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

// Two programs with one --out: the file is that of one of them, and no mixture.
TEST_F(Files, WrittenByTwoAtOnceAreWhole) {
  const std::string contents[] = {std::string(300'000, 'a'), std::string(200'000, 'b')};
  const fs::path path = dir / "file";
  std::string said;
  const auto write = [&](const std::string& content) {
    try {
      for (int i = 0; i < 50; ++i) write_file(path, {as_bytes(content)});
    } catch (const std::exception& e) {
      said = e.what();
    }
  };
  write(contents[0]);
  std::thread first(write, contents[0]), second(write, contents[1]);
  for (int i = 0; i < 100; ++i) {
    const std::string found = text(path);
    EXPECT_TRUE(found == contents[0] || found == contents[1]) << found.size();
  }
  first.join();
  second.join();
  EXPECT_EQ(said, "");
  EXPECT_FALSE(fs::exists(dir / "file.partial"));
}

TEST_F(Files, AFolderIsNoFile) { EXPECT_THROW(write_file(dir, {as_bytes("x")}), std::runtime_error); }

TEST_F(Files, AMessageIsOneLineWhateverAFileIsCalled) {
  try {
    read_file(dir / "a\n\xff\u00e4");
    ADD_FAILURE() << "read";
  } catch (const std::runtime_error& e) {
    EXPECT_NE(std::string(e.what()).find("/a\\x0a\\xff\u00e4: "), std::string::npos) << e.what();
  }
}

TEST_F(Files, KnowWhatWritingWouldTouch) {
  write_file(dir / "a", {as_bytes("x")});
  fs::create_hard_link(dir / "a", dir / "hard");
  fs::create_symlink("a", dir / "soft");
  for (const char* name : {"a", "hard", "soft", "./a"}) EXPECT_TRUE(would_touch(dir / name, dir / "a")) << name;
  EXPECT_FALSE(would_touch(dir / "b", dir / "a"));
}

}  // namespace
}  // namespace kith::data
