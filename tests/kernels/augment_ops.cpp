// Single image operations against Pillow (goldens), bit for bit.
#include "kernels/augment_ops.h"

#include <cstring>
#include <functional>

#include "kernels/cpu/augment_image.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"

namespace kith::kernels::cpu {
namespace {

// The parameters of tests/golden/augment.py.
constexpr float kFactors[] = {0.0f, 0.05f, 0.3f, 0.6f, 1.0f, 1.4f, 1.85f};
constexpr double kAngles[] = {-30.0, -17.25, 0.0, 3.5, 12.0, 29.9};
constexpr double kShares[] = {-0.1, -0.037, 0.0, 0.05, 0.099};
constexpr float kThresholds[] = {0.0f, 77.5f, 128.0f, 255.5f, 256.0f};
constexpr float kSigmas[] = {0.1f, 0.8f, 2.0f};
constexpr uint8_t kShifts[] = {0, 1, 25, 128, 230, 255};
struct CropCase {
  CropBox box;
  int out_height, out_width;
};
constexpr CropCase kBoxes[] = {
    {{0, 0, 8, 8}, 8, 8}, {{1, 2, 5, 3}, 8, 8}, {{0, 1, 8, 5}, 5, 11}, {{2, 0, 1, 8}, 8, 3}, {{3, 3, 1, 1}, 4, 4}};
constexpr CropCase kLargeBoxes[] = {
    {{0, 0, 33, 31}, 14, 16}, {{4, 3, 20, 27}, 33, 31}, {{1, 0, 31, 29}, 9, 4}, {{0, 5, 33, 9}, 7, 20}};

// A golden of shape [cases, height, width, channels] or [height, width, channels].
struct Golden {
  std::vector<uint8_t> bytes;
  int cases = 1, height = 0, width = 0, channels = 0;

  size_t size() const { return static_cast<size_t>(height) * width * channels; }
  std::vector<uint8_t> one(int i) const { return {bytes.begin() + i * size(), bytes.begin() + (i + 1) * size()}; }
};

class AugmentOps : public testing::Test {
 protected:
  static const SafeTensors& file() {
    static const SafeTensors f = test::golden("augment");
    return f;
  }
  static bool has(const std::string& name) { return file().arrays.contains(name); }
  static Golden load(const std::string& name) {
    const auto v = test::values<uint8_t>(file(), name);
    Golden g{.bytes = {v.begin(), v.end()}};
    std::vector<int64_t> shape = file().arrays.at(name).shape;
    if (shape.size() == 4) g.cases = static_cast<int>(shape[0]), shape.erase(shape.begin());
    g.height = static_cast<int>(shape[0]), g.width = static_cast<int>(shape[1]),
    g.channels = static_cast<int>(shape[2]);
    return g;
  }

  // The planar result of f on the NHWC image, as NHWC again.
  static std::vector<uint8_t> apply(const Golden& in, const std::function<void(Image)>& f) {
    std::vector<uint8_t> planar(in.size()), out(in.size());
    const Image image{planar.data(), in.channels, in.height, in.width};
    crop_planar(in.bytes.data(), in.width, {0, 0, in.height, in.width}, image);
    f(image);
    return interleave(image);
  }
  static std::vector<uint8_t> interleave(Image image) {
    std::vector<uint8_t> out;
    for (int i = 0; i < image.pixels(); ++i)
      for (int c = 0; c < image.channels; ++c) out.push_back(image.plane(c)[i]);
    return out;
  }

  // Calls f(image, case) for every case of every golden of that operation; returns how many images had one.
  static int expect_golden(const std::string& operation, size_t cases, const std::function<void(Image, size_t)>& f,
                           double tolerance = 0) {
    int images = 0;
    for (const char* tag : {"small1", "small3", "odd1", "odd3", "large1", "large3", "flat3", "two1", "colours"}) {
      if (!has(operation + "." + tag)) continue;
      const Golden in = load(std::string("image.") + tag), want = load(operation + "." + tag);
      EXPECT_EQ(static_cast<size_t>(want.cases), cases);
      for (size_t i = 0; i < cases; ++i)
        EXPECT_TRUE(test::close(apply(in, [&](Image image) { f(image, i); }), want.one(static_cast<int>(i)),
                                {.abs = tolerance}))
            << operation << " case " << i << " on " << tag;
      ++images;
    }
    return images;
  }

