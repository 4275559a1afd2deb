#include "kernels/cosine_loss.h"

#include <cmath>

#include "tests/support/device.h"

namespace kith::test {
namespace {

using namespace kernels;

class CosineLossCuda : public CudaKernel {};

struct Expected {
  std::vector<double> loss;
  HostMatrix<double> dx;
};

Expected oracle(const HostMatrix<float>& x, const HostMatrix<float>& y, const std::vector<float>& dloss) {
  Expected want{.loss = std::vector<double>(static_cast<size_t>(x.rows)), .dx = {x.rows, x.cols}};
  const HostMatrix<double> wx = widen(x), wy = widen(y);
  const std::vector<double> g = widen(dloss);
  cpu::cosine_loss_forward<double>({.x = wx.view(), .y = wy.view(), .loss = want.loss});
  cpu::cosine_loss_backward<double>({.x = wx.view(), .y = wy.view(), .dloss = g, .dx = want.dx.view()});
  return want;
}

// One row short of a block, a block, one more; odd dims, less than a warp, more than one.
constexpr std::pair<int64_t, int64_t> kPairShapes[] = {{1, 1}, {7, 31}, {8, 32}, {9, 33}, {17, 129}};

TEST_F(CosineLossCuda, MatchesTheOracle) {
  for (const auto& [rows, dim] : kPairShapes) {
    const HostMatrix<float> x = normal_rows(rows, dim, Seed{1}), y = normal_rows(rows, dim, Seed{2});
    const std::vector<float> g = normal(rows, Seed{3});
    const Expected want = oracle(x, y, g);
    const OnDevice<float> dev_x(x), dev_y(y), dev_g(g), loss(poison<float>(rows)),
        dx(HostMatrix<float>(rows, dim, NAN));
    cuda::cosine_loss_forward({.x = dev_x.matrix(), .y = dev_y.matrix(), .loss = loss.span()}, queue);
    const CosineLossBackward<float> backward{
        .x = dev_x.matrix(), .y = dev_y.matrix(), .dloss = dev_g.span(), .dx = dx.matrix()};
    cuda::cosine_loss_backward(backward, queue);
    // f64 throughout, rounded once; 2 - 2 cos cancels, but in f64. An element of dx that cancels keeps f64's error, 1e-16
    // of the sum's terms, which 1e-13 covers.
    EXPECT_TRUE(close(loss.host(), want.loss, {.abs = 1e-13, .rel = kUnit}));
    EXPECT_TRUE(close(dx.host(), want.dx.values, {.abs = 1e-13, .rel = kUnit}));
    CosineLossBackward<float> again = backward;
    again.write = Write::add;
    const std::vector<float> once = dx.host();
    cuda::cosine_loss_backward(again, queue);
    const std::vector<float> twice = dx.host();
    for (size_t i = 0; i < once.size(); ++i) EXPECT_EQ(twice[i], 2 * once[i]) << i;
  }
}

// Below eps, where squares leave f32 at both ends, zero: of predictions, and of targets.
TEST_F(CosineLossCuda, TinyHugeAndZeroRows) {
  HostMatrix<float> x = normal_rows(10, 40, Seed{4}), y = normal_rows(10, 40, Seed{5});
  const float scales[] = {5e-15f, 1e-30f, 1e30f, 2e36f, 0.f};
  for (int64_t r = 0; r < 10; ++r)
    for (float& v : (r < 5 ? x : y).view().row(r)) v *= scales[r % 5];
  const std::vector<float> g(10, 1.f);
  const Expected want = oracle(x, y, g);
  const OnDevice<float> dev_x(x), dev_y(y), dev_g(g), loss(poison<float>(10)), dx(HostMatrix<float>(10, 40, NAN));
  cuda::cosine_loss_forward({.x = dev_x.matrix(), .y = dev_y.matrix(), .loss = loss.span()}, queue);
  cuda::cosine_loss_backward({.x = dev_x.matrix(), .y = dev_y.matrix(), .dloss = dev_g.span(), .dx = dx.matrix()},
                             queue);
  EXPECT_TRUE(close(loss.host(), want.loss, {.abs = 1e-13, .rel = kUnit}));
  for (size_t i = 0; i < want.dx.values.size(); ++i) {
    const double w = want.dx.values[i];
    EXPECT_NEAR(dx.host()[i], w, kUnit * std::fabs(w) + 0x1p-149 + 1e-13 * std::fabs(w)) << i;
  }
}

TEST_F(CosineLossCuda, NanStaysInItsRow) {
  HostMatrix<float> x = normal_rows(3, 40, Seed{6});
  x.view().row(1)[33] = NAN;
  const HostMatrix<float> y = normal_rows(3, 40, Seed{7});
  const OnDevice<float> dev_x(x), dev_y(y), dev_g(std::vector<float>(3, 1.f)), loss(poison<float>(3)),
      dx(HostMatrix<float>(3, 40, 0.f));
  cuda::cosine_loss_forward({.x = dev_x.matrix(), .y = dev_y.matrix(), .loss = loss.span()}, queue);
  cuda::cosine_loss_backward({.x = dev_x.matrix(), .y = dev_y.matrix(), .dloss = dev_g.span(), .dx = dx.matrix()},
                             queue);
  const std::vector<float> losses = loss.host(), grads = dx.host();
  for (size_t r = 0; r < 3; ++r) {
    EXPECT_EQ(std::isnan(losses[r]), r == 1);
    for (size_t c = 0; c < 40; ++c) EXPECT_EQ(std::isnan(grads[40 * r + c]), r == 1) << r << ' ' << c;
  }
}

}  // namespace
}  // namespace kith::test
