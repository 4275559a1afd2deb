#include "kernels/ntxent.h"

#include <algorithm>

#include "kernels/core/bf16.h"
#include "kernels/cuda/core/splits.h"
#include "kernels/cuda/ntxent.cuh"
#include "tests/support/device.h"

namespace kith::test {
namespace {

using namespace kernels;

// The f32 path, and the bf16 path with either source of operands.
enum class Path : uint8_t { f32, converted, prepared };
constexpr Path kPaths[] = {Path::f32, Path::converted, Path::prepared};

class NtXentCuda : public CudaKernel {
 protected:
  // z holds bf16 numbers where products are bf16: both sides then multiply the same operands. It starts `shifted` elements
  // behind an aligned address. `few_groups`: of forward's rows.
  void expect_oracle(const HostMatrix<float>& z, float tau, const std::vector<float>& dloss, Path path,
                     size_t shifted = 0, int few_groups = cuda::kFewGroups) {
    const int64_t rows = z.rows, dim = z.cols;
    SCOPED_TRACE(testing::Message() << rows << " x " << dim << ", tau " << tau << ", path " << static_cast<int>(path));
    const HostMatrix<double> wide = widen(z);
    const std::vector<double> wide_dloss = widen(dloss);
    std::vector<double> lse(dloss.size()), loss(dloss.size());
    HostMatrix<double> dz(rows, dim, 1.0);
    cpu::ntxent_forward<double>({.anchors = wide.view(), .keys = wide.view(), .tau = tau, .lse = lse, .loss = loss});
    cpu::ntxent_backward<double>({.anchors = wide.view(),
                                  .keys = wide.view(),
                                  .lse = lse,
                                  .dloss = wide_dloss,
                                  .tau = tau,
                                  .danchors = dz.view(),
                                  .dkeys = dz.view(),
                                  .write_danchors = Write::add});

    std::vector<float> padded(shifted + z.values.size(), NAN);
    std::ranges::copy(z.values, padded.begin() + static_cast<int64_t>(shifted));
    const OnDevice<float> buffer(padded), d_dloss(dloss), d_lse(poison<float>(rows)), d_loss(poison<float>(rows)),
        d_dz(HostMatrix<float>(rows, dim, 1.f));
    const Matrix<float> d_z{buffer.data() + shifted, rows, dim};
    const NtXentForward<float> forward{
        .anchors = d_z, .keys = d_z, .tau = tau, .lse = d_lse.span(), .loss = d_loss.span()};
    const NtXentBackward<float> backward{.anchors = d_z,
                                         .keys = d_z,
                                         .lse = d_lse.span(),
                                         .dloss = d_dloss.span(),
                                         .tau = tau,
                                         .danchors = d_dz.matrix(),
                                         .dkeys = d_dz.matrix(),
                                         .write_danchors = Write::add};
    if (path == Path::f32) {
      ntxent_forward(forward, queue);
      ntxent_backward(backward, queue);
    } else {
      const auto operands = path == Path::prepared ? cuda::Operands::prepared : cuda::Operands::converted;
      cuda::ntxent_forward_mma(forward, queue, operands, few_groups);
      cuda::ntxent_backward_mma(backward, queue, operands);
    }
    // s: dim roundings of a sum of unit magnitude, sqrt(dim) u in the mean, over tau; the exponential of an argument up to
    // 2 / tau carries its rounding; a sum of rows terms sqrt(rows) u. Factor 4 in hand.
    const double e =
        4 * kUnit * ((std::sqrt(static_cast<double>(dim)) + 2) / tau + std::sqrt(static_cast<double>(rows)) + 4);
    EXPECT_TRUE(close(d_lse.host(), lse, {.abs = e}));
    EXPECT_TRUE(close(d_loss.host(), loss, {.abs = 2 * e}));
    // dz is a sum of weights times z: relative error e of each weight, plus 2^-8 where weights are rounded to bf16, plus
    // the rounding of the accumulation.
    const double w = 2 * e + (path != Path::f32 ? 0x1p-8 : 0);
    std::vector<float> excess(dz.values.size());
    const std::vector<float> got = d_dz.host();
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t d = 0; d < dim; ++d) {
        double magnitude = 0;
        for (int64_t k = 0; k < rows; ++k) {
          if (k == i) continue;
          double s = 0;
          for (int64_t c = 0; c < dim; ++c) s += wide.view().row(i)[c] * wide.view().row(k)[c];
          const double weight = std::abs(wide_dloss[i]) * std::exp(s / tau - lse[i]) +
                                std::abs(wide_dloss[k]) * std::exp(s / tau - lse[k]);
          magnitude += (weight + (k == (i ^ 1) ? std::abs(wide_dloss[i]) + std::abs(wide_dloss[k]) : 0)) *
                       std::abs(wide.view().row(k)[d]);
        }
        const double limit = w * magnitude / tau + 2 * kUnit;
        excess[i * dim + d] = static_cast<float>((got[i * dim + d] - dz.view().row(i)[d]) / limit);
      }
    EXPECT_TRUE(close(excess, std::vector<float>(excess.size(), 0.f), {.abs = 1})) << "dz, in units of its bound";
  }

