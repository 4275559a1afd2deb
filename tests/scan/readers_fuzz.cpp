// Damaged files of every format that is read but pictures (tests/data/pictures/fuzz.cpp): reading ends with what is in the file or
// with one line, whatever the bytes are. KITH_FUZZ_SECONDS and KITH_FUZZ_SEED as there.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <stdexcept>

#include "tests/scan/readers.h"

namespace kith::test {
namespace {

namespace fs = std::filesystem;

class ReadersFuzz : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "kith_readers_fuzz";
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path folder_;
};

TEST_F(ReadersFuzz, DamagedFilesEndWithTheirContentOrALine) {
  const int64_t seconds = environment("KITH_FUZZ_SECONDS", 0);
  Mutator mutator(static_cast<uint64_t>(environment("KITH_FUZZ_SEED", 1)));
  const std::vector<Reader> all = readers(folder_);
  std::map<std::string, int64_t> read;  // files that could still be read
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  int64_t rounds = 0;
  for (; seconds > 0 ? std::chrono::steady_clock::now() < end : rounds < 150; ++rounds)
    for (const Reader& reader : all) {
      const File changed = mutator.change(reader.valid, all[mutator.below(all.size())].valid);
      const fs::path path = folder_ / reader.name;
      std::ofstream(path, std::ios::binary)
          .write(reinterpret_cast<const char*>(changed.data()), static_cast<std::streamsize>(changed.size()));
      try {
        reader.read(path);
        ++read[reader.name];
      } catch (const std::runtime_error& e) {
        const std::string line = e.what();
        EXPECT_FALSE(line.empty()) << reader.name;
        EXPECT_EQ(line.find('\n'), std::string::npos) << reader.name << ": " << line;
      } catch (const std::exception& e) {
        ADD_FAILURE() << reader.name << ": " << e.what() << " (kept as " << folder_ / ("failed." + reader.name) << ")";
        fs::copy_file(path, folder_ / ("failed." + reader.name), fs::copy_options::overwrite_existing);
      }
      fs::remove(path);
    }
  if (seconds > 0)
    for (const auto& [name, count] : read)
      std::printf("%s: %lld damaged files, %lld of them read\n", name.c_str(), static_cast<long long>(rounds),
                  static_cast<long long>(count));
}

}  // namespace
}  // namespace kith::test
