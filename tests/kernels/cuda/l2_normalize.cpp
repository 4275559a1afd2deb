#include "kernels/l2_normalize.h"

#include <algorithm>

#include "tests/support/device.h"

namespace kith::test {
namespace {

using namespace kernels;

class L2NormalizeCuda : public CudaKernel {};

// One row short of a block, a block, one more; odd dims, less than a warp, more than one.
constexpr std::pair<int64_t, int64_t> kShapes[] = {{1, 1}, {7, 31}, {8, 32}, {9, 33}, {17, 129}};

TEST_F(L2NormalizeCuda, MatchesTheOracle) {
  for (const auto& [rows, dim] : kShapes) {
    const HostMatrix<float> x = normal_rows(rows, dim, Seed{1}), dy = normal_rows(rows, dim, Seed{2});
    HostMatrix<double> y(rows, dim), dx(rows, dim, 1.0);
    std::vector<double> norm(static_cast<size_t>(rows));
    const HostMatrix<double> wx = widen(x), wdy = widen(dy);
    cpu::l2_normalize_forward<double>({.x = wx.view(), .y = y.view(), .norm = norm});
    cpu::l2_normalize_backward<double>(
        {.y = std::as_const(y).view(), .dy = wdy.view(), .norm = norm, .dx = dx.view(), .write = Write::add});

    const OnDevice<float> dev_x(x), dev_y(HostMatrix<float>(rows, dim)), dev_norm(poison<float>(rows)), dev_dy(dy),
        dev_dx(HostMatrix<float>(rows, dim, 1.f));
    cuda::l2_normalize_forward({.x = dev_x.matrix(), .y = dev_y.matrix(), .norm = dev_norm.span()}, queue);
    cuda::l2_normalize_backward({.y = dev_y.matrix(),
                                 .dy = dev_dy.matrix(),
                                 .norm = dev_norm.span(),
                                 .dx = dev_dx.matrix(),
                                 .write = Write::add},
                                queue);
    // A sum of dim squares in f32 (sqrt(dim) roundings in the mean, Higham & Mary 2019), factor 4 in hand; |y| <= 1.
    const double tol = 4 * kUnit * (std::sqrt(static_cast<double>(dim)) + 2);
    EXPECT_TRUE(close(dev_y.host(), y.values, {.abs = tol}));
    EXPECT_TRUE(close(dev_norm.host(), norm, {.rel = tol}));
    // dx adds a dot product of magnitude |dy| <= 5 sqrt(dim), over the norm.
    const double smallest = *std::min_element(norm.begin(), norm.end());
    const Tolerance dx_tol = {.abs = tol * 5 * std::sqrt(static_cast<double>(dim)) / smallest + kUnit};
    EXPECT_TRUE(close(dev_dx.host(), dx.values, dx_tol));
    const OnDevice<float> fresh(HostMatrix<float>(rows, dim, NAN));
    cuda::l2_normalize_backward(
        {.y = dev_y.matrix(), .dy = dev_dy.matrix(), .norm = dev_norm.span(), .dx = fresh.matrix()}, queue);
    for (double& v : dx.values) v -= 1;
    EXPECT_TRUE(close(fresh.host(), dx.values, dx_tol));
  }
}

// Just below eps and far below (also where squares and reciprocals leave f32), at the top of f32, zero; every element another, so that a
// lane which is forgotten shows.
TEST_F(L2NormalizeCuda, TinyHugeAndZeroRows) {
  HostMatrix<float> x(6, 40);
  const float scales[] = {5e-15f, 1e-30f, 1e-39f, 1e30f, 2e36f, 0.f};
  for (int64_t r = 0; r < 6; ++r)
    for (int64_t c = 0; c < 40; ++c) x.view().row(r)[static_cast<size_t>(c)] = scales[r] * static_cast<float>(c - 7);
  const HostMatrix<float> dy = normal_rows(6, 40, Seed{3});
  const HostMatrix<double> wx = widen(x), wdy = widen(dy);
  HostMatrix<double> y(6, 40), dx(6, 40);
  std::vector<double> norm(6);
  cpu::l2_normalize_forward<double>({.x = wx.view(), .y = y.view(), .norm = norm});
  cpu::l2_normalize_backward<double>({.y = std::as_const(y).view(), .dy = wdy.view(), .norm = norm, .dx = dx.view()});
  const OnDevice<float> dev_x(x), dev_y(HostMatrix<float>(6, 40)), dev_norm(poison<float>(6)), dev_dy(dy),
      dev_dx(HostMatrix<float>(6, 40, NAN));
  cuda::l2_normalize_forward({.x = dev_x.matrix(), .y = dev_y.matrix(), .norm = dev_norm.span()}, queue);
  cuda::l2_normalize_backward(
      {.y = dev_y.matrix(), .dy = dev_dy.matrix(), .norm = dev_norm.span(), .dx = dev_dx.matrix()}, queue);
  EXPECT_TRUE(close(dev_y.host(), y.values, {.rel = 2 * kUnit}));                  // f64, rounded once
  EXPECT_TRUE(close(dev_norm.host(), norm, {.abs = 0x1p-149, .rel = 2 * kUnit}));  // f64, rounded once
  const std::vector<float> got = dev_dx.host();
  for (size_t r = 0; r < 6; ++r) {
    // dy - y <y, dy> is below 40 |dy|, a sum of 40 terms; over the norm.
    const double scale = std::max(norm[r], 1e-12), tol = 4 * kUnit * (std::sqrt(40.0) + 2) * 5 * std::sqrt(40.0);
    EXPECT_TRUE(close(std::span<const float>(got).subspan(40 * r, 40),
                      std::span<const double>(dx.values).subspan(40 * r, 40), {.abs = tol / scale}))
        << r;
  }
}

TEST_F(L2NormalizeCuda, NanReachesItsRow) {
  HostMatrix<float> x(2, 40, 1.f);
  x.view().row(0)[3] = NAN;
  const OnDevice<float> dev_x(x), dev_y(HostMatrix<float>(2, 40)), dev_norm(poison<float>(2));
  cuda::l2_normalize_forward({.x = dev_x.matrix(), .y = dev_y.matrix(), .norm = dev_norm.span()}, queue);
  const std::vector<float> y = dev_y.host();
  for (size_t c = 0; c < 40; ++c) {
    EXPECT_TRUE(std::isnan(y[c])) << c;
    EXPECT_FALSE(std::isnan(y[40 + c])) << c;
  }
}

TEST_F(L2NormalizeCuda, WeightNormMatchesTheOracle) {
  for (const auto& [rows, dim] : kShapes) {
    HostMatrix<float> v = normal_rows(rows, dim, Seed{5});
    if (rows > 2) std::ranges::fill(v.view().row(2), 0.f);  // below eps
    const HostMatrix<float> dw = normal_rows(rows, dim, Seed{6});
    const std::vector<float> gain = normal(rows, Seed{7});
    const HostMatrix<double> wide_v = widen(v), wide_dw = widen(dw);
    const std::vector<double> wide_gain = widen(gain);
    HostMatrix<double> w(rows, dim), dv(rows, dim);
    std::vector<double> norm(gain.size()), dgain(gain.size());
    cpu::weight_norm_forward<double>({.v = wide_v.view(), .gain = wide_gain, .w = w.view(), .norm = norm});
    cpu::weight_norm_backward<double>(
        {.v = wide_v.view(), .gain = wide_gain, .norm = norm, .dw = wide_dw.view(), .dv = dv.view(), .dgain = dgain});

    const OnDevice<float> d_v(v), d_gain(gain), d_w(HostMatrix<float>(rows, dim, NAN)), d_norm(poison<float>(rows)),
        d_dw(dw), d_dv(HostMatrix<float>(rows, dim, NAN)), d_dgain(poison<float>(rows));
    cuda::weight_norm_forward({.v = d_v.matrix(), .gain = d_gain.span(), .w = d_w.matrix(), .norm = d_norm.span()},
                              queue);
    const WeightNormBackward<float> backward{.v = d_v.matrix(),
                                             .gain = d_gain.span(),
                                             .norm = d_norm.span(),
                                             .dw = d_dw.matrix(),
                                             .dv = d_dv.matrix(),
                                             .dgain = d_dgain.span()};
    cuda::weight_norm_backward(backward, queue);
    // As on the CPU (tests/kernels/l2_normalize.cpp): f64 but for the norm that backward reads; rows of zeros by eps.
    const double along = 5 * std::sqrt(static_cast<double>(dim));
    EXPECT_TRUE(close(d_w.host(), w.values, {.rel = 2 * kUnit}));
    EXPECT_TRUE(close(d_dgain.host(), dgain, {.abs = 2 * kUnit * along}));
    const std::vector<float> once = d_dv.host(), dgain_once = d_dgain.host();
    for (size_t r = 0; r < gain.size(); ++r) {
      const auto at = static_cast<size_t>(dim) * r, count = static_cast<size_t>(dim);
      EXPECT_TRUE(close(std::span<const float>(once).subspan(at, count),
                        std::span<const double>(dv.values).subspan(at, count),
                        {.abs = 5 * 6 * kUnit * (5 + along) / std::max(norm[r], 1e-12)}));
    }
    WeightNormBackward<float> again = backward;
    again.write_v = again.write_gain = Write::add;
    cuda::weight_norm_backward(again, queue);
    const std::vector<float> twice = d_dv.host(), dgain_twice = d_dgain.host();
    for (size_t i = 0; i < once.size(); ++i) EXPECT_EQ(twice[i], 2 * once[i]);
    for (size_t i = 0; i < gain.size(); ++i) EXPECT_EQ(dgain_twice[i], 2 * dgain_once[i]);
    again.dv = {}, again.dgain = {};
    again.dgain = d_dgain.span(), again.write_gain = Write::overwrite;
    cuda::weight_norm_backward(again, queue);
    EXPECT_EQ(d_dv.host(), twice);
    EXPECT_EQ(d_dgain.host(), dgain_once);
  }
}

}  // namespace
}  // namespace kith::test
