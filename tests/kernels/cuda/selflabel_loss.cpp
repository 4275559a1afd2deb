#include "kernels/selflabel_loss.h"

#include "tests/support/device.h"

namespace kith::test {
namespace {

using namespace kernels;

constexpr SelflabelMean kMeans[] = {SelflabelMean::balanced, SelflabelMean::kept, SelflabelMean::rows};

class SelflabelLossCuda : public CudaKernel {
 protected:
  struct Case {
    HostMatrix<float> weak, strong;  // weak without rows: labels
    float threshold = 0.5f;
    SelflabelMean mean = SelflabelMean::balanced;
    std::vector<int32_t> labels = {};
    std::vector<int64_t> index = {};
  };

  // Returns the number of kept rows.
  int expect_oracle(const Case& c) {
    const int64_t rows = c.strong.rows, classes = c.strong.cols;
    SCOPED_TRACE(testing::Message() << rows << " x " << classes);
    const HostMatrix<double> weak = widen(c.weak), strong = widen(c.strong);
    const std::vector<double> dloss{0.7};
    std::vector<int32_t> target(static_cast<size_t>(rows)), kept(1), seen(static_cast<size_t>(classes), 5);
    const OnDevice<int32_t> d_seen(seen);
    std::vector<double> weight(target.size()), loss(1);
    HostMatrix<double> dstrong(rows, classes, 1.0);
    cpu::selflabel_loss_forward<double>({.weak = c.labels.empty() ? weak.view() : Matrix<const double>{},
                                         .strong = strong.view(),
                                         .threshold = c.threshold,
                                         .labels = c.labels,
                                         .index = c.index,
                                         .mean = c.mean,
                                         .target = target,
                                         .weight = weight,
                                         .loss = loss,
                                         .kept = kept,
                                         .seen = seen});
    cpu::selflabel_loss_backward<double>({.strong = strong.view(),
                                          .target = target,
                                          .weight = weight,
                                          .dloss = dloss,
                                          .dstrong = dstrong.view(),
                                          .write = Write::add});

    const OnDevice<float> d_weak(c.weak), d_strong(c.strong), d_weight(poison<float>(rows)), d_loss(poison<float>(1)),
        d_dloss(std::vector<float>{0.7f}), d_dstrong(HostMatrix<float>(rows, classes, 1.f));
    const OnDevice<int32_t> d_target(poison<int32_t>(rows)), d_kept(poison<int32_t>(1)), d_labels(c.labels);
    const OnDevice<int64_t> d_index(c.index);
    cuda::selflabel_loss_forward({.weak = c.labels.empty() ? d_weak.matrix() : Matrix<float>{},
                                  .strong = d_strong.matrix(),
                                  .threshold = c.threshold,
                                  .labels = d_labels.span(),
                                  .index = d_index.span(),
                                  .mean = c.mean,
                                  .target = d_target.span(),
                                  .weight = d_weight.span(),
                                  .loss = d_loss.span(),
                                  .kept = d_kept.span(),
                                  .seen = d_seen.span()},
                                 queue);
    EXPECT_EQ(d_seen.host(), seen);
    cuda::selflabel_loss_backward({.strong = d_strong.matrix(),
                                   .target = d_target.span(),
                                   .weight = d_weight.span(),
                                   .dloss = d_dloss.span(),
                                   .dstrong = d_dstrong.matrix(),
                                   .write = Write::add},
                                  queue);
    EXPECT_EQ(d_target.host(), target);
    EXPECT_EQ(d_kept.host(), kept);
    double largest = 0;
    for (const float x : c.strong.values) largest = std::max(largest, std::abs(double{x}));
    // Cross-entropy: a logit's rounding, 2 ulp of exp and log, sums of classes and of rows; weights are one or two divisions.
    const double e =
        4 * kUnit * (2 * largest + 8 + std::sqrt(static_cast<double>(classes)) + std::sqrt(static_cast<double>(rows)));
    EXPECT_TRUE(close(d_weight.host(), weight, {.rel = 4 * kUnit}));
    EXPECT_TRUE(close(d_loss.host(), loss, {.abs = e, .rel = e}));
    EXPECT_TRUE(close(d_dstrong.host(), dstrong.values, {.abs = e}));
    return kept[0];
  }
};

// Classes around what 4, 8, 16 and 32 lanes hold; rows around a block: 32, 16, 8, 4.
TEST_F(SelflabelLossCuda, MatchesTheOracle) {
  for (const auto& [rows, classes] :
       {std::pair{1, 2}, {31, 10}, {32, 16}, {33, 16}, {15, 17}, {17, 32}, {9, 33}, {8, 64}, {5, 65}, {200, 10}})
    for (const SelflabelMean mean : kMeans)
      EXPECT_GT(expect_oracle(
                    {normal_rows(rows, classes, Seed{1}, 6.f), normal_rows(rows, classes, Seed{2}, 2.f), 0.3f, mean}),
                0);
}

// More rows than the last block has threads, and counts that do not fit shared memory.
TEST_F(SelflabelLossCuda, SeveralBlocks) {
  for (const auto& [rows, classes] : {std::pair{701, 100}, {1023, 20}, {65, 300}, {130, 9000}})
    EXPECT_GT(expect_oracle({normal_rows(rows, classes, Seed{1}, 6.f), normal_rows(rows, classes, Seed{2}, 2.f)}), 2);
}

TEST_F(SelflabelLossCuda, TheTicketIsLeftAsItWas) {
  const OnDevice<unsigned> tickets(std::vector<unsigned>(1));
  queue.tickets = tickets.span();
  for (int time = 0; time < 2; ++time) {
    EXPECT_GT(expect_oracle({normal_rows(200, 10, Seed{1}, 6.f), normal_rows(200, 10, Seed{2}, 2.f)}), 0);
    EXPECT_EQ(tickets.host(), std::vector<unsigned>(1));
  }
}

#ifdef KITH_SIMT
TEST_F(SelflabelLossCuda, OneLaunchForwardAndOneBackward) {
  simt::options().count = true;
  simt::records().clear();
  expect_oracle({normal_rows(1023, 10, Seed{1}, 6.f), normal_rows(1023, 10, Seed{2}, 2.f)});
  simt::options().count = false;
  ASSERT_EQ(simt::records().size(), 2u);
  EXPECT_EQ(simt::records()[0].grid.x, 32u);  // 32 rows to a block
}
#endif

TEST_F(SelflabelLossCuda, NoConfidentRowGivesZeroLossAndZeroGradient) {
  EXPECT_EQ(expect_oracle({normal_rows(20, 5, Seed{1}), normal_rows(20, 5, Seed{2}), 1.f}), 0);
}

TEST_F(SelflabelLossCuda, LabelsInPlaceOfWeakRows) {
  for (const auto& [rows, classes] : {std::pair{20, 5}, {701, 100}}) {  // one block, several
    Case c{.weak = HostMatrix<float>(0, 0), .strong = normal_rows(rows, classes, Seed{2}, 2.f)};
    for (int i = 0; i < rows + 3; ++i) c.labels.push_back(i * 7 % (classes + 1) - 1);
    for (int i = 0; i < rows; ++i) c.index.push_back((i * 5 + 2) % (rows + 3));
    EXPECT_GT(expect_oracle(c), rows / 2);
  }
}

// What the CPU refuses makes the loss and the row NaN, and leaves the other rows alone.
TEST_F(SelflabelLossCuda, LabelsThatAreNoClass) {
  for (const auto& [label, image] : {std::pair{-2, 1}, {3, 1}, {0, -1}, {0, 4}}) {
    SCOPED_TRACE(testing::Message() << "label " << label << ", image " << image);
    const OnDevice<float> strong(normal_rows(3, 3, Seed{2})), weight(poison<float>(3)), loss(poison<float>(1)),
        dloss(std::vector<float>{1.f}), dstrong(poison<float>(9));
    const OnDevice<int32_t> labels(std::vector<int32_t>{0, label, 2, -1}), target(poison<int32_t>(3)),
        kept(poison<int32_t>(1));
    const OnDevice<int64_t> index(std::vector<int64_t>{0, image, 2});
    selflabel_loss_forward({.strong = strong.matrix(),
                            .labels = labels.span(),
                            .index = index.span(),
                            .target = target.span(),
                            .weight = weight.span(),
                            .loss = loss.span(),
                            .kept = kept.span()},
                           queue);
    selflabel_loss_backward({.strong = strong.matrix(),
                             .target = target.span(),
                             .weight = weight.span(),
                             .dloss = dloss.span(),
                             .dstrong = {dstrong.data(), 3, 3}},
                            queue);
    EXPECT_EQ(target.host(), (std::vector<int32_t>{0, -2, 2}));
    EXPECT_EQ(kept.host(), std::vector<int32_t>{2});
    EXPECT_TRUE(std::isnan(loss.host()[0]));
    const std::vector<float> d = dstrong.host();
    for (size_t i = 0; i < d.size(); ++i) EXPECT_EQ(std::isnan(d[i]), i / 3 == 1) << i;
  }
}

TEST_F(SelflabelLossCuda, TiesAndSaturation) {
  HostMatrix<float> weak(4, 5, 1.f);  // row 0: all equal, the lowest class wins
  weak.view().row(1)[3] = 80.f;
  weak.view().row(2)[2] = weak.view().row(2)[4] = 80.f;
  weak.view().row(3)[0] = -80.f;
  const HostMatrix<float> strong = normal_rows(4, 5, Seed{2}, 30.f);
  EXPECT_EQ(expect_oracle({weak, strong, 0.1f}), 4);
  EXPECT_EQ(expect_oracle({weak, strong, 0.5f}), 1);  // row 2's confidence is a half, and not above it
}

// In one block and in several: of a strong row that is kept, of one that is not, of a weak row.
TEST_F(SelflabelLossCuda, NanAndInfinityReachWhatTheContractSays) {
  for (const float bad : {NAN, INFINITY})
    for (const auto& [rows, classes] : {std::pair{20, 5}, {701, 100}})
      for (const int at : rows == 20 ? std::vector{0, 2, classes - 1} : std::vector(std::isnan(bad) ? 1 : 0, 70))
        for (const int row : {3, 4})
          for (const bool of_weak : {true, false}) {
            SCOPED_TRACE(testing::Message() << bad << ", " << rows << " x " << classes << ", row " << row << ", class "
                                            << at << ", weak " << of_weak);
            HostMatrix<float> weak(rows, classes, 0.f), strong = normal_rows(rows, classes, Seed{2});
            for (int i = 0; i < rows; i += 2) weak.view().row(i)[1] = 80.f;  // even rows are kept
            (of_weak ? weak : strong).view().row(row)[at] = bad;
            const OnDevice<float> d_weak(weak), d_strong(strong), weight(poison<float>(rows)),
                loss(std::vector<float>(1)), dloss(std::vector<float>{1.f}), d(HostMatrix<float>(rows, classes));
            const OnDevice<int32_t> target(poison<int32_t>(rows)), kept(poison<int32_t>(1));
            selflabel_loss_forward({.weak = d_weak.matrix(),
                                    .strong = d_strong.matrix(),
                                    .threshold = 0.5f,
                                    .target = target.span(),
                                    .weight = weight.span(),
                                    .loss = loss.span(),
                                    .kept = kept.span()},
                                   queue);
            selflabel_loss_backward({.strong = d_strong.matrix(),
                                     .target = target.span(),
                                     .weight = weight.span(),
                                     .dloss = dloss.span(),
                                     .dstrong = d.matrix()},
                                    queue);
            const bool reaches = of_weak || row == 4;
            EXPECT_EQ(std::isnan(loss.host()[0]), reaches);
            EXPECT_EQ(target.host()[static_cast<size_t>(row)], of_weak ? -2 : row == 4 ? 1 : -1);
            EXPECT_EQ(kept.host()[0], (rows + 1) / 2 - (of_weak && row == 4 ? 1 : 0));
            const std::vector<float> gradient = d.host();
            for (int64_t i = 0; i < int64_t{rows} * classes; ++i)
              ASSERT_EQ(std::isnan(gradient[static_cast<size_t>(i)]), reaches && i / classes == row) << i;
          }
}

}  // namespace
}  // namespace kith::test
