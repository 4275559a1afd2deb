// A small augmentation call on random images, for the tests of the whole entry.
#pragma once
#include "kernels/augment.h"
#include "kernels/cpu/augment_image.h"
#include "tests/support/compare.h"

namespace kith::kernels {

inline std::vector<uint8_t> random_images(int64_t bytes, uint64_t seed) {
  Random random(seed, 0, 0, 0);
  std::vector<uint8_t> v(static_cast<size_t>(bytes));
  for (uint8_t& b : v) b = static_cast<uint8_t>(random.below(256));
  return v;
}

struct Problem {
  std::vector<uint8_t> images;
  std::vector<int64_t> index;
  Augment a{};

  Problem(AugmentPolicy policy, int count, int height, int width, int channels)
      : images(random_images(int64_t{count} * height * width * channels, 7)) {
    for (int i = 0; i < count; ++i) index.push_back(i);
    a.images = images.data();
    a.count = count;
    a.height = a.out_height = height;
    a.width = a.out_width = width;
    a.channels = channels;
    a.policy = policy;
    a.seed = 11;
    a.normalisation = {.mean = {0.4f, 0.5f, 0.6f}, .std = {0.2f, 0.3f, 0.25f}};
  }
  size_t view_size() const { return static_cast<size_t>(a.out_height) * a.out_width * a.channels; }
  std::vector<float> run() {
    a.index = index;
    std::vector<float> out(index.size() * a.views * view_size(), std::numeric_limits<float>::quiet_NaN());
    a.out = out.data();
    augment(a, Queue{});
    return out;
  }
};

// The images of p.index in its order, behind `before` bytes of something else.
inline std::vector<uint8_t> gathered(const Problem& p, size_t before = 0) {
  std::vector<uint8_t> out(before, 0xAB);
  const int64_t size = int64_t{p.a.height} * p.a.width * p.a.channels;
  for (const int64_t i : p.index) out.insert(out.end(), p.images.begin() + i * size, p.images.begin() + (i + 1) * size);
  return out;
}

inline std::vector<float> view(const Problem& p, const std::vector<float>& out, size_t row) {
  return {out.begin() + row * p.view_size(), out.begin() + (row + 1) * p.view_size()};
}

// Two roundings follow v / 255, each of a value of order one; the compiler may fuse one of ours away.
inline constexpr test::Tolerance kNormalise{.abs = 8 * test::kUnit, .rel = 8 * test::kUnit};

inline std::vector<float> normalised(const Problem& p, cpu::Image image) {
  std::vector<float> out;
  for (int i = 0; i < image.pixels(); ++i)
    for (int c = 0; c < image.channels; ++c)
      out.push_back((static_cast<float>(image.plane(c)[i]) / 255.f - p.a.normalisation.mean[c]) /
                    p.a.normalisation.std[c]);
  return out;
}

}  // namespace kith::kernels
