#include "kernels/core/bf16.h"
#include "kernels/cuda/ntxent.cuh"
#include "tests/kernels/contrast.h"
#include "tests/support/device.h"

namespace kith::test {
namespace {

using namespace kernels;

// The f32 path, and the bf16 path with either source of operands.
enum class Path : uint8_t { f32, converted, prepared };
constexpr Path kPaths[] = {Path::f32, Path::converted, Path::prepared};

class NtXentKeysCuda : public CudaKernel {
 protected:
  // A problem on the device, with room for its answers; gradients start at `start`.
  struct Device {
    OnDevice<float> anchors, keys, dloss, lse, loss, danchors, dkeys;
    OnDevice<int32_t> positive;
    int64_t self_offset;
    float tau;

    Device(const Contrast<float>& c, float start)
        : anchors(c.anchors),
          keys(c.keys),
          dloss(c.dloss),
          lse(poison<float>(c.anchors.rows)),
          loss(poison<float>(c.anchors.rows)),
          danchors(HostMatrix<float>(c.anchors.rows, c.anchors.cols, start)),
          dkeys(HostMatrix<float>(c.keys.rows, c.keys.cols, start)),
          positive(c.positive),
          self_offset(c.self_offset),
          tau(c.tau) {}
    std::span<const int32_t> positives() const {
      return positive.span().empty() ? std::span<const int32_t>() : positive.span();
    }
    NtXentForward<float> forward() const {
      return {.anchors = anchors.matrix(),
              .keys = keys.matrix(),
              .positive = positives(),
              .self_offset = self_offset,
              .tau = tau,
              .lse = lse.span(),
              .loss = loss.span()};
    }
    NtXentBackward<float> backward(Matrix<float> da, Matrix<float> dk, Write write) const {
      return {.anchors = anchors.matrix(),
              .keys = keys.matrix(),
              .positive = positives(),
              .self_offset = self_offset,
              .lse = lse.span(),
              .dloss = dloss.span(),
              .tau = tau,
              .danchors = da,
              .dkeys = dk,
              .write_danchors = write,
              .write_dkeys = write};
    }
  };

  void run(const NtXentForward<float>& f, Path path) {
    if (path == Path::f32) return ntxent_forward(f, queue);
    cuda::ntxent_forward_mma(f, queue, path == Path::prepared ? cuda::Operands::prepared : cuda::Operands::converted);
  }
  void run(const NtXentBackward<float>& b, Path path) {
    if (path == Path::f32) return ntxent_backward(b, queue);
    cuda::ntxent_backward_mma(b, queue, path == Path::prepared ? cuda::Operands::prepared : cuda::Operands::converted);
  }

  // Rows hold bf16 numbers where products are bf16: both sides then multiply the same operands.
  static Contrast<float> draw(const ContrastShape& shape, float tau, Path path) {
    Contrast<float> c = contrast(shape, tau);
    for (HostMatrix<float>* m : {&c.anchors, &c.keys})
      for (float& v : m->values) v = path == Path::f32 ? v : widen(narrow(v));
    return c;
  }

