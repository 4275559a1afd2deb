// The device's views against the CPU's: the same parameters and bytes, hence the same bits. Only the blur's weights, f32 of
// the library's exp, may move a byte by one.
#include "kernels/augment.h"

#include <bit>
#include <set>

#include "tests/kernels/augment_problem.h"
#include "tests/support/device.h"

namespace kith::test {
namespace {

using namespace kernels;
using Size = std::pair<int, int>;

constexpr AugmentPolicy kPolicies[] = {AugmentPolicy::none, AugmentPolicy::simclr, AugmentPolicy::strong};

class AugmentCuda : public CudaKernel {
 protected:
  // Every other sample has little contrast, so that tables made from histograms change something.
  static Problem problem(AugmentPolicy policy, int count, Size size, int channels) {
    Problem p(policy, count, size.first, size.second, channels);
    for (size_t i = 0; i < p.images.size(); ++i)
      if (i / p.view_size() % 2 == 1) p.images[i] = static_cast<uint8_t>(40 + p.images[i] / 3);
    p.a.epoch = 3;
    return p;
  }
  template <class T>
  std::vector<T> on_device(Problem& p, const LiveStep* live = nullptr) {
    const OnDevice<uint8_t> images(p.images);
    const OnDevice<int64_t> index(p.index);
    const OnDevice<LiveStep> step(std::vector<LiveStep>{live != nullptr ? *live : LiveStep{}});
    const OnDevice<T> out(poison<T>(static_cast<int64_t>(p.index.size() * p.a.views * p.view_size())));
    Augment a = p.a;
    a.images = images.data();
    a.index = index.span();
    a.live = live != nullptr ? step.data() : nullptr;
    a.out = nullptr;
    if constexpr (std::is_same_v<T, float>)
      a.out = out.data();
    else
      a.out_bf16 = out.data();
    augment(a, queue);
    return out.host();
  }
  void expect_cpu(Problem& p) {
    SCOPED_TRACE(testing::Message() << "policy " << static_cast<int>(p.a.policy) << ", " << p.a.height << " x "
                                    << p.a.width << " x " << p.a.channels << " to " << p.a.out_height << " x "
                                    << p.a.out_width);
    const std::vector<float> got = on_device<float>(p), want = p.run();
    if (p.a.policy == AugmentPolicy::simclr && p.a.simclr.blur > 0) {
      // One byte, and the roundings of the normalisation; std is at least 0.2.
      EXPECT_TRUE(close(got, want, {.abs = 1 / (255 * 0.2) + 8 * kUnit}));
    } else {
      EXPECT_EQ(got, want);
    }
  }
};

TEST_F(AugmentCuda, EveryPolicyAndSizeIsTheCpus) {
  for (const AugmentPolicy policy : kPolicies)
    for (const int channels : {1, 3})
      for (const Size& size : {Size{1, 1}, {1, 9}, {7, 2}, {2, 2}, {8, 32}, {9, 33}, {12, 31}}) {
        Problem p = problem(policy, 4, size, channels);
        p.index = {3, 1, 1};
        p.a.views = 2;
        p.a.first_view = 1;
        expect_cpu(p);
      }
}

TEST_F(AugmentCuda, CropsAndResizes) {
  for (const int channels : {1, 3}) {
    for (const AugmentPolicy policy : {AugmentPolicy::none, AugmentPolicy::strong}) {
      Problem p = problem(policy, 6, {14, 11}, channels);
      p.a.out_height = 9, p.a.out_width = 10;
      expect_cpu(p);
    }
    for (const auto& [from, to] :
         {std::pair{Size{20, 3}, Size{5, 12}}, {{3, 20}, {12, 5}}, {{40, 37}, {7, 6}}, {{2, 3}, {30, 31}}}) {
      Problem p = problem(AugmentPolicy::simclr, 6, from, channels);
      std::tie(p.a.out_height, p.a.out_width) = to;
      expect_cpu(p);
      p.a.simclr.blur = 1;
      expect_cpu(p);
    }
  }
}

TEST_F(AugmentCuda, EveryOperationAloneAndManyInARow) {
  for (const int channels : {1, 3}) {
    Problem p = problem(AugmentPolicy::strong, 60, {11, 9}, channels);
    p.a.strong.operations = 1;
    p.a.strong.cutout = 4;
    std::set<StrongOp> seen;
    for (uint64_t s = 0; s < 60; ++s)
      seen.insert(draw_strong(Random(p.a.seed, p.a.epoch, s, 0), p.a.strong, 11, 9, 11, 9).draws[0].op);
    EXPECT_EQ(seen.size(), size_t{kStrongOps});
    expect_cpu(p);
    Problem many = problem(AugmentPolicy::strong, 12, {10, 35}, channels);
    many.a.strong.operations = kMaxStrongOperations;
    many.a.strong.cutout = 0;
    expect_cpu(many);
  }
}

TEST_F(AugmentCuda, JitterGrayscaleAndBlurInEveryCombination) {
  for (const int channels : {1, 3})
    for (const float jitter : {0.f, 1.f})
      for (const float grayscale : {0.f, 1.f})
        for (const float blur : {0.f, 0.7f}) {
          Problem p = problem(AugmentPolicy::simclr, 6, {12, 33}, channels);
          p.a.simclr.jitter = jitter;
          p.a.simclr.grayscale = grayscale;
          p.a.simclr.blur = blur;
          expect_cpu(p);
        }
  Problem p = problem(AugmentPolicy::simclr, 4, {9, 10}, 3);
  p.a.simclr.hue = 0;
  expect_cpu(p);
}

// 4,096 pixels and more go to blocks of 16 warps, images that do not fit shared memory to scratch.
TEST_F(AugmentCuda, LargeImages) {
  for (const AugmentPolicy policy : kPolicies) {
    Problem large = problem(policy, 2, {65, 64}, 3);
    expect_cpu(large);
    Problem huge = problem(policy, 2, policy == AugmentPolicy::none ? Size{151, 150} : Size{107, 106}, 3);
    huge.a.simclr.blur = 1;
    expect_cpu(huge);
  }
}

TEST_F(AugmentCuda, MoreViewsThanBlocks) {
  for (const AugmentPolicy policy : kPolicies) {
    Problem p = problem(policy, 2, {2, 3}, 3);
    p.a.views = 540;  // 1,080 views, at most 1,056 blocks
    expect_cpu(p);
  }
  Problem huge = problem(AugmentPolicy::none, 1, {151, 150}, 1);
  huge.a.views = queue.multiprocessors + 2;  // at most a block on each
  expect_cpu(huge);
}

TEST_F(AugmentCuda, TheEpochOfALiveStep) {
  for (const AugmentPolicy policy : {AugmentPolicy::simclr, AugmentPolicy::strong}) {
    Problem p = problem(policy, 4, {8, 8}, 3);
    const LiveStep live{.lr = 0, .epoch = 77, .step = 1};
    const std::vector<float> got = on_device<float>(p, &live), other = p.run();
    EXPECT_NE(got, other);
    Problem host = p;
    host.a.images = host.images.data();
    host.a.live = &live;
    EXPECT_EQ(host.run(), got);
    host.a.live = nullptr;
    host.a.epoch = 77;
    EXPECT_EQ(host.run(), got);
  }
}

TEST_F(AugmentCuda, GatheredImagesGiveTheSameViews) {
  for (const AugmentPolicy policy : kPolicies) {
    Problem p = problem(policy, 9, {11, 14}, 3);
    p.index = {8, 2, 2, 5};
    p.a.views = 2;
    const std::vector<float> want = p.run();
    p.images = gathered(p);  // no more than that: a read by the sample's number would be out of bounds
    p.a.source = AugmentSource::gathered;
    EXPECT_EQ(on_device<float>(p), want);
    p.images.insert(p.images.begin(), 77, 0xAB);
    const LiveStep live{.lr = 0, .epoch = p.a.epoch, .step = 1, .images = 77};
    EXPECT_EQ(on_device<float>(p, &live), want);
  }
}

TEST_F(AugmentCuda, Bf16IsTheRoundedF32) {
  for (const AugmentPolicy policy : kPolicies)
    for (const Size& size : {Size{8, 12}, {5, 7}}) {
      Problem p = problem(policy, 5, size, 3);
      const auto as_bits = [](const std::vector<bf16>& v) {
        std::vector<uint16_t> bits;
        for (const bf16 x : v) bits.push_back(x.bits);
        return bits;
      };
      std::vector<bf16> want, on_cpu(5 * p.view_size());
      for (const float v : p.run()) want.push_back(narrow(v));
      EXPECT_EQ(as_bits(on_device<bf16>(p)), as_bits(want));
      p.a.out = nullptr;
      p.a.out_bf16 = on_cpu.data();
      augment(p.a, Queue{});
      EXPECT_EQ(as_bits(on_cpu), as_bits(want));
    }
}

TEST_F(AugmentCuda, AViewThatDoesNotStartOnAVector) {
  Problem p = problem(AugmentPolicy::none, 2, {4, 4}, 3);
  const std::vector<float> want = p.run();
  const OnDevice<uint8_t> images(p.images);
  const OnDevice<int64_t> index(p.index);
  const OnDevice<float> out(poison<float>(1 + static_cast<int64_t>(want.size())));
  Augment a = p.a;
  a.images = images.data();
  a.index = index.span();
  a.out = out.data() + 1;
  augment(a, queue);
  std::vector<float> got = out.host();
  got.erase(got.begin());
  EXPECT_EQ(got, want);
}

TEST_F(AugmentCuda, AnIndexOutOfRangeFillsItsViewsWithNan) {
  for (const AugmentPolicy policy : kPolicies) {
    Problem p = problem(policy, 4, {6, 6}, 3);
    p.a.views = 2;
    p.index = {2, 0, 3};
    const std::vector<float> want = p.run();
    p.index = {2, 4, 3, -1};
    const std::vector<float> got = on_device<float>(p);
    const std::vector<bf16> narrow_got = on_device<bf16>(p);
    for (size_t row = 0; row < 8; ++row)
      for (size_t i = 0; i < p.view_size(); ++i) {
        const float v = got[row * p.view_size() + i], n = widen(narrow_got[row * p.view_size() + i]);
        if (row / 2 % 2 == 1) {
          ASSERT_TRUE(std::isnan(v) && std::isnan(n)) << row;
        } else {
          ASSERT_EQ(v, want[row * p.view_size() + i]) << row;
          ASSERT_EQ(n, widen(narrow(v))) << row;
        }
      }
  }
}

TEST_F(AugmentCuda, NothingToDo) {
  Problem p = problem(AugmentPolicy::strong, 2, {4, 4}, 3);
  p.index.clear();
  EXPECT_TRUE(on_device<float>(p).empty());
}

TEST_F(AugmentCuda, OneOutputIsWanted) {
  Problem p = problem(AugmentPolicy::none, 2, {4, 4}, 3);
  float f;
  bf16 b;
  p.a.index = p.index;
  EXPECT_THROW(augment(p.a, queue), Error);
  p.a.out = &f;
  p.a.out_bf16 = &b;
  EXPECT_THROW(augment(p.a, queue), Error);
}

}  // namespace
}  // namespace kith::test
