#include <algorithm>

#include "tests/kernels/cuda/ntxent_keys_problem.h"

namespace kith::test {
namespace {

TEST_F(NtXentKeysCuda, F32MatchesTheOracle) {
  // Minimum; rows and columns of a tile, 64, beyond dim 128 32, one less and one more, of either gradient; more anchors than keys;
  // columns in several blocks; odd dims, the largest.
  for (const ContrastShape& shape : {ContrastShape{1, 2, 1, kNoSelf, Positives::spread},
                                     {63, 65, 31, kNoSelf, Positives::shared},
                                     {64, 128, 32, 64, Positives::spread},
                                     {65, 63, 65, kNoSelf, Positives::shared},
                                     {130, 18, 5, kNoSelf, Positives::shared},
                                     {65, 386, 16, 320, Positives::shared},
                                     {30, 258, 100, 101, Positives::partners},
                                     {33, 31, 129, kNoSelf, Positives::spread},
                                     {5, 134, 256, 28, Positives::partners}})
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
      if (path != Path::prepared) expect_oracle({20, 258, 16, 230, Positives::partners}, tau, path);
    }
}

// One array: the general passes add onto each other what the square one has in one.
TEST_F(NtXentKeysCuda, TheSquareCaseIsOneCase) {
  for (const Path path : kPaths) expect_square_case(path);
}

TEST_F(NtXentKeysCuda, PositivesShareTheRowsOfTheProducts) {
  for (const Path path : kPaths) expect_shares(path);
}

// exp(-lse) is beyond f32: what would be the weight of a column that does not exist.
TEST_F(NtXentKeysCuda, OppositeKeys) {
  for (const Path path : kPaths) {
    Contrast<float> c = contrast({3, 5, 8, kNoSelf, Positives::shared}, 0.01f);
    for (const auto& [m, first] : {std::pair{&c.anchors, 1.f}, {&c.keys, -1.f}}) {
      std::ranges::fill(m->values, 0.f);
      for (int64_t i = 0; i < m->rows; ++i) m->view().row(i)[0] = first;
    }
    expect_oracle(c, path);
  }
}

TEST_F(NtXentKeysCuda, GradientsThatAreNotWantedAreNotWritten) {
  for (const Path path : kPaths) {
    const Contrast<float> c = contrast({17, 70, 12, 30, Positives::shared}, 0.2f);
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
    Contrast<float> c = contrast({18, 70, 12, 30, Positives::spread}, 0.2f);
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
        Contrast<float> c = contrast({18, 130, 12, kNoSelf, Positives::spread}, tau);
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
