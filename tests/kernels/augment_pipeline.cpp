// The order of operations in each policy: a view against its drawn operations applied one by one.
#include <algorithm>

#include "tests/kernels/augment_problem.h"

namespace kith::kernels {
namespace {

// The drawn operations, applied one by one to the sample, are the view; the order of the pipeline is written out again
// here.
TEST(Augment, SimclrViewIsItsDrawnOperationsInOrder) {
  for (const int channels : {1, 3}) {
    Problem p(AugmentPolicy::simclr, 30, 18, 15, channels);
    p.a.out_height = 12, p.a.out_width = 13;
    p.a.simclr.blur = 0.5f;
    p.a.epoch = 4;
    p.a.first_view = 1;
    const std::vector<float> got = p.run();
    cpu::AugmentScratch scratch;
    std::vector<uint8_t> planar(p.view_size());
    const cpu::Image image{planar.data(), channels, 12, 13};
    for (int s = 0; s < 30; ++s) {
      const SimclrView v = draw_simclr(Random(p.a.seed, 4, static_cast<uint64_t>(s), 1), p.a.simclr, 18, 15);
      cpu::resized_crop({.nhwc = p.images.data() + s * 18 * 15 * channels,
                         .width = 15,
                         .box = v.crop,
                         .along_x = cpu::resize_weights(v.crop.width, 13),
                         .along_y = cpu::resize_weights(v.crop.height, 12),
                         .flip = false},
                        image, scratch);
      if (v.flip) cpu::flip_horizontal(image);
      for (int i = 0; v.jitter && i < 4; ++i) switch (v.order[i]) {
          case JitterOp::brightness:
            cpu::brightness(image, v.brightness);
            break;
          case JitterOp::contrast:
            cpu::contrast(image, v.contrast);
            break;
          case JitterOp::saturation:
            cpu::saturation(image, v.saturation);
            break;
          case JitterOp::hue:
            cpu::hue(image, v.hue_shift);
            break;
        }
      if (v.grayscale) cpu::grayscale(image);
      if (v.blur) cpu::gaussian_blur(image, v.sigma, scratch);
      EXPECT_TRUE(test::close(view(p, got, s), normalised(p, image), kNormalise)) << s;
    }
  }
}

TEST(Augment, StrongViewIsItsDrawnOperationsInOrder) {
  for (const int channels : {1, 3}) {
    Problem p(AugmentPolicy::strong, 60, 18, 15, channels);
    p.a.out_height = 12, p.a.out_width = 13;
    p.a.strong.cutout = 7;
    const std::vector<float> got = p.run();
    cpu::AugmentScratch scratch;
    std::vector<uint8_t> whole(18 * 15 * channels), planar(p.view_size());
    const cpu::Image source{whole.data(), channels, 18, 15}, image{planar.data(), channels, 12, 13};
    for (int s = 0; s < 60; ++s) {
      const StrongView v = draw_strong(Random(p.a.seed, 0, static_cast<uint64_t>(s), 0), p.a.strong, 18, 15, 12, 13);
      cpu::crop_planar(p.images.data() + s * 18 * 15 * channels, 15, {0, 0, 18, 15}, source);
      if (v.flip) cpu::flip_horizontal(source);
      for (int c = 0; c < channels; ++c)
        for (int y = 0; y < 12; ++y)
          std::copy_n(source.plane(c) + (v.crop.top + y) * 15 + v.crop.left, 13, image.plane(c) + y * 13);
      for (int i = 0; i < 4; ++i) cpu::strong_operation(image, v.draws[i], scratch);
      std::vector<float> want = normalised(p, image);
      const int top = v.cutout_y - v.cutout_side / 2, left = v.cutout_x - v.cutout_side / 2;
      for (int y = 0; y < 12; ++y)
        for (int x = 0; x < 13; ++x)
          if (y >= top && y < top + v.cutout_side && x >= left && x < left + v.cutout_side)
            std::fill_n(&want[(y * 13 + x) * channels], channels, 0.f);
      EXPECT_TRUE(test::close(view(p, got, s), want, kNormalise)) << s;
    }
  }
}

}  // namespace
}  // namespace kith::kernels
