#include "scan/input/views.h"

#include <gtest/gtest.h>

#include "tests/scan/stages/stages_support.h"

namespace kith {
namespace {

using kernels::AugmentPolicy;

// Views of another size are what the kernel makes of the images as they are, for each policy; 0 is the images' own size.
TEST(Views, SizeIsThatOfTheViewsAlone) {
  Context ctx({.threads = 1});
  const data::Dataset data = test::striped_data(3);  // 9 x 8
  const ImageSource images(ctx, data.train(), Residency::automatic);
  const std::vector<int64_t> index = {3, 0, 41};
  for (const auto& [policy, size, height, width] : {std::tuple{AugmentPolicy::simclr, 0, 9, 8},
                                                    {AugmentPolicy::simclr, 5, 5, 5},
                                                    {AugmentPolicy::simclr, 12, 12, 12},
                                                    {AugmentPolicy::strong, 7, 7, 7},
                                                    {AugmentPolicy::none, 6, 6, 6}}) {
    AugmentConfig config;
    config.policy = policy;
    config.size = size;
    const Tensor got = Views(images, data, config, 17)({.index = index}, nullptr, {.count = 2, .first = 1});
    ASSERT_EQ(got.shape(), (Shape{6, height, width, 3}));
    std::vector<float> want(static_cast<size_t>(6 * height * width * 3));
    kernels::Augment a{};
    a.images = data.train().pixels.data();
    a.count = 70;
    a.height = 9;
    a.width = 8;
    a.channels = 3;
    a.index = index;
    a.views = 2;
    a.first_view = 1;
    a.seed = 17;
    a.policy = policy;
    std::ranges::copy(data.mean, a.normalisation.mean);
    std::ranges::copy(data.std, a.normalisation.std);
    a.out_height = height;
    a.out_width = width;
    a.out = want.data();
    kernels::augment(a, Queue{});
    EXPECT_EQ(got.to_host(), want);
  }
}

}  // namespace
}  // namespace kith