  void expect_oracle(const ContrastShape& shape, float tau, Path path) {
    SCOPED_TRACE(testing::Message() << shape.anchors << " x " << shape.keys << ", dim " << shape.dim << ", self "
                                    << shape.self_offset << ", tau " << tau << ", path " << static_cast<int>(path));
    const Contrast<float> c = draw(shape, tau, path);
    const Contrasted want = oracle(widen(c));
    const Device d(c, 1.f);
    run(d.forward(), path);
    // As in ntxent.cpp: s has error sqrt(dim) u / tau, an exponential that of its argument, up to 2 / tau, a sum of n terms
    // sqrt(n) u; factor 4 in hand. Weights are rounded to bf16 on that path.
    const double n = std::sqrt(static_cast<double>(std::max(shape.anchors, shape.keys)));
    const double e = 4 * kUnit * ((std::sqrt(static_cast<double>(shape.dim)) + 2) / tau + n + 4);
    EXPECT_TRUE(close(d.lse.host(), want.lse, {.abs = e}));
    EXPECT_TRUE(close(d.loss.host(), want.loss, {.abs = 2 * e}));
    const double relative = 2 * e + 4 * kUnit * n + (path == Path::f32 ? 0 : 0x1p-8);
    // Both gradients onto ones, whose rounding joins; where an anchor's positive is given, twice.
    run(d.backward(d.danchors.matrix(), d.dkeys.matrix(), Write::add), path);
    const auto after_one = [](HostMatrix<double> m) {
      for (double& v : m.values) v += 1;
      return m;
    };
    EXPECT_TRUE(within(d.danchors.host(), after_one(want.danchors), want.danchors_size, relative, 2 * kUnit));
    EXPECT_TRUE(within(d.dkeys.host(), after_one(want.dkeys), want.dkeys_size, relative, 4 * kUnit));
  }
};

TEST_F(NtXentKeysCuda, F32MatchesTheOracle) {
  // Minimum; rows of a block of 16 and columns of a tile of 32, one less and one more, of either gradient; more anchors than
  // keys; an odd dim, the largest.
  for (const ContrastShape& shape : {ContrastShape{1, 2, 1, kNoSelf, Positives::spread},
                                     {15, 33, 31, kNoSelf, Positives::shared},
                                     {16, 32, 32, 16, Positives::spread},
                                     {17, 31, 33, 0, Positives::shared},
                                     {66, 18, 5, kNoSelf, Positives::shared},
                                     {9, 40, 16, 21, Positives::partners},
                                     {5, 34, 256, 28, Positives::partners}})
    expect_oracle(shape, 0.2f, Path::f32);
}

TEST_F(NtXentKeysCuda, Bf16MatchesTheOracle) {
  // Rows and columns of a tile of 64 (of prepared rows 128), one less and one more; column tiles in several blocks of either
  // gradient; each padded dim.
  for (const Path path : {Path::converted, Path::prepared})
    for (const ContrastShape& shape : {ContrastShape{1, 2, 1, kNoSelf, Positives::spread},
                                       {63, 65, 32, kNoSelf, Positives::shared},
                                       {129, 127, 20, kNoSelf, Positives::spread},
                                       {64, 130, 33, 64, Positives::spread},
                                       {65, 386, 16, 320, Positives::shared},
                                       {130, 63, 100, kNoSelf, Positives::shared},
                                       {30, 258, 64, 101, Positives::partners},
                                       {20, 34, 256, 14, Positives::partners}})
      expect_oracle(shape, 0.2f, path);
}

// Both forms of the exponentials, in one block and joined from several.
TEST_F(NtXentKeysCuda, EveryTemperature) {
  for (const Path path : kPaths)
    for (const float tau : {0.01f, 0.025f, 0.5f}) {
      expect_oracle({20, 34, 16, 7, Positives::shared}, tau, path);
      if (path == Path::converted) expect_oracle({20, 258, 16, 230, Positives::partners}, tau, path);
    }
}

// One array: the general passes add onto each other what the square one has in one.
TEST_F(NtXentKeysCuda, TheSquareCaseIsOneCase) {
  for (const Path path : kPaths) {
    Contrast<float> c = draw({66, 66, 20, 0, Positives::partners}, 0.2f, path);
    const Device square(c, 0.f);
    for (int32_t i = 0; i < 66; ++i) c.positive.push_back(i ^ 1);
    const Device given(c, 0.f);
    NtXentForward<float> f = square.forward(), g = given.forward();
    f.keys = f.anchors, g.keys = g.anchors;
    run(f, path), run(g, path);
    NtXentBackward<float> b = square.backward(square.danchors.matrix(), square.danchors.matrix(), Write::overwrite),
                          h = given.backward(given.danchors.matrix(), given.danchors.matrix(), Write::overwrite);
    b.keys = b.anchors, h.keys = h.anchors;
    run(b, path), run(h, path);
    const Contrasted want = oracle(widen(c));
    HostMatrix<double> dz = want.danchors, size = want.danchors_size;
    for (size_t e = 0; e < dz.values.size(); ++e)
      dz.values[e] += want.dkeys.values[e], size.values[e] += want.dkeys_size.values[e];
    const double e = 4 * kUnit * ((std::sqrt(20.) + 2) / 0.2 + std::sqrt(66.) + 4),
                 relative = 2 * e + 4 * kUnit * std::sqrt(66.) + (path == Path::f32 ? 0 : 0x1p-8);
    for (const Device* d : {&square, &given}) {
      EXPECT_TRUE(close(d->loss.host(), want.loss, {.abs = 2 * e}));
      EXPECT_TRUE(within(d->danchors.host(), dz, size, relative, 2 * kUnit));
    }
  }
}

TEST_F(NtXentKeysCuda, GradientsThatAreNotWantedAreNotWritten) {
  for (const Path path : kPaths) {
    const Contrast<float> c = draw({17, 70, 12, 30, Positives::shared}, 0.2f, path);
    const Device both(c, 1.f), one(c, 1.f), other(c, 1.f);
    for (const Device* d : {&both, &one, &other}) run(d->forward(), path);
    run(both.backward(both.danchors.matrix(), both.dkeys.matrix(), Write::overwrite), path);
    run(one.backward(one.danchors.matrix(), {}, Write::overwrite), path);
    run(other.backward({}, other.dkeys.matrix(), Write::overwrite), path);
    EXPECT_EQ(one.danchors.host(), both.danchors.host());
    EXPECT_EQ(other.dkeys.host(), both.dkeys.host());
    EXPECT_EQ(one.dkeys.host(), std::vector<float>(70 * 12, 1.f));
    EXPECT_EQ(other.danchors.host(), std::vector<float>(17 * 12, 1.f));
  }
}

TEST_F(NtXentKeysCuda, APositiveThatIsNoneShowsAsNan) {
  for (const Path path : kPaths) {
    Contrast<float> c = draw({18, 70, 12, 30, Positives::spread}, 0.2f, path);
    c.positive[3] = 70, c.positive[5] = -1, c.positive[16] = 46;  // past the last, before the first, the anchor itself
    const Device d(c, 1.f);
    run(d.forward(), path);
    run(d.backward(d.danchors.matrix(), d.dkeys.matrix(), Write::overwrite), path);
    const std::vector<float> loss = d.loss.host(), danchors = d.danchors.host(), dkeys = d.dkeys.host();
    for (int64_t i = 0; i < 18; ++i) {
      const bool wrong = i == 3 || i == 5 || i == 16;
      EXPECT_EQ(std::isnan(loss[i]), wrong) << i;
      for (int64_t e = 0; e < 12; ++e) EXPECT_EQ(std::isnan(danchors[12 * i + e]), wrong) << i;
    }
    for (const float v : dkeys) EXPECT_TRUE(std::isfinite(v));
  }
}

// Of one anchor, and of one key; in one block and in several, in both forms of the exponentials.
TEST_F(NtXentKeysCuda, NanReachesWhatTheContractSays) {
  for (const Path path : kPaths)
    for (const float tau : {0.01f, 0.2f})
      for (const bool of_key : {false, true}) {
        SCOPED_TRACE(testing::Message() << "path " << static_cast<int>(path) << ", tau " << tau << ", key " << of_key);
        Contrast<float> c = draw({18, 130, 12, kNoSelf, Positives::spread}, tau, path);
        (of_key ? c.keys : c.anchors).view().row(7)[11] = NAN;
        const Device d(c, 0.f);
        run(d.forward(), path);
        run(d.backward(d.danchors.matrix(), d.dkeys.matrix(), Write::overwrite), path);
        const std::vector<float> loss = d.loss.host(), lse = d.lse.host(), danchors = d.danchors.host();
        for (size_t i = 0; i < 18; ++i) {
          EXPECT_EQ(std::isnan(lse[i]), of_key || i == 7) << i;
          EXPECT_EQ(std::isnan(loss[i]), of_key || i == 7) << i;
          for (size_t e = 0; e < 12; ++e) EXPECT_EQ(std::isnan(danchors[12 * i + e]), of_key || i == 7) << i;
        }
        for (const float v : d.dkeys.host()) ASSERT_TRUE(std::isnan(v));
      }
}

}  // namespace
}  // namespace kith::test
