#include "kernels/batch_norm.h"

#include "tests/support/device.h"

namespace kith::test {
namespace {

using namespace kernels;

struct Case {
  int64_t rows, channels;
  bool residual, relu;
  float offset = 0;  // of x: a large mean must cancel nothing
  bool mask_from_x = false;
};

class BatchNormCuda : public CudaKernel {
 protected:
  void expect_oracle(const Case& c) {
    SCOPED_TRACE(testing::Message() << c.rows << " x " << c.channels << (c.residual ? ", residual" : "")
                                    << (c.relu ? ", relu" : ""));
    HostMatrix<float> x = normal_rows(c.rows, c.channels, Seed{1});
    for (float& v : x.values) v += c.offset;
    const HostMatrix<float> residual = normal_rows(c.rows, c.channels, Seed{2}),
                            dy = normal_rows(c.rows, c.channels, Seed{3});
    const std::vector<float> gamma = normal(c.channels, Seed{4}), beta = normal(c.channels, Seed{5});
    const auto n = static_cast<size_t>(c.channels);

    const HostMatrix<double> wx = widen(x), wr = widen(residual), wdy = widen(dy);
    const std::vector<double> wg = widen(gamma), wb = widen(beta);
    std::vector<double> rm(n, 0.5), rv(n, 2.0), mean(n), invstd(n), dgamma(n, 1.0), dbeta(n, 1.0);
    HostMatrix<double> y(c.rows, c.channels), dx(c.rows, c.channels, 1.0), dr(c.rows, c.channels, 1.0);
    cpu::batch_norm_forward<double>({.x = wx.view(),
                                     .gamma = wg,
                                     .beta = wb,
                                     .residual = c.residual ? wr.values.data() : nullptr,
                                     .relu = c.relu,
                                     .running_mean = rm,
                                     .running_var = rv,
                                     .mean = mean,
                                     .invstd = invstd,
                                     .y = y.view()});
    cpu::batch_norm_backward<double>({.x = wx.view(),
                                      .y = std::as_const(y).view(),
                                      .dy = wdy.view(),
                                      .gamma = wg,
                                      .mean = mean,
                                      .invstd = invstd,
                                      .relu = c.relu,
                                      .dgamma = dgamma,
                                      .dbeta = dbeta,
                                      .write_params = Write::add,
                                      .dx = dx.view(),
                                      .write_x = Write::add,
                                      .dresidual = c.residual ? dr.values.data() : nullptr,
                                      .write_residual = Write::add});

    const OnDevice<float> d_x(x), d_r(residual), d_dy(dy), d_gamma(gamma), d_beta(beta),
        d_rm(std::vector<float>(n, 0.5f)), d_rv(std::vector<float>(n, 2.f)), d_mean(poison<float>(c.channels)),
        d_invstd(poison<float>(c.channels)), d_dgamma(std::vector<float>(n, 1.f)), d_dbeta(std::vector<float>(n, 1.f)),
        d_y(HostMatrix<float>(c.rows, c.channels, NAN)), d_dx(HostMatrix<float>(c.rows, c.channels, 1.f)),
        d_dr(HostMatrix<float>(c.rows, c.channels, 1.f));
    cuda::batch_norm_forward({.x = d_x.matrix(),
                              .gamma = d_gamma.span(),
                              .beta = d_beta.span(),
                              .residual = c.residual ? d_r.data() : nullptr,
                              .relu = c.relu,
                              .running_mean = d_rm.span(),
                              .running_var = d_rv.span(),
                              .mean = d_mean.span(),
                              .invstd = d_invstd.span(),
                              .y = d_y.matrix()},
                             queue);
    BatchNormBackward<float> b{.x = d_x.matrix(),
                               .y = d_y.matrix(),
                               .dy = d_dy.matrix(),
                               .gamma = d_gamma.span(),
                               .mean = d_mean.span(),
                               .invstd = d_invstd.span(),
                               .relu = c.relu,
                               .dgamma = d_dgamma.span(),
                               .dbeta = d_dbeta.span(),
                               .write_params = Write::add,
                               .dx = d_dx.matrix(),
                               .write_x = Write::add,
                               .dresidual = c.residual ? d_dr.data() : nullptr,
                               .write_residual = Write::add};
    if (c.mask_from_x) {
      b.y = {};
      b.beta = d_beta.span();
    }
    cuda::batch_norm_backward(b, queue);

    // xhat: x - mean is rounded relative to |x|, invstd carries a sum of rows squares; 8 in hand. Scales: |x| <= 5 + offset,
    // |gamma|, |beta|, |dy| <= 5.
    const double rows = static_cast<double>(c.rows), spread = *std::max_element(invstd.begin(), invstd.end());
    const double e = 8 * kUnit * (1 + (5 + c.offset) * spread + std::sqrt(rows)) * 5;
    EXPECT_TRUE(close(d_mean.host(), mean, {.abs = e}));
    EXPECT_TRUE(close(d_invstd.host(), invstd, {.rel = e}));
    EXPECT_TRUE(close(d_rm.host(), rm, {.abs = e}));
    EXPECT_TRUE(close(d_rv.host(), rv, {.abs = e, .rel = e}));
    EXPECT_TRUE(close(d_y.host(), y.values, {.abs = 5 * e}));
    EXPECT_TRUE(close(d_dgamma.host(), dgamma, {.abs = 25 * rows * e / std::sqrt(rows)}));
    EXPECT_TRUE(close(d_dbeta.host(), dbeta, {.abs = 25 * rows * e / std::sqrt(rows)}));
    EXPECT_TRUE(close(d_dx.host(), dx.values, {.abs = 125 * spread * e}));
    if (c.residual) {
      EXPECT_TRUE(close(d_dr.host(), dr.values, {.abs = 2 * kUnit * 6}));
    }
  }
};

TEST_F(BatchNormCuda, MatchesTheOracle) {
  for (const bool residual : {false, true})
    for (const bool relu : {false, true})
      for (const auto& [rows, channels] : {std::pair{2, 1}, {7, 31}, {8, 32}, {9, 33}, {65, 3}, {100, 64}})
        expect_oracle({rows, channels, residual, relu});
}

TEST_F(BatchNormCuda, ManyChunksALargeMeanAndTheMaskFromX) {
  expect_oracle({9000, 2, false, true});
  expect_oracle({300, 5, false, false, 1000.f});
  expect_oracle({50, 40, false, true, 0.f, true});
}

TEST_F(BatchNormCuda, EvalUsesTheRunningStatistics) {
  const HostMatrix<float> x = normal_rows(6, 3, Seed{1});
  const OnDevice<float> d_x(x), gamma(std::vector<float>{1, 2, 3}), beta(std::vector<float>{0, 1, 0}),
      mean(std::vector<float>{0.5f, 0, 1}), var(std::vector<float>{1, 4, 0.25f}), y(HostMatrix<float>(6, 3, NAN));
  cuda::batch_norm_forward({.x = d_x.matrix(),
                            .gamma = gamma.span(),
                            .beta = beta.span(),
                            .train = false,
                            .running_mean = mean.span(),
                            .running_var = var.span(),
                            .y = y.matrix()},
                           queue);
  const double g[] = {1, 2, 3}, b[] = {0, 1, 0}, m[] = {0.5, 0, 1}, v[] = {1, 4, 0.25};
  std::vector<double> want(18);
  for (size_t i = 0; i < 18; ++i) want[i] = g[i % 3] * (x.values[i] - m[i % 3]) / std::sqrt(v[i % 3] + 1e-5) + b[i % 3];
  EXPECT_TRUE(close(y.host(), want, {.abs = 8 * kUnit * 6, .rel = 8 * kUnit}));
}

}  // namespace
}  // namespace kith::test
