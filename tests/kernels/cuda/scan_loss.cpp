#include "kernels/scan_loss.h"

#include <cmath>

#include "tests/support/device.h"

namespace kith::test {
namespace {

using namespace kernels;

class ScanLossCuda : public CudaKernel {
 protected:
  void expect_oracle(int64_t heads, int64_t rows, int64_t classes, const std::vector<float>& a,
                     const std::vector<float>& b) {
    SCOPED_TRACE(testing::Message() << heads << " x " << rows << " x " << classes);
    const std::vector<float> dloss = normal(heads, Seed{3});
    const std::vector<double> wa = widen(a), wb = widen(b), wd = widen(dloss);
    const double lambda = 5;
    std::vector<double> loss(dloss.size()), consistency(loss), entropy(loss), da(a.size(), 1.0), db(a.size(), 1.0);
    HostMatrix<double> pbar(heads, classes);
    cpu::scan_loss_forward<double>({.anchors = wa.data(),
                                    .neighbours = wb.data(),
                                    .heads = heads,
                                    .rows = rows,
                                    .classes = classes,
                                    .lambda = lambda,
                                    .loss = loss,
                                    .consistency = consistency,
                                    .entropy = entropy,
                                    .pbar = pbar.view()});
    cpu::scan_loss_backward<double>({.anchors = wa.data(),
                                     .neighbours = wb.data(),
                                     .heads = heads,
                                     .rows = rows,
                                     .classes = classes,
                                     .lambda = lambda,
                                     .pbar = std::as_const(pbar).view(),
                                     .dloss = wd,
                                     .danchors = da.data(),
                                     .dneighbours = db.data(),
                                     .write_anchors = Write::add,
                                     .write_neighbours = Write::add});

    const OnDevice<float> d_a(a), d_b(b), d_dloss(dloss), d_loss(poison<float>(heads)),
        d_consistency(poison<float>(heads)), d_entropy(poison<float>(heads)),
        d_pbar(HostMatrix<float>(heads, classes, NAN)), d_da(std::vector<float>(a.size(), 1.f)),
        d_db(std::vector<float>(a.size(), 1.f));
    cuda::scan_loss_forward({.anchors = d_a.data(),
                             .neighbours = d_b.data(),
                             .heads = heads,
                             .rows = rows,
                             .classes = classes,
                             .lambda = 5.f,
                             .loss = d_loss.span(),
                             .consistency = d_consistency.span(),
                             .entropy = d_entropy.span(),
                             .pbar = d_pbar.matrix()},
                            queue);
    cuda::scan_loss_backward({.anchors = d_a.data(),
                              .neighbours = d_b.data(),
                              .heads = heads,
                              .rows = rows,
                              .classes = classes,
                              .lambda = 5.f,
                              .pbar = d_pbar.matrix(),
                              .dloss = d_dloss.span(),
                              .danchors = d_da.data(),
                              .dneighbours = d_db.data(),
                              .write_anchors = Write::add,
                              .write_neighbours = Write::add},
                             queue);
    // As for the CPU backend (tests/kernels/scan_loss.cpp): relative error e of a probability, 3 e of log <p, q>.
    double logits = 0, upstream = 0;
    for (const auto* v : {&a, &b})
      for (const float x : *v) logits = std::max(logits, std::abs(double{x}));
    for (const float x : dloss) upstream = std::max(upstream, std::abs(double{x}));
    const double slope = 1 + std::log(1e8);
    const double e =
        2 * kUnit * (4 * logits + 8 + std::sqrt(static_cast<double>(classes)) + std::sqrt(static_cast<double>(rows)));
    EXPECT_TRUE(close(d_consistency.host(), consistency, {.abs = 3 * e, .rel = 2 * kUnit}));
    EXPECT_TRUE(close(d_pbar.host(), pbar.values, {.abs = 0x1p-126, .rel = e}));
    EXPECT_TRUE(close(d_entropy.host(), entropy, {.abs = e * slope}));
    EXPECT_TRUE(close(d_loss.host(), loss, {.abs = e * (3 + lambda * slope)}));
    const double gradient = upstream / static_cast<double>(rows) * (2 + 2 * lambda * slope) * 2 * e + 2 * kUnit;
    EXPECT_TRUE(close(d_da.host(), da, {.abs = gradient}));
    EXPECT_TRUE(close(d_db.host(), db, {.abs = gradient}));
  }
};

// Classes around what 4, 8, 16 and 32 lanes hold, and around a block; rows around a part: 64, 32, 16, 16.
TEST_F(ScanLossCuda, MatchesTheOracle) {
  for (const auto& [heads, rows, classes] : {std::tuple{1, 1, 2},
                                             {7, 40, 10},
                                             {1, 63, 10},
                                             {2, 64, 16},
                                             {1, 65, 3},
                                             {3, 33, 17},
                                             {2, 31, 20},
                                             {1, 32, 32},
                                             {2, 17, 33},
                                             {1, 16, 64},
                                             {2, 15, 65},
                                             {2, 17, 127},
                                             {1, 7, 128},
                                             {2, 17, 255},
                                             {1, 9, 256},
                                             {1, 16, 300}}) {
    const int64_t size = int64_t{heads} * rows * classes;
    expect_oracle(heads, rows, classes, normal(size, Seed{1}, 2.f), normal(size, Seed{2}, 2.f));
  }
}

// Parts of which one block adds 32: 16 of them, 33, 64; and a head for each of many.
TEST_F(ScanLossCuda, PartsAreJoined) {
  for (const auto& [heads, rows, classes] : {std::tuple{2, 1023, 10}, {1, 2049, 2}, {2, 1023, 65}, {50, 130, 20}}) {
    const int64_t size = int64_t{heads} * rows * classes;
    expect_oracle(heads, rows, classes, normal(size, Seed{1}), normal(size, Seed{2}));
  }
}

// Of the queue: launches that follow one another, heads that share an array.
TEST_F(ScanLossCuda, TicketsAreLeftAsTheyWere) {
  const int64_t heads = 3, rows = 2049, classes = 2;  // 33 parts, 2 joins of them and 1 of those
  const OnDevice<unsigned> tickets(std::vector<unsigned>(9));
  queue.tickets = tickets.span();
  for (int time = 0; time < 2; ++time) {
    expect_oracle(heads, rows, classes, normal(heads * rows * classes, Seed{1}),
                  normal(heads * rows * classes, Seed{2}));
    EXPECT_EQ(tickets.host(), std::vector<unsigned>(9));
  }
}

#ifdef KITH_SIMT
TEST_F(ScanLossCuda, OneLaunchForwardAndOneBackward) {
  simt::options().count = true;
  simt::records().clear();
  expect_oracle(2, 1023, 10, normal(20460, Seed{1}), normal(20460, Seed{2}));
  simt::options().count = false;
  ASSERT_EQ(simt::records().size(), 2u);
  EXPECT_EQ(simt::records()[0].grid.x, 16u);  // 64 rows to a block
  EXPECT_EQ(simt::records()[0].grid.y, 2u);
}
#endif

TEST_F(ScanLossCuda, SaturatedLogitsAndClampedTerms) {
  const int64_t rows = 16, classes = 10;
  std::vector<float> a(rows * classes, -80.f), b(a);
  for (int64_t i = 0; i < rows; ++i) {
    a[i * classes + i % 3] = 80.f;            // three classes only: pbar of the others is clamped
    b[i * classes + (i + i / 8) % 3] = 80.f;  // the second half disagrees: log <p, q> is about -160, clamped at -100
  }
  expect_oracle(1, rows, classes, a, b);
  expect_oracle(1, rows, classes, std::vector<float>(rows * classes, 0.f), std::vector<float>(rows * classes, 0.f));
}

// Maxima are subtracted from each other before logarithms join them: what is added to all logits, exactly, leaves every bit.
TEST_F(ScanLossCuda, LogitsThatAreAllLargerGiveTheSameBits) {
  const int64_t rows = 20, classes = 10;
  const auto losses = [&](float shift) {
    std::vector<float> logits[2] = {normal(rows * classes, Seed{1}), normal(rows * classes, Seed{2})};
    for (std::vector<float>& side : logits)
      for (float& x : side) x = std::round(x * 1024) / 1024 + shift;  // 1024 + 2^-10: 21 bits
    const OnDevice<float> a(logits[0]), b(logits[1]), out(poison<float>(3)), pbar(HostMatrix<float>(1, classes));
    cuda::scan_loss_forward({.anchors = a.data(),
                             .neighbours = b.data(),
                             .heads = 1,
                             .rows = rows,
                             .classes = classes,
                             .lambda = 5.f,
                             .loss = out.span().first(1),
                             .consistency = out.span().subspan(1, 1),
                             .entropy = out.span().last(1),
                             .pbar = pbar.matrix()},
                            queue);
    return out.host();
  };
  EXPECT_EQ(losses(1024.f), losses(0.f));
}

TEST_F(ScanLossCuda, OnlyTheWantedGradientIsWritten) {
  const std::vector<float> a = normal(40, Seed{1});
  const OnDevice<float> d_a(a), pbar(std::vector<float>(10, 0.1f)), dloss(std::vector<float>(1, 1.f)),
      out(poison<float>(40));
  cuda::scan_loss_backward({.anchors = d_a.data(),
                            .neighbours = d_a.data(),
                            .heads = 1,
                            .rows = 4,
                            .classes = 10,
                            .lambda = 5.f,
                            .pbar = {pbar.data(), 1, 10},
                            .dloss = dloss.span(),
                            .danchors = nullptr,
                            .dneighbours = out.data()},
                           queue);
  for (const float v : out.host()) EXPECT_FALSE(std::isnan(v));
}

// Of anchors and of neighbours, in one part per head and in several.
TEST_F(ScanLossCuda, NanAndInfinityReachWhatTheContractSays) {
  for (const float bad : {NAN, INFINITY})
    for (const auto& [rows, classes] : {std::pair{9, 3}, {9, 40}, {661, 100}})
      for (const bool of_anchors : {true, false})
        for (const int at : rows == 9 ? std::vector{0, 1, classes - 1} : std::vector(std::isnan(bad) ? 1 : 0, 70)) {
          SCOPED_TRACE(testing::Message()
                       << bad << ", " << rows << " x " << classes << ", anchors " << of_anchors << ", class " << at);
          const int64_t size = int64_t{rows} * classes, place = size + 5 * classes + at;  // head 1, row 5
          std::vector<float> a = normal(2 * size, Seed{1}), b = normal(2 * size, Seed{2});
          (of_anchors ? a : b)[static_cast<size_t>(place)] = bad;
          const OnDevice<float> d_a(a), d_b(b), loss(std::vector<float>(2)), consistency(std::vector<float>(2)),
              entropy(std::vector<float>(2)), pbar(HostMatrix<float>(2, classes)), dloss(std::vector<float>(2, 1.f)),
              da(std::vector<float>(a.size())), db(std::vector<float>(b.size()));
          cuda::scan_loss_forward({.anchors = d_a.data(),
                                   .neighbours = d_b.data(),
                                   .heads = 2,
                                   .rows = rows,
                                   .classes = classes,
                                   .lambda = 5.f,
                                   .loss = loss.span(),
                                   .consistency = consistency.span(),
                                   .entropy = entropy.span(),
                                   .pbar = pbar.matrix()},
                                  queue);
          cuda::scan_loss_backward({.anchors = d_a.data(),
                                    .neighbours = d_b.data(),
                                    .heads = 2,
                                    .rows = rows,
                                    .classes = classes,
                                    .lambda = 5.f,
                                    .pbar = pbar.matrix(),
                                    .dloss = dloss.span(),
                                    .danchors = da.data(),
                                    .dneighbours = db.data()},
                                   queue);
          for (size_t h = 0; h < 2; ++h) {
            EXPECT_EQ(std::isnan(loss.host()[h]), h == 1);
            EXPECT_EQ(std::isnan(consistency.host()[h]), h == 1);
            EXPECT_EQ(std::isnan(entropy.host()[h]), h == 1 && of_anchors);
          }
          const std::vector<float> mean = pbar.host(), of_a = da.host(), of_b = db.host();
          for (int c = 0; c < 2 * classes; ++c)
            EXPECT_EQ(std::isnan(mean[static_cast<size_t>(c)]), of_anchors && c >= classes) << c;
          for (int64_t i = 0; i < 2 * size; ++i) {
            const bool row = i / classes == rows + 5;
            ASSERT_EQ(std::isnan(of_a[static_cast<size_t>(i)]), of_anchors ? i >= size : row) << i;
            ASSERT_EQ(std::isnan(of_b[static_cast<size_t>(i)]), row) << i;
          }
        }
}

}  // namespace
}  // namespace kith::test
