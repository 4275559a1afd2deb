#include "kernels/selflabel_loss.h"

#include "tests/support/device.h"

namespace kith::test {
namespace {

using namespace kernels;

class SelflabelLossCuda : public CudaKernel {
 protected:
  struct Case {
    HostMatrix<float> weak, strong;
    float threshold = 0.5f;
    std::vector<float> thresholds = {};
    bool balance = true;
  };

  // Returns the number of kept rows.
  int expect_oracle(const Case& c) {
    const int64_t rows = c.weak.rows, classes = c.weak.cols;
    SCOPED_TRACE(testing::Message() << rows << " x " << classes);
    const HostMatrix<double> weak = widen(c.weak), strong = widen(c.strong);
    const std::vector<double> thresholds = widen(c.thresholds), dloss{0.7};
    std::vector<int32_t> target(static_cast<size_t>(rows)), kept(1), seen(static_cast<size_t>(classes), 5);
    const OnDevice<int32_t> d_seen(seen);
    std::vector<double> weight(target.size()), loss(1);
    HostMatrix<double> dstrong(rows, classes, 1.0);
    cpu::selflabel_loss_forward<double>({.weak = weak.view(),
                                         .strong = strong.view(),
                                         .threshold = c.threshold,
                                         .thresholds = thresholds,
                                         .balance = c.balance,
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

    const OnDevice<float> d_weak(c.weak), d_strong(c.strong), d_thresholds(c.thresholds), d_weight(poison<float>(rows)),
        d_loss(poison<float>(1)), d_dloss(std::vector<float>{0.7f}), d_dstrong(HostMatrix<float>(rows, classes, 1.f));
    const OnDevice<int32_t> d_target(poison<int32_t>(rows)), d_kept(poison<int32_t>(1));
    cuda::selflabel_loss_forward({.weak = d_weak.matrix(),
                                  .strong = d_strong.matrix(),
                                  .threshold = c.threshold,
                                  .thresholds = d_thresholds.span(),
                                  .balance = c.balance,
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

TEST_F(SelflabelLossCuda, MatchesTheOracle) {
  for (const auto& [rows, classes] : {std::pair{1, 2}, {15, 31}, {16, 32}, {17, 33}, {200, 10}})
    for (const bool balance : {true, false})
      EXPECT_GT(
          expect_oracle(
              {normal_rows(rows, classes, Seed{1}, 6.f), normal_rows(rows, classes, Seed{2}, 2.f), 0.3f, {}, balance}),
          0);
}

TEST_F(SelflabelLossCuda, SeveralBlocks) {
  EXPECT_GT(expect_oracle({normal_rows(701, 100, Seed{1}, 6.f), normal_rows(701, 100, Seed{2}, 2.f)}), 100);
}

TEST_F(SelflabelLossCuda, NoConfidentRowGivesZeroLossAndZeroGradient) {
  EXPECT_EQ(expect_oracle({normal_rows(20, 5, Seed{1}), normal_rows(20, 5, Seed{2}), 1.f}), 0);
}

TEST_F(SelflabelLossCuda, ThresholdsPerClassTiesAndSaturation) {
  EXPECT_GT(expect_oracle({normal_rows(64, 3, Seed{1}, 3.f), normal_rows(64, 3, Seed{2}), 0.f, {0.9f, 2.f, 0.4f}}), 0);
  HostMatrix<float> weak(4, 5, 1.f);  // row 0: all equal, the lowest class wins
  weak.view().row(1)[3] = 80.f;
  weak.view().row(2)[2] = weak.view().row(2)[4] = 80.f;
  weak.view().row(3)[0] = -80.f;
  EXPECT_EQ(expect_oracle({weak, normal_rows(4, 5, Seed{2}, 30.f), 0.1f}), 4);
}

}  // namespace
}  // namespace kith::test
