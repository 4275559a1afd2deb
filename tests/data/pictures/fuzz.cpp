// Damaged files of every format: decoding ends with a picture or with one line, whatever the bytes are. A few thousand here; with
// KITH_FUZZ_SECONDS=600 in the environment, best of a build with sanitizers (make asan), as many as fit into that time, and with
// KITH_FUZZ_SEED=N others.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "data/pictures/decode.h"
#include "data/pictures/resize.h"
#include "tests/support/golden.h"
#include "tests/support/mutator.h"

namespace kith {
namespace {

// True if it is a picture still.
bool decode_and_resize(const test::File& file, int least) {
  std::vector<uint8_t> square(12 * 12 * 3);
  try {
    data::Turn turn;
    const data::Raster raster = data::decode(file, {.least = least, .tga = true}, turn);
    if (raster.pixels.size() != static_cast<size_t>(raster.height) * static_cast<size_t>(raster.width) * 3)
      throw std::logic_error("pixels of another extent");
    data::resize_square(raster, 12, square);
    return true;
  } catch (const std::runtime_error& e) {
    const std::string line = e.what();
    EXPECT_FALSE(line.empty());
    EXPECT_EQ(line.find('\n'), std::string::npos) << line;
    return false;
  }
}

TEST(PicturesFuzz, DamagedFilesEndWithAPictureOrALine) {
  const int64_t seconds = test::environment("KITH_FUZZ_SECONDS", 0);
  test::Mutator mutator(static_cast<uint64_t>(test::environment("KITH_FUZZ_SEED", 1)));
  const SafeTensors goldens = test::golden("pictures");
  std::vector<std::span<const uint8_t>> files;
  for (const auto& [name, array] : goldens.arrays)
    if (name.starts_with("file.")) files.push_back(test::values<uint8_t>(goldens, name));
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  int64_t rounds = 0, pictures = 0;
  for (; seconds > 0 ? std::chrono::steady_clock::now() < end : rounds < 50; ++rounds)
    for (const std::span<const uint8_t> file : files) {
      const test::File changed = mutator.change({file.begin(), file.end()}, files[mutator.below(files.size())]);
      pictures += decode_and_resize(changed, mutator.below(2) == 0 ? 0 : 24);
    }
  const int64_t all = rounds * static_cast<int64_t>(files.size());
  EXPECT_GT(pictures, 0);
  EXPECT_LT(pictures, all);
  if (seconds > 0)
    std::printf("%lld damaged files, %lld of them pictures\n", static_cast<long long>(all),
                static_cast<long long>(pictures));
}

}  // namespace
}  // namespace kith
