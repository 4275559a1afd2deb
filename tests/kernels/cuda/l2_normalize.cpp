#include "kernels/l2_normalize.h"

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
    EXPECT_TRUE(
        close(dev_dx.host(), dx.values, {.abs = tol * 5 * std::sqrt(static_cast<double>(dim)) / smallest + kUnit}));
  }
}

TEST_F(L2NormalizeCuda, TinyHugeAndZeroRows) {
  const HostMatrix<float> x = [] {
    HostMatrix<float> m(3, 40, 0.f);
    for (float& v : m.view().row(0)) v = 1e-30f;
    for (float& v : m.view().row(1)) v = 1e30f;
    return m;
  }();
  const OnDevice<float> dev_x(x), dev_y(HostMatrix<float>(3, 40)), dev_norm(poison<float>(3));
  cuda::l2_normalize_forward({.x = dev_x.matrix(), .y = dev_y.matrix(), .norm = dev_norm.span()}, queue);
  const std::vector<float> y = dev_y.host();
  EXPECT_NEAR(y[0], 1e-30 / 1e-12, 1e-23);  // below eps: divided by eps
  EXPECT_NEAR(y[40], 1 / std::sqrt(40.0), 1e-6);
  EXPECT_EQ(y[80], 0.f);
}

}  // namespace
}  // namespace kith::test
