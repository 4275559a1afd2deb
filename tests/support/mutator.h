// Damaged files: what the tests of readers make of valid ones.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <span>
#include <vector>

namespace kith::test {

using File = std::vector<uint8_t>;

// KITH_FUZZ_SECONDS and KITH_FUZZ_SEED, whole numbers.
inline int64_t environment(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoll(text, nullptr, 10);
}

// Changes where readers trip: a few bytes, extremes, what is cut out, repeated, or taken from another file.
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

}  // namespace kith::test