  static HostMatrix<float> draw(int64_t rows, int64_t dim, Path path) {
    HostMatrix<float> z = unit_rows(rows, dim, Seed{7});
    if (path != Path::f32)
      for (float& v : z.values) v = widen(narrow(v));
    return z;
  }
};

TEST_F(NtXentCuda, F32MatchesTheOracle) {
  // Minimum; anchors of a block - 2, all, + 2; columns of a tile, odd dims, the largest dim.
  for (const auto& [rows, dim] : {std::pair{4, 1}, {14, 31}, {16, 32}, {34, 33}, {66, 129}, {32, 256}})
    expect_oracle(draw(rows, dim, Path::f32), 0.2f, normal(rows, Seed{3}), Path::f32);
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
      expect_oracle(draw(rows, dim, path), 0.2f, normal(rows, Seed{3}), path);
  expect_oracle(draw(66, 36, Path::converted), 0.2f, normal(66, Seed{3}), Path::converted, 1);
}

// Groups of forward that are more than one block's rows: two or three of 128, 256 or 512 rows, of which the last has 2, 64 or
// 130; of one group there are no columns to add.
TEST_F(NtXentCuda, GroupsOfSeveralBlocksRows) {
  for (const Path path : {Path::converted, Path::prepared})
    for (const auto& [rows, few] : {std::pair{130, 2}, {258, 2}, {258, 1}, {320, 3}, {386, 2}})
      expect_oracle(draw(rows, 12, path), 0.2f, normal(rows, Seed{3}), path, 0, few);
}

// What the sums are made of follows from the rows alone: the same bits on devices of any size.
TEST_F(NtXentCuda, ForwardIsTheSameOnEveryDevice) {
  const int64_t rows = 258;
  for (const Path path : {Path::converted, Path::prepared}) {
    const OnDevice<float> z(draw(rows, 16, path));
    std::vector<float> first;
    for (const int multiprocessors : {1, 132}) {
      Queue q = queue;
      q.multiprocessors = multiprocessors;
      const OnDevice<float> lse(poison<float>(rows)), loss(poison<float>(rows));
      cuda::ntxent_forward_mma(
          {.anchors = z.matrix(), .keys = z.matrix(), .tau = 0.2f, .lse = lse.span(), .loss = loss.span()}, q,
          path == Path::prepared ? cuda::Operands::prepared : cuda::Operands::converted);
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

// Both forms of the exponentials, in one block and joined from several.
TEST_F(NtXentCuda, EveryTemperature) {
  for (const Path path : kPaths)
    for (const float tau : {0.01f, 0.024f, 0.025f, 0.07f, 0.5f})
      for (const int64_t rows : {20, 258})
        if (rows == 20 || (path == Path::converted && (tau == 0.01f || tau == 0.5f)))
          expect_oracle(draw(rows, 16, path), tau, normal(rows, Seed{3}), path);
}

TEST_F(NtXentCuda, OneSidedAndEqualRows) {
  for (const Path path : kPaths) {
    std::vector<float> dloss(24, 0.f);
    for (size_t i = 0; i < dloss.size(); i += 2) dloss[i] = 2.f / 24;
    expect_oracle(draw(24, 8, path), 0.1f, dloss, path);
    expect_oracle(draw(24, 8, path), 0.01f, dloss, path);
    HostMatrix<float> same(24, 8, 0.f);
    for (int64_t i = 0; i < 24; ++i) same.view().row(i)[3] = 1.f;
    expect_oracle(same, 0.1f, std::vector<float>(24, 1.f / 24), path);
  }
}

// Five row tiles, of which several blocks share each: their tickets are the queue's, or the launch's own where the queue has
// too few. The bits are the same, and what the queue lent is zero again.
TEST_F(NtXentCuda, TicketsOfTheQueueOrOfTheLaunch) {
  const int64_t rows = 258;
  const OnDevice<float> z(draw(rows, 16, Path::converted)), dloss(normal(rows, Seed{3}));
  const auto bits = [&](std::span<unsigned> tickets) {
    Queue q = queue;
    q.tickets = tickets;
    const OnDevice<float> lse(poison<float>(rows)), loss(poison<float>(rows)), dz(HostMatrix<float>(rows, 16));
    ntxent_forward({.anchors = z.matrix(),
                    .keys = z.matrix(),
                    .tau = 0.2f,
                    .lse = lse.span(),
                    .loss = loss.span(),
                    .products = Products::bf16},
                   q);
    ntxent_backward({.anchors = z.matrix(),
                     .keys = z.matrix(),
                     .lse = lse.span(),
                     .dloss = dloss.span(),
                     .tau = 0.2f,
                     .danchors = dz.matrix(),
                     .dkeys = dz.matrix(),
                     .products = Products::bf16},
                    q);
    std::vector<float> all = lse.host();
    for (const std::vector<float>& more : {loss.host(), dz.host()}) all.insert(all.end(), more.begin(), more.end());
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
    expect_oracle(draw(258, 16, Path::converted), 0.2f, normal(258, Seed{3}), Path::converted);
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
          if (rows != 20 && path == Path::f32) continue;  // never in several blocks
          SCOPED_TRACE(testing::Message()
                       << "path " << static_cast<int>(path) << ", tau " << tau << ", " << rows << " rows, " << bad);
          HostMatrix<float> z = draw(rows, 16, path);
          z.view().row(5)[3] = bad;
          const OnDevice<float> d_z(z), lse(poison<float>(rows)), loss(std::vector<float>(static_cast<size_t>(rows)));
          const NtXentForward<float> forward{
              .anchors = d_z.matrix(), .keys = d_z.matrix(), .tau = tau, .lse = lse.span(), .loss = loss.span()};
          if (path == Path::f32)
            ntxent_forward(forward, queue);
          else
            cuda::ntxent_forward_mma(forward, queue,
                                     path == Path::prepared ? cuda::Operands::prepared : cuda::Operands::converted);
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
