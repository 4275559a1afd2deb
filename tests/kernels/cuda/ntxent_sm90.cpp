// NT-Xent by wgmma and tensor copies (kernels/cuda/ntxent_sm90.cu, ntxent_backward_sm90.cu), within the bounds of the bf16 path.
#include <algorithm>

#include "tests/kernels/cuda/ntxent_keys_problem.h"
#include "tests/kernels/cuda/ntxent_problem.h"
#include "tests/kernels/cuda/sm90.h"

namespace kith::test {
namespace {

class NtXentSm90 : public OnSm90<NtXentCuda> {
 protected:
  void expect(int64_t rows, int64_t dim, float tau = 0.2f, cuda::ForwardCut groups = {}, size_t shifted = 0) {
    expect_oracle(draw(rows, dim), tau, normal(rows, Seed{3}), Path::sm90, shifted, groups);
  }
  struct Results {
    std::vector<float> lse, loss, dz;
    bool operator==(const Results&) const = default;
  };
#ifdef KITH_SIMT
  // How often f launches a kernel of a name.
  template <class F>
  static auto launches_of(F f) {
    simt::options().count = true;
    simt::records().clear();
    f();
    simt::options().count = false;
    return [records = simt::records()](const char* name) {
      return std::ranges::count(records, std::string(name), &simt::LaunchRecord::kernel);
    };
  }
#endif
  static Results results(const HostMatrix<float>& rows, Queue q, cuda::ForwardCut groups = {}) {
    const OnDevice<float> z(rows), dloss(normal(rows.rows, Seed{3})), lse(poison<float>(rows.rows)),
        loss(poison<float>(rows.rows)), dz(poison<float>(rows.rows * rows.cols));
    const Matrix<float> gradient{dz.data(), rows.rows, rows.cols};
    run_path(
        NtXentForward<float>{
            .anchors = z.matrix(), .keys = z.matrix(), .tau = 0.2f, .lse = lse.span(), .loss = loss.span()},
        Path::sm90, q, groups);
    run_path(NtXentBackward<float>{.anchors = z.matrix(),
                                   .keys = z.matrix(),
                                   .lse = lse.span(),
                                   .dloss = dloss.span(),
                                   .tau = 0.2f,
                                   .danchors = gradient,
                                   .dkeys = gradient},
             Path::sm90, q);
    return {lse.host(), loss.host(), dz.host()};
  }
};

TEST_F(NtXentSm90, MatchesTheOracle) {
  // Minimum; 64 rows of a stage, 128 of a consumer or of backward's block, 256 of a group: - 2, all, + 2; a third group, of 2
  // rows; slabs of 64 elements and the largest dim: - 1, all, + 1. Backward of 514 rows has two splits, of 1,000 three.
  for (const auto& [rows, dim] : {std::pair{4, 1},
                                  {62, 63},
                                  {64, 64},
                                  {66, 65},
                                  {126, 128},
                                  {128, 127},
                                  {130, 100},
                                  {254, 20},
                                  {256, 128},
                                  {258, 8},
                                  {514, 128},
                                  {1000, 12}})
    expect(rows, dim);
}

// Whole pairs of groups or parts of 64 rows, of which the last group lacks some; groups of 512 and 1024 rows, whose columns
// take two tiles and four: one group, whose scores all count once, and several.
TEST_F(NtXentSm90, EveryCutOfTheRows) {
  for (const auto& [rows, most, few] :
       {std::tuple{258, 64, 0}, {514, 64, 0}, {320, 64, 32}, {450, 1, 0}, {600, 2, 0}, {600, 2, 32}, {1090, 2, 0}})
    expect(rows, 12, 0.2f, {.most_groups = most, .few_groups = few});
}

// One block has all pieces, and of backward all columns: rings wrap several times.
TEST_F(NtXentSm90, OfDevicesOfAnySize) {
  queue.multiprocessors = 1;
  expect(1030, 8);
  for (const int multiprocessors : {1, 3, 200}) {
    queue.multiprocessors = multiprocessors;
    expect(258, 66, 0.2f, {.few_groups = 0});
  }
}

// Groups of two tiles of columns, in parts of one stage of rows, all one block's: other columns for every stage, so that their
// ring wraps before the rows' does.
TEST_F(NtXentSm90, OtherColumnsForEveryStage) {
  queue.multiprocessors = 1;
  expect(258, 8, 0.2f, {.most_groups = 1});
}

TEST_F(NtXentSm90, EveryTemperature) {
  for (const float tau : {0.025f, 0.07f, 0.5f}) expect(130, 16, tau);
}

TEST_F(NtXentSm90, RowsOnNoSixteenBytes) {
  expect(130, 16, 0.2f, {}, 1);
  expect(130, 33, 0.2f, {}, 3);
}

TEST_F(NtXentSm90, OneSidedAndEqualRows) {
  std::vector<float> dloss(140, 0.f);
  for (size_t i = 0; i < dloss.size(); i += 2) dloss[i] = 2.f / 140;
  expect_oracle(draw(140, 8), 0.1f, dloss, Path::sm90);
  HostMatrix<float> same(140, 8, 0.f);
  for (int64_t i = 0; i < 140; ++i) same.view().row(i)[3] = 1.f;
  expect_oracle(same, 0.1f, std::vector<float>(140, 1.f / 140), Path::sm90);
}

// The same bits in every run, of forward on every device.
TEST_F(NtXentSm90, IsDeterministic) {
  const HostMatrix<float> z = draw(450, 16);
  const Results once = results(z, queue), again = results(z, queue);
  EXPECT_EQ(once, again);
  for (const int multiprocessors : {1, 7}) {
    Queue q = queue;
    q.multiprocessors = multiprocessors;
    const Results other = results(z, q);
    EXPECT_EQ(other.lse, once.lse);
    EXPECT_EQ(other.loss, once.loss);
  }
}

TEST_F(NtXentSm90, NanReachesEveryLossAndGradientAndNoInfinityIsLost) {
  for (const int64_t rows : {130, 514})
    for (const float bad : {NAN, INFINITY}) {
      SCOPED_TRACE(testing::Message() << rows << " rows, " << bad);
      HostMatrix<float> z = draw(rows, 16);
      z.view().row(5)[3] = bad;
      const Results r = results(z, queue);
      for (int64_t i = 0; i < rows; ++i) {
        const float v = r.loss[static_cast<size_t>(i)];
        const bool reached = std::isnan(bad) ? std::isnan(v) : !std::isfinite(v);
        EXPECT_TRUE(reached || (bad == INFINITY && i != 5 && z.view().row(i)[3] <= 0)) << i;
      }
      for (const float v : r.dz) ASSERT_TRUE(std::isnan(v) || bad == INFINITY);
    }
}

TEST_F(NtXentSm90, OnlyWhereItCan) {
  const OnDevice<float> z(draw(8, 129)), out(std::vector<float>(8, 3.f)), dz(std::vector<float>(8 * 129, 3.f));
  const auto takes = [&](int64_t dim, float tau, Queue q, int64_t anchors = 8) {
    const Matrix<float> rows{z.data(), 8, dim}, some{z.data(), anchors, dim}, gradient{dz.data(), 8, dim};
    const bool forward = cuda::ntxent_forward_sm90({.anchors = some,
                                                    .keys = rows,
                                                    .tau = tau,
                                                    .lse = out.span().first(anchors),
                                                    .loss = out.span().first(anchors)},
                                                   q);
    if (anchors != 8) return forward;
    const bool backward = cuda::ntxent_backward_sm90({.anchors = rows,
                                                      .keys = rows,
                                                      .lse = out.span(),
                                                      .dloss = out.span(),
                                                      .tau = tau,
                                                      .danchors = gradient,
                                                      .dkeys = gradient},
                                                     q);
    EXPECT_EQ(forward, backward);
    return forward;
  };
  EXPECT_FALSE(takes(129, 0.1f, queue));
  EXPECT_FALSE(takes(128, 0.024f, queue));
  EXPECT_FALSE(takes(128, 0.1f, queue, 4));
  const Matrix<float> rows{z.data(), 8, 128};
  const NtXentForward<float> forward{.anchors = rows, .keys = rows, .tau = 0.1f, .lse = out.span(), .loss = out.span()};
  EXPECT_FALSE(cuda::ntxent_forward_sm90(forward, queue, {.most_groups = 0}));
  for (const int other : {80, 89, 100}) {
    Queue q = queue;
    q.sm = other;
    EXPECT_FALSE(takes(128, 0.1f, q)) << other;
  }
  EXPECT_EQ(out.host(), std::vector<float>(8, 3.f));
  EXPECT_EQ(dz.host(), std::vector<float>(8 * 129, 3.f));
  EXPECT_TRUE(takes(128, 0.1f, queue));
}

#ifdef KITH_SIMT
// Two groups of which the second has 64 rows, whole or in parts: scores of two groups are taken once, and columns copied once for
// all pieces of a block that have them.
TEST_F(NtXentSm90, TakesHalfOfTheScores) {
  for (const int few : {0, 32})
    for (const int multiprocessors : {1, 2}) {
      queue.multiprocessors = multiprocessors;
      simt::options().count = true;
      simt::records().clear();
      results(draw(320, 64), queue, {.few_groups = few});
      simt::options().count = false;
      const auto forward =
          std::ranges::find(simt::records(), std::string("ntxent_forward_sm90"), &simt::LaunchRecord::kernel);
      ASSERT_NE(forward, simt::records().end());
      const uint64_t tiles = 4 + 4 + 1;  // of 64 rows: a pair of groups with each other, and both with themselves
      EXPECT_EQ(forward->counts.wgmma_flops, tiles * 2 * 64 * 256 * 64);
      const uint64_t columns = 256 + 64 + (few != 0 && multiprocessors == 2 ? 64 : 0);  // a block begins within a group
      EXPECT_EQ(forward->counts.tensor_bytes, (tiles * 64 + columns) * 64 * 2);
      EXPECT_EQ(std::ranges::count(simt::records(), std::string("ntxent_prepare_sm90"), &simt::LaunchRecord::kernel),
                2);
    }
}

// The entries take it from so many rows on, and one row pair less is within the same bounds by the other path.
TEST_F(NtXentSm90, BackwardFromItsFewestRowsOn) {
  for (const int64_t rows : {cuda::kBackwardRowsSm90 - 2, cuda::kBackwardRowsSm90}) {
    const auto launches = launches_of(
        [&] { expect_oracle(draw(rows, 4), 0.2f, std::vector<float>(static_cast<size_t>(rows), 1.f), Path::bf16); });
    EXPECT_EQ(launches("ntxent_backward_sm90"), rows == cuda::kBackwardRowsSm90) << rows;
    EXPECT_EQ(launches("ntxent_forward_sm90"), 0) << rows;
  }
}

TEST_F(NtXentSm90, ForwardFromItsFewestRowsOn) {
  for (const int64_t rows : {cuda::kForwardRowsSm90 - 2, cuda::kForwardRowsSm90}) {
    const HostMatrix<float> z = draw(rows, 4);
    const OnDevice<float> d_z(z), lse(poison<float>(rows)), loss(poison<float>(rows));
    const auto launches = launches_of([&] {
      run_path(
          NtXentForward<float>{
              .anchors = d_z.matrix(), .keys = d_z.matrix(), .tau = 0.2f, .lse = lse.span(), .loss = loss.span()},
          Path::bf16, queue);
    });
    EXPECT_EQ(launches("ntxent_forward_sm90"), rows == cuda::kForwardRowsSm90) << rows;
    expect_forward(z, 0.2f, lse.host(), loss.host());
  }
}
#endif

class NtXentKeysSm90 : public OnSm90<NtXentKeysCuda> {};

// Backward of anchors and keys that are two arrays; forward is another path's.
TEST_F(NtXentKeysSm90, MatchesTheOracle) {
  // Rows of a block and columns of a tile, one less and one more, of either gradient; column tiles in several splits. Of
  // sixteen rows of a warp the last one meets itself in the first column of a tile, and the first one in the last.
  for (const ContrastShape& shape : {ContrastShape{1, 2, 1, kNoSelf, Positives::spread},
                                     {127, 129, 32, kNoSelf, Positives::shared},
                                     {129, 127, 65, kNoSelf, Positives::spread},
                                     {64, 130, 33, 64, Positives::spread},
                                     {65, 610, 16, 500, Positives::shared},
                                     {30, 258, 128, 101, Positives::partners},
                                     {16, 130, 8, 113, Positives::spread},
                                     {2, 130, 8, 127, Positives::spread}})
    expect_oracle(shape, 0.2f, Path::sm90);
}

TEST_F(NtXentKeysSm90, TheSquareCaseIsOneCase) { expect_square_case(Path::sm90); }

TEST_F(NtXentKeysSm90, PositivesShareTheRowsOfTheProducts) { expect_shares(Path::sm90); }

TEST_F(NtXentKeysSm90, NanReachesWhatTheContractSays) {
  for (const bool of_key : {false, true}) {
    Contrast<float> c = contrast({18, 130, 12, kNoSelf, Positives::spread}, 0.2f);
    (of_key ? c.keys : c.anchors).view().row(7)[11] = NAN;
    const Device d(c, 0.f);
    run(d.forward(), Path::sm90);
    run(d.backward(d.danchors.matrix(), d.dkeys.matrix(), Write::overwrite), Path::sm90);
    const std::vector<float> danchors = d.danchors.host();
    for (size_t e = 0; e < danchors.size(); ++e) EXPECT_EQ(std::isnan(danchors[e]), of_key || e / 12 == 7) << e;
    for (const float v : d.dkeys.host()) ASSERT_TRUE(std::isnan(v));
  }
}

}  // namespace
}  // namespace kith::test
