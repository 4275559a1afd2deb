// Damaged files of every format: decoding ends with a picture or with one line, whatever the bytes are. A few thousand here; with
// KITH_FUZZ_SECONDS=600 in the environment, best of a build with sanitizers (make asan), as many as fit into that time, and with
// KITH_FUZZ_SEED=N others.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "data/pictures/decode.h"
#include "data/pictures/resize.h"
#include "tests/support/golden.h"

namespace kith {
namespace {

using File = std::vector<uint8_t>;

int64_t environment(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoll(text, nullptr, 10);
}

// Changes where decoders trip: a few bytes, extremes, what is cut out, repeated, or taken from another file.
class Mutator {
 public:
  explicit Mutator(uint64_t seed) : random_(seed) {}

  File change(File file, std::span<const uint8_t> other) {
    for (size_t changes = 1 + below(4); changes > 0 && !file.empty(); --changes) one(file, other);
    return file;
  }
  size_t below(size_t n) { return random_() % n; }

 private:
  // Half of the places lie in the first bytes, where the headers are.
  size_t place(const File& file) { return below(below(2) == 0 ? std::min<size_t>(file.size(), 64) : file.size()); }
  auto at(File& file) { return file.begin() + static_cast<std::ptrdiff_t>(place(file)); }

  void one(File& file, std::span<const uint8_t> other) {
    constexpr uint8_t kExtremes[] = {0, 1, 0x7f, 0x80, 0xfe, 0xff};
    const size_t length = 1 + below(below(2) == 0 ? 4 : 64);
    switch (below(6)) {
      case 0:
        *at(file) ^= static_cast<uint8_t>(1u << below(8));
        return;
      case 1:
        *at(file) = static_cast<uint8_t>(random_());
        return;
      case 2:
        for (auto to = at(file); to != file.end() && to < file.begin() + static_cast<std::ptrdiff_t>(length); ++to)
          *to = kExtremes[below(std::size(kExtremes))];
        return;
      case 3:
        file.resize(place(file));
        return;
      case 4: {
        const auto first = at(file);
        file.erase(first, first + std::min<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(length), file.end() - first));
        return;
      }
      default: {
        const size_t from = below(other.size()), count = std::min(length, other.size() - from);
        file.insert(at(file), other.begin() + static_cast<std::ptrdiff_t>(from),
                    other.begin() + static_cast<std::ptrdiff_t>(from + count));
      }
    }
  }

  std::mt19937_64 random_;
};

// True if it is a picture still.
bool decode_and_resize(const File& file, int least) {
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
  const int64_t seconds = environment("KITH_FUZZ_SECONDS", 0);
  Mutator mutator(static_cast<uint64_t>(environment("KITH_FUZZ_SEED", 1)));
  const SafeTensors goldens = test::golden("pictures");
  std::vector<std::span<const uint8_t>> files;
  for (const auto& [name, array] : goldens.arrays)
    if (name.starts_with("file.")) files.push_back(test::values<uint8_t>(goldens, name));
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  int64_t rounds = 0, pictures = 0;
  for (; seconds > 0 ? std::chrono::steady_clock::now() < end : rounds < 50; ++rounds)
    for (const std::span<const uint8_t> file : files) {
      const File changed = mutator.change({file.begin(), file.end()}, files[mutator.below(files.size())]);
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