  AugmentScratch scratch_;
};

TEST_F(AugmentOps, Tables) {
  EXPECT_EQ(expect_golden("autocontrast", 1, [](Image image, size_t) { autocontrast(image); }), 7);
  EXPECT_EQ(expect_golden("equalize", 1, [](Image image, size_t) { equalize(image); }), 7);
  EXPECT_EQ(expect_golden("posterize", 5, [](Image image, size_t i) { posterize(image, 4 + static_cast<int>(i)); }), 4);
  EXPECT_EQ(expect_golden("solarize", 5, [](Image image, size_t i) { solarize(image, kThresholds[i]); }), 4);
}

TEST_F(AugmentOps, Enhancements) {
  EXPECT_EQ(expect_golden("brightness", 7, [](Image image, size_t i) { brightness(image, kFactors[i]); }), 4);
  EXPECT_EQ(expect_golden("contrast", 7, [](Image image, size_t i) { contrast(image, kFactors[i]); }), 6);
  EXPECT_EQ(expect_golden("saturation", 7, [](Image image, size_t i) { saturation(image, kFactors[i]); }), 4);
  EXPECT_EQ(expect_golden("sharpness", 7, [&](Image image, size_t i) { sharpness(image, kFactors[i], scratch_); }), 4);
}

TEST_F(AugmentOps, Colours) {
  EXPECT_EQ(expect_golden("grayscale", 1, [](Image image, size_t) { grayscale(image); }), 2);
  EXPECT_EQ(expect_golden("hue", 6, [](Image image, size_t i) { hue(image, kShifts[i]); }), 3);
}

TEST_F(AugmentOps, ColourOperationsLeaveOneChannel) {
  const Golden in = load("image.odd1");
  EXPECT_EQ(apply(in, [](Image image) { grayscale(image); }), in.bytes);
  EXPECT_EQ(apply(in, [](Image image) { hue(image, 77); }), in.bytes);
  EXPECT_EQ(apply(in, [](Image image) { saturation(image, 0.1f); }), in.bytes);
}

TEST_F(AugmentOps, Geometry) {
  // Through strong_operation where the drawn f32 magnitude is the golden's: the matrices themselves take doubles.
  EXPECT_EQ(expect_golden("flip", 1, [](Image image, size_t) { flip_horizontal(image); }), 5);
  EXPECT_EQ(
      expect_golden("rotate", 6,
                    [&](Image m, size_t i) { affine_nearest(m, rotation(kAngles[i], m.height, m.width), scratch_); }),
      5);
  EXPECT_EQ(expect_golden("shear_x", 5,
                          [&](Image m, size_t i) {
                            affine_nearest(m, {1, kShares[i], 0, 0, 1, 0}, scratch_);
                          }),
            5);
  EXPECT_EQ(expect_golden("shear_y", 5,
                          [&](Image m, size_t i) {
                            affine_nearest(m, {1, 0, 0, kShares[i], 1, 0}, scratch_);
                          }),
            4);
  EXPECT_EQ(expect_golden("translate_x", 5,
                          [&](Image m, size_t i) {
                            affine_nearest(m, {1, 0, kShares[i] * m.width, 0, 1, 0}, scratch_);
                          }),
            4);
  EXPECT_EQ(expect_golden("translate_y", 5,
                          [&](Image m, size_t i) {
                            affine_nearest(m, {1, 0, 0, 0, 1, kShares[i] * m.height}, scratch_);
                          }),
            4);
}

TEST_F(AugmentOps, DrawnOperationsDispatch) {
  struct Case {
    const char* golden;
    size_t cases;
    StrongOp op;
    std::function<float(size_t)> magnitude;
  };
  const auto factor = [](size_t i) { return kFactors[i]; };
  const auto share = [](size_t i) { return static_cast<float>(kShares[i]); };
  const auto none = [](size_t) { return 0.f; };
  const Case cases[] = {{"autocontrast", 1, StrongOp::autocontrast, none},
                        {"equalize", 1, StrongOp::equalize, none},
                        {"rotate", 6, StrongOp::rotate, [](size_t i) { return static_cast<float>(kAngles[i]); }},
                        {"solarize", 5, StrongOp::solarize, [](size_t i) { return kThresholds[i]; }},
                        {"saturation", 7, StrongOp::color, factor},
                        {"contrast", 7, StrongOp::contrast, factor},
                        {"brightness", 7, StrongOp::brightness, factor},
                        {"sharpness", 7, StrongOp::sharpness, factor},
                        {"shear_x", 5, StrongOp::shear_x, share},
                        {"shear_y", 5, StrongOp::shear_y, share},
                        {"translate_x", 5, StrongOp::translate_x, share},
                        {"translate_y", 5, StrongOp::translate_y, share},
                        {"posterize", 5, StrongOp::posterize, [](size_t i) { return 4.f + static_cast<float>(i); }}};
  for (const Case& c : cases)
    expect_golden(c.golden, c.cases, [&](Image m, size_t i) { strong_operation(m, {c.op, c.magnitude(i)}, scratch_); });
  const Golden in = load("image.odd3");
  EXPECT_EQ(apply(in, [&](Image m) { strong_operation(m, {StrongOp::identity, 1.f}, scratch_); }), in.bytes);
}

TEST_F(AugmentOps, Blur) {
  // f32 sums of at most 3 x 3 products around 255 against f64: off by one only beside a tie.
  EXPECT_EQ(expect_golden(
                "blur", 3, [&](Image m, size_t i) { gaussian_blur(m, kSigmas[i], scratch_); }, 1),
            5);
}

// The form of the blur: a Gaussian sampled at the pixels and cut at a tenth of the side, as SimCLR's own code has it. A share of
// exp(-1 / (2 sigma^2)) goes to each neighbour, which rounds to nothing below sigma 0.25. Pillow's GaussianBlur (13.0) stacks box
// filters of fractional width instead: of this point it leaves 249, 237, 213 and 154 at sigma 0.1, 0.2, 0.3 and 0.5.
TEST_F(AugmentOps, BlurIsASampledGaussianOfATenthOfTheSide) {
  constexpr int kSide = 96, kCentre = 48, kRadius = 4;
  EXPECT_EQ(blur_radius(kSide), kRadius);
  EXPECT_EQ(blur_radius(32), 1);
  EXPECT_EQ(blur_radius(224), 11);
  const auto blurred = [&](float sigma) {
    std::vector<uint8_t> pixels(kSide * kSide, 0);
    pixels[kCentre * kSide + kCentre] = 255;
    gaussian_blur({pixels.data(), 1, kSide, kSide}, sigma, scratch_);
    return pixels;
  };
  const std::vector<uint8_t> sharp = blurred(0.1f);
  EXPECT_EQ(sharp[kCentre * kSide + kCentre], 255);
  for (const float sigma : {0.15f, 0.2f, 0.24f}) EXPECT_EQ(blurred(sigma), sharp) << sigma;
  const std::pair<float, std::vector<int>> rows[] = {{0.3f, {0, 0, 0, 1, 251, 1, 0, 0, 0}},
                                                     {0.5f, {0, 0, 0, 21, 158, 21, 0, 0, 0}},
                                                     {2.0f, {1, 3, 6, 9, 11, 9, 6, 3, 1}}};
  for (const auto& [sigma, row] : rows) {
    const std::vector<uint8_t> pixels = blurred(sigma);
    const auto first = pixels.begin() + kCentre * kSide + kCentre - kRadius;
    EXPECT_EQ(std::vector<int>(first, first + 2 * kRadius + 1), row) << sigma;
    EXPECT_EQ(*(first - 1), 0) << sigma;  // nothing beyond the taps
  }
}

TEST_F(AugmentOps, ResizedCrops) {
  for (const char* tag : {"small1", "small3", "odd1", "odd3", "large1", "large3"}) {
    const Golden in = load(std::string("image.") + tag);
    const bool large = std::string(tag).starts_with("large");
    int golden = 0;
    for (const CropCase& c : large ? std::span<const CropCase>(kLargeBoxes) : std::span<const CropCase>(kBoxes)) {
      if (c.box.left + c.box.width > in.width) continue;
      const Golden want = load("crop" + std::to_string(golden++) + "." + tag);
      const ResizeWeights along_x = resize_weights(c.box.width, c.out_width),
                          along_y = resize_weights(c.box.height, c.out_height);
      for (const bool flip : {false, true}) {
        std::vector<uint8_t> planar(want.size());
        const Image out{planar.data(), in.channels, c.out_height, c.out_width};
        resized_crop({.nhwc = in.bytes.data(),
                      .width = in.width,
                      .box = c.box,
                      .along_x = along_x,
                      .along_y = along_y,
                      .flip = flip},
                     out, scratch_);
        if (flip) flip_horizontal(out);  // so that the result must be the golden again
        EXPECT_EQ(interleave(out), want.bytes) << tag << " crop " << golden << " flip " << flip;
      }
    }
    EXPECT_EQ(golden, std::string(tag).starts_with("odd") ? 3 : large ? 4 : 5);
  }
}

TEST_F(AugmentOps, ResizeWeightsSumToOneInsideTheInput) {
  for (const int in : {1, 2, 3, 7, 32, 97})
    for (const int out : {1, 2, 5, 32, 96}) {
      const ResizeWeights k = resize_weights(in, out);
      for (int i = 0; i < out; ++i) {
        int64_t sum = 0;
        for (int t = 0; t < k.taps; ++t) sum += k.weight[i * k.taps + t];
        EXPECT_LE(std::abs(sum - (1 << 22)), k.taps);  // half a unit each
        EXPECT_TRUE(k.first[i] >= 0 && k.first[i] + k.taps <= in);
      }
    }
}

// Every hue, saturation and value class against the same conversion written with plain branches and doubles.
TEST_F(AugmentOps, HueOfEveryGreyIsTheGrey) {
  for (int v = 0; v < 256; ++v)
    for (int shift = 0; shift < 256; shift += 5) {
      const Pixel p = shift_hue({v, v, v}, shift);
      EXPECT_TRUE(p.r == v && p.g == v && p.b == v);
    }
}

}  // namespace
}  // namespace kith::kernels::cpu
