// The whole entry: invariance, cutout, errors. Order of operations in augment_pipeline.cpp, single operations in
// augment_ops.cpp, draws in augment_params.cpp.

#include <omp.h>

#include <algorithm>
#include <bit>
#include <set>

#include "kernels/core/check.h"
#include "tests/kernels/augment_problem.h"

namespace kith::kernels {
namespace {

constexpr AugmentPolicy kPolicies[] = {AugmentPolicy::none, AugmentPolicy::simclr, AugmentPolicy::strong};

TEST(Augment, NoneIsTheNormalisedCentreCrop) {
  // torchvision's centre crop: margins 1, 2, 3, 5 begin at 0, 1, 2, 2.
  for (const auto& [margin, offset] : {std::pair{0, 0}, {1, 0}, {2, 1}, {3, 2}, {5, 2}})
    for (const int channels : {1, 3}) {
      Problem p(AugmentPolicy::none, 3, 9, 8, channels);
      p.index = {2, 0};
      p.a.out_height = 9 - margin;
      p.a.out_width = 8 - margin;
      const std::vector<float> got = p.run();
      std::vector<float> want;
      for (const int64_t s : p.index)
        for (int y = 0; y < p.a.out_height; ++y)
          for (int x = 0; x < p.a.out_width; ++x)
            for (int c = 0; c < channels; ++c) {
              const uint8_t v = p.images[((s * 9 + y + offset) * 8 + x + offset) * channels + c];
              want.push_back((static_cast<float>(v) / 255.f - p.a.normalisation.mean[c]) / p.a.normalisation.std[c]);
            }
      EXPECT_TRUE(test::close(got, want, kNormalise));
    }
}

TEST(Augment, ViewDependsOnSeedEpochSampleAndViewAlone) {
  for (const AugmentPolicy policy : kPolicies)
    for (const int channels : {1, 3}) {
      Problem all(policy, 40, 11, 14, channels);
      all.a.views = 3;
      all.a.simclr.blur = 0.3f;
      omp_set_num_threads(1);
      const std::vector<float> want = all.run();
      for (const int threads : {1, 2, 4}) {
        omp_set_num_threads(threads);
        Problem some = all;
        some.a.images = some.images.data();
        EXPECT_EQ(some.run(), want);
        some.index = {39, 5, 5, 17};
        some.a.views = 2;
        some.a.first_view = 1;
        const std::vector<float> got = some.run();
        for (size_t i = 0; i < some.index.size(); ++i)
          for (size_t v = 0; v < 2; ++v)
            EXPECT_EQ(view(some, got, 2 * i + v), view(all, want, some.index[i] * 3 + 1 + v));
      }
    }
}

// Images that are brought in the order of the index, as those of a data set that is streamed, give the same views.
TEST(Augment, GatheredImagesGiveTheSameViews) {
  for (const AugmentPolicy policy : kPolicies) {
    Problem p(policy, 9, 11, 14, 3);
    p.index = {8, 2, 2, 5};
    p.a.views = 2;
    const std::vector<float> want = p.run();
    const std::vector<uint8_t> images = gathered(p), later = gathered(p, 77);
    const LiveStep live{.lr = 0, .epoch = p.a.epoch, .step = 1, .images = 77};
    p.a.images = images.data();
    p.a.source = AugmentSource::gathered;
    EXPECT_EQ(p.run(), want);
    p.a.images = later.data();
    p.a.live = &live;
    EXPECT_EQ(p.run(), want);
    p.index[1] = 9;
    EXPECT_THROW(p.run(), Error);
  }
}

// A stored run repeats on another day, machine and compiler only if these never change. The blur is left out: its f32 exponentials
// are the library's.
TEST(Augment, BitsOfAViewAreFixed) {
  for (const auto& [policy, want] : {std::pair{AugmentPolicy::simclr, uint64_t{7166956764449553223}},
                                     {AugmentPolicy::strong, uint64_t{8654670274866508155}}}) {
    Problem p(policy, 50, 17, 20, 3);
    p.a.views = 2;
    uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
    for (const float v : p.run()) hash = (hash ^ std::bit_cast<uint32_t>(v)) * 0x100000001b3;
    EXPECT_EQ(hash, want);
  }
}

TEST(Augment, SeedsEpochsViewsAndSamplesDiffer) {
  for (const AugmentPolicy policy : {AugmentPolicy::simclr, AugmentPolicy::strong}) {
    Problem p(policy, 8, 16, 16, 3);
    for (int i = 1; i < 8; ++i) std::copy_n(p.images.begin(), p.view_size(), p.images.begin() + i * p.view_size());
    p.a.views = 4;
    std::set<std::vector<float>> seen;
    for (const uint64_t seed : {11u, 12u})
      for (const uint32_t epoch : {0u, 1u}) {
        p.a.seed = seed;
        p.a.epoch = epoch;
        const std::vector<float> out = p.run();
        for (size_t r = 0; r < 32; ++r) seen.insert(view(p, out, r));
      }
    EXPECT_EQ(seen.size(), 128u);
  }
}

TEST(Augment, EveryPixelIsWrittenAndInRange) {
  for (const AugmentPolicy policy : kPolicies)
    for (const int channels : {1, 3})
      for (const auto& [height, width] : {std::pair{1, 1}, {1, 9}, {7, 2}, {33, 31}}) {
        Problem p(policy, 20, height, width, channels);
        p.a.simclr.blur = 0.5f;
        p.a.views = 5;
        if (policy == AugmentPolicy::simclr) p.a.out_height = 5, p.a.out_width = 12;
        const std::vector<float> out = p.run();
        for (size_t i = 0; i < out.size(); ++i) {
          const size_t c = i % channels;
          const float low = -p.a.normalisation.mean[c] / p.a.normalisation.std[c];
          const float high = (1 - p.a.normalisation.mean[c]) / p.a.normalisation.std[c];
          ASSERT_TRUE(out[i] >= low - 1e-6f && out[i] <= high + 1e-6f) << out[i];
        }
      }
}

TEST(Augment, IdentitySettingsLeaveTheImage) {
  for (const int channels : {1, 3}) {
    Problem plain(AugmentPolicy::none, 4, 13, 10, channels);
    const std::vector<float> want = plain.run();
    Problem simclr(AugmentPolicy::simclr, 4, 13, 10, channels);
    simclr.a.simclr = {.scale_min = 1,
                       .scale_max = 1,
                       .ratio_min = 10.f / 13,
                       .ratio_max = 10.f / 13,
                       .flip = 0,
                       .jitter = 1,
                       .brightness = 0,
                       .contrast = 0,
                       .saturation = 0,
                       .hue = 0,
                       .grayscale = 0};
    EXPECT_EQ(simclr.run(), want);
    Problem strong(AugmentPolicy::strong, 4, 13, 10, channels);
    strong.a.strong = {.flip = 0, .operations = 0, .cutout = 0};
    EXPECT_EQ(strong.run(), want);
  }
}

TEST(Augment, CutoutIsOneClippedSquareOfZeros) {
  Problem p(AugmentPolicy::strong, 200, 12, 9, 1);
  p.a.strong = {.flip = 0, .operations = 0, .cutout = 5};
  p.a.normalisation = {.mean = {-1, 0, 0}, .std = {1, 1, 1}};  // no pixel normalises to zero
  const std::vector<float> out = p.run();
  int full = 0;
  for (size_t r = 0; r < 200; ++r) {
    int y0 = 12, y1 = -1, x0 = 9, x1 = -1, zeros = 0;
    for (int y = 0; y < 12; ++y)
      for (int x = 0; x < 9; ++x)
        if (out[r * 108 + y * 9 + x] == 0) {
          y0 = std::min(y0, y), y1 = std::max(y1, y), x0 = std::min(x0, x), x1 = std::max(x1, x);
          ++zeros;
        }
    const int h = y1 - y0 + 1, w = x1 - x0 + 1;
    ASSERT_TRUE(zeros >= 1 && zeros == h * w && h <= 5 && w <= 5);
    ASSERT_TRUE(h == w || y0 == 0 || x0 == 0 || y1 == 11 || x1 == 8);
    full += h == 5 && w == 5;
  }
  EXPECT_GT(full, 0);
}

TEST(Augment, NothingToDo) {
  for (const AugmentPolicy policy : kPolicies) {
    Problem p(policy, 2, 8, 8, 3);
    p.index.clear();
    EXPECT_TRUE(p.run().empty());
  }
}

template <class F>
void expect_error(AugmentPolicy policy, F&& spoil, const std::string& part) {
  Problem p(policy, 2, 8, 8, 3);
  spoil(p);
  try {
    p.run();
    ADD_FAILURE() << "no error, expected one about " << part;
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
  }
}

TEST(Augment, Errors) {
  for (const AugmentPolicy policy : kPolicies) {
    expect_error(
        policy, [](Problem& p) { p.index[1] = 2; }, "index[1] = 2, but there are 2 images");
    expect_error(
        policy, [](Problem& p) { p.index[0] = -1; }, "index[0] = -1");
    expect_error(
        policy, [](Problem& p) { p.a.channels = 2; }, "channels");
    expect_error(
        policy, [](Problem& p) { p.a.height = 0; }, "sides");
    expect_error(
        policy, [](Problem& p) { p.a.out_width = 5000; }, "sides");
    expect_error(
        policy, [](Problem& p) { p.a.views = 0; }, "views");
    expect_error(
        policy, [](Problem& p) { p.a.normalisation.std[2] = 0; }, "normalised");
    expect_error(
        policy, [](Problem& p) { p.a.images = nullptr; }, "no images");
  }
  for (const AugmentPolicy policy : {AugmentPolicy::none, AugmentPolicy::strong})
    expect_error(
        policy, [](Problem& p) { p.a.out_height = 9; }, "cannot crop");
  const auto simclr = AugmentPolicy::simclr;
  expect_error(
      simclr, [](Problem& p) { p.a.simclr.scale_min = 0; }, "scale");
  expect_error(
      simclr, [](Problem& p) { p.a.simclr.scale_max = 1.5f; }, "scale");
  expect_error(
      simclr, [](Problem& p) { p.a.simclr.ratio_max = 0.5f; }, "ratio");
  expect_error(
      simclr, [](Problem& p) { p.a.simclr.jitter = std::nanf(""); }, "probabilities");
  expect_error(
      simclr, [](Problem& p) { p.a.simclr.hue = 0.6f; }, "hue");
  expect_error(
      AugmentPolicy::strong, [](Problem& p) { p.a.strong.operations = 17; }, "operations");
  expect_error(
      AugmentPolicy::strong, [](Problem& p) { p.a.strong.cutout = -1; }, "cutout");
}

}  // namespace
}  // namespace kith::kernels
