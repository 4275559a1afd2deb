#include "kernels/batch_norm.h"

#include <algorithm>

#include "tests/support/device.h"

namespace kith::test {
namespace {

using namespace kernels;
using Sign = BatchNormSign;

// What bf16 adds to a result: one rounding. f32 results carry theirs in the derived bound.
template <class A>
constexpr double kRounding = std::is_same_v<A, bf16> ? 0x1p-8 : 0;

float to(float, float v) { return v; }
bf16 to(bf16, float v) { return narrow(v); }
float back(float v) { return v; }
float back(bf16 v) { return widen(v); }

template <class A>
std::vector<A> stored(const std::vector<float>& v) {
  std::vector<A> out;
  for (const float f : v) out.push_back(to(A{}, f));
  return out;
}
template <class A>
std::vector<float> floats(const std::vector<A>& v) {
  std::vector<float> out;
  for (const A a : v) out.push_back(back(a));
  return out;
}
HostMatrix<double> wide(const HostMatrix<float>& like, const std::vector<float>& v) {
  HostMatrix<double> m(like.rows, like.cols);
  m.values = widen(v);
  return m;
}

struct Case {
  int64_t rows, channels;
  bool residual = false, relu = true;
  Sign sign = Sign::from_y;
  Write write = Write::add;
  float offset = 0;       // of x: a large mean must cancel nothing
  size_t shifted = 0;     // elements between the allocation, which is aligned, and the activations
  bool in_place = false;  // y takes the buffer of residual, dx that of dy
};

// Activations on the device, `shifted` elements into their buffer.
template <class A>
struct Image {
  OnDevice<A> buffer;
  size_t shifted;
  int64_t rows, cols;
  Image(const HostMatrix<float>& m, size_t shift)
      : buffer(padded(m.values, shift)), shifted(shift), rows(m.rows), cols(m.cols) {}
  static std::vector<A> padded(std::vector<float> v, size_t shift) {
    v.insert(v.begin(), shift, NAN);
    return stored<A>(v);
  }
  A* data() const { return buffer.data() + shifted; }
  Matrix<A> matrix() const { return {data(), rows, cols}; }
  std::vector<float> host() const {
    std::vector<float> v = floats(buffer.host());
    v.erase(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(shifted));
    return v;
  }
};

template <class A>
HostMatrix<float> rounded(HostMatrix<float> m) {
  m.values = floats(stored<A>(m.values));
  return m;
}

class BatchNormCuda : public CudaKernel {
 protected:
  template <class A>
  void expect_oracle(const Case& c) {
    SCOPED_TRACE(testing::Message() << c.rows << " x " << c.channels << (c.residual ? ", residual" : "")
                                    << (c.relu ? ", relu" : "") << ", sign " << static_cast<int>(c.sign) << ", write "
                                    << static_cast<int>(c.write) << ", " << sizeof(A) << " bytes");
    HostMatrix<float> x = normal_rows(c.rows, c.channels, Seed{1});
    for (float& v : x.values) v += c.offset;
    x = rounded<A>(x);
    const HostMatrix<float> residual = rounded<A>(normal_rows(c.rows, c.channels, Seed{2})),
                            dy = rounded<A>(normal_rows(c.rows, c.channels, Seed{3})), ones(c.rows, c.channels, 1.f),
                            nans(c.rows, c.channels, NAN);
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

    const Image<A> d_x(x, c.shifted), d_r(residual, c.shifted), d_dy(dy, c.shifted), own_y(nans, c.shifted),
        own_dx(ones, c.shifted), d_dr(ones, c.shifted);
    const Image<A>&d_y = c.in_place && c.residual ? d_r : own_y, &d_dx = c.in_place ? d_dy : own_dx;
    const OnDevice<float> d_gamma(gamma), d_beta(beta), d_rm(std::vector<float>(n, 0.5f)),
        d_rv(std::vector<float>(n, 2.f)), d_mean(poison<float>(c.channels)), d_invstd(poison<float>(c.channels)),
        d_dgamma(std::vector<float>(n, 1.f)), d_dbeta(std::vector<float>(n, 1.f));
    const OnDevice<uint32_t> d_mask(poison<uint32_t>(batch_norm_mask_words(c.rows, c.channels)));
    const bool masked = c.sign == Sign::from_mask;
    batch_norm_forward(BatchNormForward<float, A>{.x = d_x.matrix(),
                                                  .gamma = d_gamma.span(),
                                                  .beta = d_beta.span(),
                                                  .residual = c.residual ? d_r.data() : nullptr,
                                                  .relu = c.relu,
                                                  .running_mean = d_rm.span(),
                                                  .running_var = d_rv.span(),
                                                  .mean = d_mean.span(),
                                                  .invstd = d_invstd.span(),
                                                  .y = d_y.matrix(),
                                                  .mask = masked ? d_mask.span() : std::span<uint32_t>{}},
                       queue);
    const std::vector<float> got_y = d_y.host();
    if (masked) {
      const std::vector<uint32_t> mask = d_mask.host();
      for (size_t i = 0; i < got_y.size(); ++i) ASSERT_EQ(mask[i / 32] >> (i % 32) & 1u, got_y[i] > 0.f) << i;
    }
    // The oracle's backward gets the device's y: both mask the same elements.
    const HostMatrix<double> wy = wide(x, got_y);
    cpu::batch_norm_backward<double>({.x = wx.view(),
                                      .y = wy.view(),
                                      .dy = wdy.view(),
                                      .gamma = wg,
                                      .mean = mean,
                                      .invstd = invstd,
                                      .relu = c.relu,
                                      .dgamma = dgamma,
                                      .dbeta = dbeta,
                                      .write_params = c.write,
                                      .dx = dx.view(),
                                      .write_x = c.write,
                                      .dresidual = c.residual ? dr.values.data() : nullptr,
                                      .write_residual = c.write});
    BatchNormBackward<float, A> b{.x = d_x.matrix(),
                                  .dy = d_dy.matrix(),
                                  .gamma = d_gamma.span(),
                                  .mean = d_mean.span(),
                                  .invstd = d_invstd.span(),
                                  .relu = c.relu,
                                  .dgamma = d_dgamma.span(),
                                  .dbeta = d_dbeta.span(),
                                  .write_params = c.write,
                                  .dx = d_dx.matrix(),
                                  .write_x = c.write,
                                  .dresidual = c.residual ? d_dr.data() : nullptr,
                                  .write_residual = c.write};
    if (c.sign == Sign::from_y) b.y = d_y.matrix();
    if (c.sign == Sign::from_x) b.beta = d_beta.span();
    if (masked) b.mask = d_mask.span();
    batch_norm_backward(b, queue);

    // xhat: x - mean is rounded relative to |x|, invstd carries a sum of rows squares; 8 in hand. Scales: |x| <= 5 +
    // offset, |gamma|, |beta|, |dy| <= 5.
    const double rows = static_cast<double>(c.rows), spread = *std::max_element(invstd.begin(), invstd.end());
    const double e = 8 * kUnit * (1 + (5 + c.offset) * spread + std::sqrt(rows)) * 5, rel = kRounding<A>;
    EXPECT_TRUE(close(d_mean.host(), mean, {.abs = e}));
    EXPECT_TRUE(close(d_invstd.host(), invstd, {.rel = e}));
    EXPECT_TRUE(close(d_rm.host(), rm, {.abs = e}));
    EXPECT_TRUE(close(d_rv.host(), rv, {.abs = e, .rel = e}));
    EXPECT_TRUE(close(got_y, y.values, {.abs = 5 * e, .rel = rel}));
    EXPECT_TRUE(close(d_dgamma.host(), dgamma, {.abs = 25 * rows * e / std::sqrt(rows)}));
    EXPECT_TRUE(close(d_dbeta.host(), dbeta, {.abs = 25 * rows * e / std::sqrt(rows)}));
    EXPECT_TRUE(close(d_dx.host(), dx.values, {.abs = 125 * spread * e, .rel = rel}));
    if (c.residual) {
      EXPECT_TRUE(close(d_dr.host(), dr.values, {.abs = 2 * kUnit * 6, .rel = rel}));
    }
  }
  void expect_oracle(const Case& c) {
    expect_oracle<float>(c);
    expect_oracle<bf16>(c);
  }
};

// Channels in vectors (8, 72 = a block of f32 or bf16 and 8 more) and not; rows of a block's step - 1, exactly, + 1.
constexpr std::pair<int64_t, int64_t> kShapes[] = {{2, 1}, {7, 31},  {9, 33},  {65, 3},
                                                   {2, 8}, {31, 72}, {32, 64}, {33, 8}};

TEST_F(BatchNormCuda, MatchesTheOracle) {
  for (const auto& [rows, channels] : kShapes) {
    expect_oracle({.rows = rows, .channels = channels, .relu = false});
    expect_oracle({.rows = rows, .channels = channels, .sign = Sign::from_x, .write = Write::overwrite});
    for (const Write write : {Write::overwrite, Write::add})
      for (const Sign sign : {Sign::from_y, Sign::from_mask})
        expect_oracle({.rows = rows, .channels = channels, .residual = true, .sign = sign, .write = write});
  }
}

// Chunks of which one block joins 32, with tickets that are left as they were.
TEST_F(BatchNormCuda, ManyChunksAndALargeMean) {
  const OnDevice<unsigned> tickets(std::vector<unsigned>(64));
  queue.tickets = tickets.span();
  expect_oracle({.rows = 9000, .channels = 2, .sign = Sign::from_mask});
  expect_oracle({.rows = 14000, .channels = 8, .sign = Sign::from_mask});
  expect_oracle({.rows = 300, .channels = 5, .relu = false, .offset = 1000.f});
  expect_oracle({.rows = 300, .channels = 16, .relu = false, .offset = 1000.f});
  EXPECT_EQ(tickets.host(), std::vector<unsigned>(64));
}

// As many chunks as a device holds blocks, in other sums as right.
TEST_F(BatchNormCuda, OfDevicesOfAnySize) {
  for (const int multiprocessors : {1, 3, 200}) {
    queue.multiprocessors = multiprocessors;
#ifdef KITH_SIMT
    simt::options().count = true;
    simt::records().clear();
#endif
    expect_oracle({.rows = 1000, .channels = 8, .sign = Sign::from_mask});
#ifdef KITH_SIMT
    simt::options().count = false;
    ASSERT_EQ(simt::records().size(), 8u);  // two each, of f32 and of bf16
    EXPECT_EQ(simt::records()[0].kernel, "batch_norm_statistics");
    // 1000 rows, four blocks to a multiprocessor: 250 rows each, in steps of 32; of 12, 84; never fewer than one step.
    EXPECT_EQ(simt::records()[0].grid.y, multiprocessors == 1 ? 4u : multiprocessors == 3 ? 11u : 32u);
#endif
  }
}

TEST_F(BatchNormCuda, UnalignedActivationsAndSharedBuffers) {
  expect_oracle({.rows = 40, .channels = 16, .residual = true, .sign = Sign::from_mask, .shifted = 3});
  for (const Sign sign : {Sign::from_y, Sign::from_mask})
    expect_oracle(
        {.rows = 40, .channels = 16, .residual = true, .sign = sign, .write = Write::overwrite, .in_place = true});
}

TEST_F(BatchNormCuda, AgainGivesTheSameBitsInOneLaunch) {
  for (const auto& [rows, channels] : {std::pair<int64_t, int64_t>{700, 16}, {45, 3}})
    for (const bool residual : {false, true}) {
      const OnDevice<float> x(normal_rows(rows, channels, Seed{1})), r(normal_rows(rows, channels, Seed{2})),
          gamma(normal(channels, Seed{3})), beta(normal(channels, Seed{4})), mean(poison<float>(channels)),
          invstd(poison<float>(channels)), y(HostMatrix<float>(rows, channels, NAN)),
          later(HostMatrix<float>(rows, channels, NAN));
      BatchNormForward<float> a{.x = {x.data(), rows, channels},
                                .gamma = gamma.span(),
                                .beta = beta.span(),
                                .residual = residual ? r.data() : nullptr,
                                .relu = true,
                                .mean = mean.span(),
                                .invstd = invstd.span(),
                                .y = {y.data(), rows, channels}};
      batch_norm_forward(a, queue);
      const std::vector<float> first_mean = mean.host(), first_invstd = invstd.host();
      a.again = true;
      a.y.data = later.data();
#ifdef KITH_SIMT
      simt::options().count = true;
      simt::records().clear();
#endif
      batch_norm_forward(a, queue);
#ifdef KITH_SIMT
      simt::options().count = false;
      EXPECT_EQ(simt::records().size(), 1u);
#endif
      EXPECT_EQ(later.host(), y.host());
      EXPECT_EQ(mean.host(), first_mean);
      EXPECT_EQ(invstd.host(), first_invstd);
    }
}

TEST_F(BatchNormCuda, EvalUsesTheRunningStatistics) {
  const HostMatrix<float> x = normal_rows(6, 3, Seed{1});
  const OnDevice<float> d_x(x), gamma(std::vector<float>{1, 2, 3}), beta(std::vector<float>{0, 1, 0}),
      mean(std::vector<float>{0.5f, 0, 1}), var(std::vector<float>{1, 4, 0.25f}), y(HostMatrix<float>(6, 3, NAN));
  batch_norm_forward(BatchNormForward<float>{.x = d_x.matrix(),
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
