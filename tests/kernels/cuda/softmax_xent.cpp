#include "kernels/softmax_xent.h"

#include "tests/support/device.h"

namespace kith::test {
namespace {

using namespace kernels;

class SoftmaxXentCuda : public CudaKernel {
 protected:
  void expect_oracle(const HostMatrix<float>& logits) {
    SCOPED_TRACE(testing::Message() << logits.rows << " x " << logits.cols);
    const int64_t rows = logits.rows, classes = logits.cols;
    std::vector<int32_t> labels(static_cast<size_t>(rows));
    for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int32_t>(i * 7 % static_cast<size_t>(classes));
    const std::vector<float> dloss = normal(rows, Seed{3});

    const HostMatrix<double> wide = widen(logits);
    const std::vector<double> wide_dloss = widen(dloss);
    std::vector<double> loss(labels.size());
    HostMatrix<double> dlogits(rows, classes, 1.0), p(rows, classes);
    cpu::softmax_xent_forward<double>({.logits = wide.view(), .labels = labels, .loss = loss});
    cpu::softmax_xent_backward<double>(
        {.logits = wide.view(), .labels = labels, .dloss = wide_dloss, .dlogits = dlogits.view(), .write = Write::add});
    cpu::softmax_rows<double>({.logits = wide.view(), .probabilities = p.view()});

    const OnDevice<float> d_logits(logits), d_dloss(dloss), d_loss(poison<float>(rows)),
        d_dlogits(HostMatrix<float>(rows, classes, 1.f)), d_p(HostMatrix<float>(rows, classes, NAN));
    const OnDevice<int32_t> d_labels(labels);
    cuda::softmax_xent_forward({.logits = d_logits.matrix(), .labels = d_labels.span(), .loss = d_loss.span()}, queue);
    cuda::softmax_xent_backward({.logits = d_logits.matrix(),
                                 .labels = d_labels.span(),
                                 .dloss = d_dloss.span(),
                                 .dlogits = d_dlogits.matrix(),
                                 .write = Write::add},
                                queue);
    cuda::softmax_rows({.logits = d_logits.matrix(), .probabilities = d_p.matrix()}, queue);
    // x - max is rounded once per unit of logit, exp has 2 ulp, a sum of classes terms sqrt(classes) in the mean; factor 4
    // in hand.
    double largest = 0;
    for (const float x : logits.values) largest = std::max(largest, std::abs(double{x}));
    const double e = 4 * kUnit * (2 * largest + 8 + std::sqrt(static_cast<double>(classes)));
    EXPECT_TRUE(close(d_loss.host(), loss, {.abs = e, .rel = 2 * kUnit}));
    EXPECT_TRUE(close(d_p.host(), p.values, {.abs = 0x1p-126, .rel = e}));
    EXPECT_TRUE(close(d_dlogits.host(), dlogits.values, {.abs = 5 * e + 4 * kUnit}));  // |dloss| < 5
    const OnDevice<float> fresh(HostMatrix<float>(rows, classes, NAN));
    cuda::softmax_xent_backward(
        {.logits = d_logits.matrix(), .labels = d_labels.span(), .dloss = d_dloss.span(), .dlogits = fresh.matrix()},
        queue);
    for (double& v : dlogits.values) v -= 1;
    EXPECT_TRUE(close(fresh.host(), dlogits.values, {.abs = 5 * e}));
  }
};

// Classes around what 4, 8, 16 and 32 lanes hold; rows around a block: 32, 16, 8, 4.
TEST_F(SoftmaxXentCuda, MatchesTheOracle) {
  for (const auto& [rows, classes] :
       {std::pair{1, 1}, {31, 2}, {32, 10}, {33, 16}, {15, 17}, {17, 32}, {7, 33}, {9, 64}, {5, 65}, {3, 300}})
    expect_oracle(normal_rows(rows, classes, Seed{1}, 2.f));
}

TEST_F(SoftmaxXentCuda, SaturatedAndEqualLogits) {
  HostMatrix<float> logits(3, 40, 0.5f);
  logits.view().row(1)[7] = 80.f;
  logits.view().row(2)[39] = -80.f;
  expect_oracle(logits);
}

// What the CPU refuses makes its row NaN; nothing is read beyond the row, least of all of the first and the last.
TEST_F(SoftmaxXentCuda, LabelsThatAreNoClass) {
  for (const int classes : {3, 40}) {
    const std::vector<int32_t> no_classes = {-1, 0, classes, -2147483647 - 1, 1, 2147483647, classes - 1, classes};
    const auto rows = static_cast<int64_t>(no_classes.size());
    const OnDevice<float> logits(normal_rows(rows, classes, Seed{1})), loss(poison<float>(rows)),
        dloss(std::vector<float>(no_classes.size(), 1.f)), d(HostMatrix<float>(rows, classes, 0.f));
    const OnDevice<int32_t> labels(no_classes);
    softmax_xent_forward({.logits = logits.matrix(), .labels = labels.span(), .loss = loss.span()}, queue);
    softmax_xent_backward(
        {.logits = logits.matrix(), .labels = labels.span(), .dloss = dloss.span(), .dlogits = d.matrix()}, queue);
    const std::vector<float> losses = loss.host(), gradient = d.host();
    for (size_t i = 0; i < no_classes.size(); ++i) {
      const bool wrong = no_classes[i] < 0 || no_classes[i] >= classes;
      EXPECT_EQ(std::isnan(losses[i]), wrong) << i;
      for (size_t c = 0; c < static_cast<size_t>(classes); ++c)
        EXPECT_EQ(std::isnan(gradient[i * static_cast<size_t>(classes) + c]), wrong) << i << ", " << c;
    }
  }
}

// At every place: alone in its lane, after and before numbers of the lane, beside lanes that have none.
TEST_F(SoftmaxXentCuda, NanAndInfinityReachAllOfTheirRow) {
  const OnDevice<int32_t> labels(std::vector<int32_t>{0, 1, 2});
  const OnDevice<float> dloss(std::vector<float>(3, 1.f));
  for (const float bad : {NAN, INFINITY})
    for (const auto& [classes, at] : {std::pair{3, 0}, {3, 2}, {70, 1}, {70, 33}, {70, 69}}) {
      HostMatrix<float> x = normal_rows(3, classes, Seed{1});
      x.view().row(1)[at] = bad;
      const OnDevice<float> logits(x), loss(std::vector<float>(3)), d(HostMatrix<float>(3, classes)),
          p(HostMatrix<float>(3, classes));
      cuda::softmax_xent_forward({.logits = logits.matrix(), .labels = labels.span(), .loss = loss.span()}, queue);
      cuda::softmax_xent_backward(
          {.logits = logits.matrix(), .labels = labels.span(), .dloss = dloss.span(), .dlogits = d.matrix()}, queue);
      cuda::softmax_rows({.logits = logits.matrix(), .probabilities = p.matrix()}, queue);
      for (size_t i = 0; i < 3; ++i) ASSERT_EQ(std::isnan(loss.host()[i]), i == 1) << bad << " at " << at;
      const std::vector<float> gradient = d.host(), probability = p.host();
      for (int64_t i = 0; i < 3 * classes; ++i) {
        ASSERT_EQ(std::isnan(gradient[static_cast<size_t>(i)]), i / classes == 1) << bad << " at " << at << ", " << i;
        ASSERT_EQ(std::isnan(probability[static_cast<size_t>(i)]), i / classes == 1) << bad << " at " << at;
      }
    }
}

}  // namespace
}  // namespace kith::test
