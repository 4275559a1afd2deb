#include "kernels/softmax.h"

#include "tests/support/device.h"

namespace kith::test {
namespace {

using namespace kernels;

class SoftmaxCuda : public CudaKernel {
 protected:
  void expect_oracle(const HostMatrix<float>& x) {
    SCOPED_TRACE(testing::Message() << x.rows << " x " << x.cols);
    const int64_t rows = x.rows, classes = x.cols;
    const HostMatrix<float> dy = normal_rows(rows, classes, Seed{2});
    const HostMatrix<double> wide_dy = widen(dy);
    HostMatrix<double> log_p(rows, classes), dx(rows, classes);
    cpu::log_softmax_forward<double>({.x = widen(x).view(), .y = log_p.view()});
    HostMatrix<float> y(rows, classes), p(rows, classes);
    for (size_t i = 0; i < y.values.size(); ++i) {
      y.values[i] = static_cast<float>(log_p.values[i]);
      p.values[i] = static_cast<float>(std::exp(log_p.values[i]));
    }

    const double n = std::sqrt(static_cast<double>(classes));
    const OnDevice<float> d_x(x), d_dy(dy), d_y(HostMatrix<float>(rows, classes, NAN)),
        d_dx(HostMatrix<float>(rows, classes, 1.f));
    // Two subtractions, each rounded at the size of the result; the log of a sum of `classes` exponentials.
    cuda::log_softmax_forward({.x = d_x.matrix(), .y = d_y.matrix()}, queue);
    EXPECT_TRUE(rows == 0 || close(d_y.host(), log_p.values, {.abs = 8 * kUnit * n, .rel = 4 * kUnit}));

    // A sum of `classes` terms of size 1 (4 in hand), exp of y up to its rounding.
    const Tolerance tol{.abs = 16 * kUnit * n, .rel = 16 * kUnit};
    const OnDevice<float> exact_y(y), exact_p(p);
    const HostMatrix<double> wide_y = widen(y), wide_p = widen(p);
    for (double& v : dx.values) v = 1;
    for (const Write write : {Write::add, Write::overwrite}) {
      cuda::log_softmax_backward({exact_y.matrix(), d_dy.matrix(), d_dx.matrix(), write}, queue);
      cpu::log_softmax_backward<double>({wide_y.view(), wide_dy.view(), dx.view(), write});
      EXPECT_TRUE(rows == 0 || close(d_dx.host(), dx.values, tol));
    }
    for (const Write write : {Write::add, Write::overwrite}) {
      cuda::softmax_backward({exact_p.matrix(), d_dy.matrix(), d_dx.matrix(), write}, queue);
      cpu::softmax_backward<double>({wide_p.view(), wide_dy.view(), dx.view(), write});
      EXPECT_TRUE(rows == 0 || close(d_dx.host(), dx.values, tol));
    }
  }
};

// Classes around what 4, 8, 16 and 32 lanes hold; rows around a block: 32, 16, 8, 4.
TEST_F(SoftmaxCuda, MatchesTheOracle) {
  for (const auto& [rows, classes] :
       {std::pair{0, 3}, {1, 1}, {31, 2}, {33, 16}, {15, 17}, {17, 32}, {7, 33}, {9, 64}, {5, 65}, {3, 300}})
    expect_oracle(normal_rows(rows, classes, Seed{1}, 2.f));
}

TEST_F(SoftmaxCuda, SaturatedAndEqualLogits) {
  HostMatrix<float> x(3, 40, 0.5f);
  x.view().row(1)[7] = 80.f;
  x.view().row(2)[39] = -80.f;
  expect_oracle(x);
  expect_oracle(normal_rows(5, 20, Seed{3}, 80.f));
}

// At every place: alone in its lane, after and before numbers of the lane, beside lanes that have none.
TEST_F(SoftmaxCuda, NanAndInfinityReachAllOfTheirRow) {
  for (const float bad : {NAN, INFINITY})
    for (const auto& [classes, at] : {std::pair{3, 0}, {3, 2}, {70, 1}, {70, 33}, {70, 69}}) {
      HostMatrix<float> x = normal_rows(3, classes, Seed{1});
      x.view().row(1)[at] = bad;
      const OnDevice<float> d_x(x), d_y(HostMatrix<float>(3, classes));
      cuda::log_softmax_forward({.x = d_x.matrix(), .y = d_y.matrix()}, queue);
      const std::vector<float> y = d_y.host();
      for (int64_t i = 0; i < 3 * classes; ++i)
        ASSERT_EQ(std::isnan(y[static_cast<size_t>(i)]), i / classes == 1) << bad << " at " << at << ", " << i;
    }
}

}  // namespace
}  // namespace kith::test
