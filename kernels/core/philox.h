// Philox4x32-10, the counter-based generator of Salmon et al. 2011 ("Parallel random numbers: as easy as 1, 2, 3").
// A draw is a pure function of (key, counter): the same on every device, for any number of threads.
#pragma once
#include <array>
#include <cstdint>

#if defined(__CUDACC__)
#define KITH_HOST_DEVICE __host__ __device__
#else
#define KITH_HOST_DEVICE
#endif

namespace kith {

struct Philox4 {
  uint32_t v[4];
};

KITH_HOST_DEVICE constexpr Philox4 philox(uint64_t key, Philox4 counter) {
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  Philox4 c = counter;
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * c.v[0], p1 = uint64_t{0xCD9E8D57} * c.v[2];
    c = {{static_cast<uint32_t>(p1 >> 32) ^ c.v[1] ^ k0, static_cast<uint32_t>(p1),
          static_cast<uint32_t>(p0 >> 32) ^ c.v[3] ^ k1, static_cast<uint32_t>(p0)}};
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return c;
}

// A stream of draws for one (seed, epoch, sample, view): counter = (draw block, view, sample low, epoch ^ sample high).
class Random {
 public:
  KITH_HOST_DEVICE constexpr Random(uint64_t seed, uint32_t epoch, uint64_t sample, uint32_t view)
      : key_(seed), counter_{{0, view, static_cast<uint32_t>(sample), epoch ^ static_cast<uint32_t>(sample >> 32)}} {}

  // Uniform on 0 .. 2^32 - 1.
  KITH_HOST_DEVICE constexpr uint32_t bits() {
    if (used_ == 4) {
      block_ = philox(key_, counter_);
      ++counter_.v[0];
      used_ = 0;
    }
    return block_.v[used_++];
  }
  // Uniform on [0, 1): 24 bits, exact in f32.
  KITH_HOST_DEVICE constexpr float uniform() { return static_cast<float>(bits() >> 8) * 0x1p-24f; }
  // Uniform on [0, 1): 53 bits, exact in f64.
  KITH_HOST_DEVICE constexpr double uniform53() {
    const uint64_t high = bits() >> 5, low = bits() >> 6;
    return static_cast<double>((high << 26) | low) * 0x1p-53;
  }
  KITH_HOST_DEVICE constexpr float uniform(float low, float high) { return low + (high - low) * uniform(); }
  // Uniform on 0 .. n - 1, by multiply-high; bias below n / 2^32.
  KITH_HOST_DEVICE constexpr uint32_t below(uint32_t n) {
    return static_cast<uint32_t>((uint64_t{bits()} * n) >> 32);
  }

 private:
  uint64_t key_;
  Philox4 counter_;
  Philox4 block_{};
  int used_ = 4;
};

// Derives an independent seed for a named purpose (stage, initialisation, shuffle), so that streams never share a key.
constexpr uint64_t derive_seed(uint64_t seed, uint64_t purpose) {
  const Philox4 r = philox(seed, {{static_cast<uint32_t>(purpose), static_cast<uint32_t>(purpose >> 32), 0x6b697468, 0}});
  return (uint64_t{r.v[1]} << 32) | r.v[0];
}

}  // namespace kith
