#include "kernels/cuda/core/splits.h"
#include "tests/kernels/cuda/ntxent_problem.h"

namespace kith::test {
namespace {

TEST_F(NtXentCuda, F32MatchesTheOracle) {
  // Minimum; rows and columns of a tile, 64, beyond dim 128 32: - 2, all, + 2; each padded dim (64, 128, 256) exactly, below and
  // above; five column tiles in two blocks, seven in three. Rows that start on no 16 bytes.
  for (const auto& [rows, dim] : {std::pair{4, 1},
                                  {62, 63},
                                  {64, 64},
                                  {66, 65},
                                  {258, 127},
                                  {130, 128},
                                  {30, 129},
                                  {32, 256},
                                  {34, 255},
                                  {200, 140}})
    expect_oracle(draw(rows, dim), 0.2f, normal(rows, Seed{3}), Path::f32);
  expect_oracle(draw(66, 36), 0.2f, normal(66, Seed{3}), Path::f32, 1);
}

TEST_F(NtXentCuda, Bf16MatchesTheOracle) {
  // 64 is one tile of columns and, of converted rows, one of rows and a group of forward; of prepared ones 128 are, up to dim
  // 128. Each padded dim (32, 64, 128, 256) exactly, below and above. 130: three column tiles, in two blocks of backward; 258:
  // five in two, a block holds three; 386: seven in three.
  for (const Path path : {Path::converted, Path::prepared})
    for (const auto& [rows, dim] : {std::pair{4, 1},
                                    {62, 32},
                                    {64, 33},
                                    {66, 64},
                                    {126, 32},
                                    {128, 31},
                                    {130, 100},
                                    {258, 16},
                                    {386, 10},
                                    {64, 128},
                                    {66, 129},
                                    {34, 255},
                                    {34, 256}})
      expect_oracle(draw(rows, dim), 0.2f, normal(rows, Seed{3}), path);
  expect_oracle(draw(66, 36), 0.2f, normal(66, Seed{3}), Path::converted, 1);
}

// Groups of forward that are more than one block's rows: two or three of 128, 256 or 512 rows, of which the last has 2, 64 or
// 130; of one group there are no columns to add.
TEST_F(NtXentCuda, GroupsOfSeveralBlocksRows) {
  for (const Path path : {Path::converted, Path::prepared})
    for (const auto& [rows, few] : {std::pair{130, 2}, {258, 2}, {258, 1}, {320, 3}, {386, 2}})
      expect_oracle(draw(rows, 12), 0.2f, normal(rows, Seed{3}), path, 0, {.most_groups = few});
}

// What the sums are made of follows from the rows alone: the same bits on devices of any size.
TEST_F(NtXentCuda, ForwardIsTheSameOnEveryDevice) {
  const int64_t rows = 258;
  for (const Path path : {Path::converted, Path::prepared}) {
    const OnDevice<float> z(draw(rows, 16));
    std::vector<float> first;
    for (const int multiprocessors : {1, 132}) {
      Queue q = queue;
      q.multiprocessors = multiprocessors;
      const OnDevice<float> lse(poison<float>(rows)), loss(poison<float>(rows));
      run_path(
          NtXentForward<float>{
              .anchors = z.matrix(), .keys = z.matrix(), .tau = 0.2f, .lse = lse.span(), .loss = loss.span()},
          path, q);
      if (first.empty()) first = loss.host();
      EXPECT_EQ(loss.host(), first);
    }
  }
}

TEST(Splits, FillADevice) {
  EXPECT_EQ(cuda::fullest_splits(32, 264, 8), 8);    // 256 blocks of 264; five would be 160
  EXPECT_EQ(cuda::fullest_splits(64, 264, 11), 4);   // 256; five are 320, two waves of which the second has 56
  EXPECT_EQ(cuda::fullest_splits(128, 264, 16), 2);  // 256
  EXPECT_EQ(cuda::fullest_splits(64, 396, 32), 6);   // 384
  EXPECT_EQ(cuda::fullest_splits(264, 264, 9), 1);
  EXPECT_EQ(cuda::fullest_splits(32, 264, 5), 5);     // no more than are wanted
  EXPECT_GE(cuda::fullest_splits(1, 264, 500), 257);  // nearly all that fit
  EXPECT_EQ(cuda::fullest_splits(32, 264, 0), 1);
}

#ifdef KITH_SIMT
// Nine column tiles: with few rows, whose tiles wait, four blocks share them, two to a block or three; of many rows bytes decide,
// and three do.
TEST_F(NtXentCuda, BackwardOfFewRowsIsSharedByMoreBlocks) {
  const OnDevice<float> z(draw(514, 8)), lse(std::vector<float>(514, 6.f)), dloss(std::vector<float>(514, 1.f)),
      dz(poison<float>(514 * 8));
  for (const Path path : {Path::converted, Path::prepared}) {
    simt::options().count = true;
    simt::records().clear();
    run_path(NtXentBackward<float>{.anchors = z.matrix(),
                                   .keys = z.matrix(),
                                   .lse = lse.span(),
                                   .dloss = dloss.span(),
                                   .tau = 0.2f,
                                   .danchors = {dz.data(), 514, 8},
                                   .dkeys = {dz.data(), 514, 8}},
             path, queue);
    simt::options().count = false;
    const auto backward =
        std::ranges::find(simt::records(), std::string("ntxent_backward_mma"), &simt::LaunchRecord::kernel);
    ASSERT_NE(backward, simt::records().end());
    EXPECT_EQ(backward->grid.y, path == Path::converted ? 4u : 3u);
  }
}
#endif

// Both forms of the exponentials, in one block and joined from several.
TEST_F(NtXentCuda, EveryTemperature) {
  for (const Path path : kPaths)
    for (const float tau : {0.01f, 0.024f, 0.025f, 0.07f, 0.5f})
      for (const int64_t rows : {20, 258})
        if (rows == 20 || (path != Path::prepared && (tau == 0.01f || tau == 0.5f)))
          expect_oracle(draw(rows, 16), tau, normal(rows, Seed{3}), path);
}

TEST_F(NtXentCuda, OneSidedAndEqualRows) {
  for (const Path path : kPaths) {
    std::vector<float> dloss(24, 0.f);
    for (size_t i = 0; i < dloss.size(); i += 2) dloss[i] = 2.f / 24;
    expect_oracle(draw(24, 8), 0.1f, dloss, path);
    expect_oracle(draw(24, 8), 0.01f, dloss, path);
    HostMatrix<float> same(24, 8, 0.f);
    for (int64_t i = 0; i < 24; ++i) same.view().row(i)[3] = 1.f;
    expect_oracle(same, 0.1f, std::vector<float>(24, 1.f / 24), path);
  }
}

// Five row tiles, of which several blocks share each: their tickets are the queue's, or the launch's own where the queue has
// too few. The bits are the same, and what the queue lent is zero again.
TEST_F(NtXentCuda, TicketsOfTheQueueOrOfTheLaunch) {
  const int64_t rows = 258;
  const HostMatrix<float> z = draw(rows, 16);
  const auto bits = [&](std::span<unsigned> tickets) {
    Queue q = queue;
    q.tickets = tickets;
    const Passes passes(z, q);
    std::vector<float> all = passes.lse.host();
    for (const std::vector<float>& more : {passes.loss.host(), passes.dz.host()})
      all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  const std::vector<float> want = bits({});
  const OnDevice<unsigned> few(std::vector<unsigned>(4, 1)), enough(std::vector<unsigned>(5, 0));
  EXPECT_EQ(bits(few.span()), want);  // are not touched: a count that starts at 1 would end too early
  EXPECT_EQ(few.host(), std::vector<unsigned>(4, 1));
  for (int run = 0; run < 2; ++run) {
    EXPECT_EQ(bits(enough.span()), want);
    EXPECT_EQ(enough.host(), std::vector<unsigned>(5, 0));
  }
}

TEST_F(NtXentCuda, OfDevicesOfAnySize) {
  for (const int multiprocessors : {1, 4, 200}) {
    queue.multiprocessors = multiprocessors;
    for (const Path path : {Path::f32, Path::converted}) expect_oracle(draw(258, 16), 0.2f, normal(258, Seed{3}), path);
  }
}

TEST_F(NtXentCuda, RejectsAQueueWithoutMultiprocessors) {
  queue.multiprocessors = 0;
  const OnDevice<float> z(HostMatrix<float>(4, 8)), dz(HostMatrix<float>(4, 8)), of_rows(poison<float>(4));
  EXPECT_THROW(ntxent_backward({.anchors = z.matrix(),
                                .keys = z.matrix(),
                                .lse = of_rows.span(),
                                .dloss = of_rows.span(),
                                .tau = 0.1f,
                                .danchors = dz.matrix(),
                                .dkeys = dz.matrix(),
                                .products = Products::bf16},
                               queue),
               Error);
}

TEST_F(NtXentCuda, RejectsDimsItCannotHold) {
  const OnDevice<float> z(HostMatrix<float>(4, 257)), out(poison<float>(4));
  EXPECT_THROW(
      ntxent_forward({.anchors = z.matrix(), .keys = z.matrix(), .tau = 0.1f, .lse = out.span(), .loss = out.span()},
                     queue),
      Error);
}

// Every row meets the one that holds it; in one block and in several, in both forms of the exponentials. An infinity makes
// its own row's loss, and that of rows whose product with it is one of +infinity.
TEST_F(NtXentCuda, NanReachesEveryLossAndNoInfinityIsLost) {
  for (const Path path : kPaths)
    for (const float tau : {0.01f, 0.2f})
      for (const int64_t rows : {20, 258})
        for (const float bad : {NAN, INFINITY}) {
          SCOPED_TRACE(testing::Message()
                       << "path " << static_cast<int>(path) << ", tau " << tau << ", " << rows << " rows, " << bad);
          HostMatrix<float> z = draw(rows, 16);
          z.view().row(5)[3] = bad;
          const OnDevice<float> d_z(z), lse(poison<float>(rows)), loss(std::vector<float>(static_cast<size_t>(rows)));
          const NtXentForward<float> forward{
              .anchors = d_z.matrix(), .keys = d_z.matrix(), .tau = tau, .lse = lse.span(), .loss = loss.span()};
          run_path(forward, path, queue);
          const std::vector<float> losses = loss.host();
          for (int64_t i = 0; i < rows; ++i) {
            const float v = losses[static_cast<size_t>(i)];
            const bool reached = std::isnan(bad) ? std::isnan(v) : !std::isfinite(v);
            EXPECT_TRUE(reached || (bad == INFINITY && i != 5 && z.view().row(i)[3] <= 0)) << i;
          }
        }
}

}  // namespace
}  // namespace kith::test
