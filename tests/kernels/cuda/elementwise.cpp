#include "kernels/elementwise.h"

#include <algorithm>
#include <cmath>

#include "tests/support/device.h"

namespace kith::test {
namespace {

using namespace kernels;

// Around a vector of four, around a block's 1,024, several blocks.
const int64_t kCounts[] = {0, 1, 3, 4, 5, 1023, 1024, 1025, 4099};

class ElementwiseCuda : public CudaKernel {
 protected:
  // Calls check(n, shift) with arrays that start on a vector and with arrays that do not.
  template <class F>
  static void for_each_size(F check) {
    for (const int64_t n : kCounts)
      for (const int64_t shift : {0, 1}) {
        SCOPED_TRACE(testing::Message() << n << " elements, shift " << shift);
        check(n, static_cast<size_t>(shift));
      }
  }
  // A device copy whose elements start `shift` after an aligned address.
  template <class T>
  struct Array {
    size_t shift;
    OnDevice<T> device;
    Array(std::vector<T> v, size_t s) : shift(s), device((v.insert(v.begin(), s, T{}), v)) {}
    std::span<T> span() const { return device.span().subspan(shift); }
    std::vector<T> host() const {
      const std::vector<T> all = device.host();
      return {all.begin() + static_cast<std::ptrdiff_t>(shift), all.end()};
    }
  };
};

TEST_F(ElementwiseCuda, AddScaleBroadcast) {
  for_each_size([&](int64_t n, size_t shift) {
    const std::vector<float> a = normal(n, Seed{1}), b = normal(n, Seed{2});
    std::vector<float> sum(a.size()), half(a.size()), more(a.size());
    for (size_t i = 0; i < a.size(); ++i) sum[i] = a[i] + b[i], half[i] = -0.5f * a[i], more[i] = b[i] + half[i];
    const Array<float> da(a, shift), db(b, shift), y(poison<float>(n), shift);
    cuda::add({.a = da.span(), .b = db.span(), .y = y.span()}, queue);
    EXPECT_EQ(y.host(), sum);
    cuda::scale({.x = da.span(), .factor = -0.5f, .y = y.span()}, queue);
    EXPECT_EQ(y.host(), half);
    cuda::scale({.x = da.span(), .factor = -0.5f, .y = db.span(), .write = Write::add}, queue);
    EXPECT_EQ(db.host(), more);  // a half is exact, so a fused multiply-add rounds as the sum does
    cuda::add({.a = da.span(), .b = y.span(), .y = da.span()}, queue);
    for (float& v : half) v = -v;
    EXPECT_EQ(da.host(), half);  // in place: a - a / 2
    const OnDevice<float> three({3.f});
    cuda::broadcast({.x = three.span(), .factor = 2.f, .y = y.span()}, queue);
    EXPECT_EQ(y.host(), std::vector<float>(a.size(), 6.f));
    cuda::broadcast({.x = three.span(), .factor = -1.f, .y = y.span(), .write = Write::add}, queue);
    EXPECT_EQ(y.host(), std::vector<float>(a.size(), 3.f));
  });
}

TEST_F(ElementwiseCuda, ReluAndItsGradient) {
  for_each_size([&](int64_t n, size_t shift) {
    std::vector<float> x = normal(n, Seed{5});
    const std::vector<float> dy = normal(n, Seed{6});
    if (n > 2) x[1] = 0.f, x[2] = -0.f;
    std::vector<float> y(x.size()), dx(x.size()), twice(x.size());
    for (size_t i = 0; i < x.size(); ++i) {
      y[i] = x[i] > 0 ? x[i] : 0.f;
      dx[i] = x[i] > 0 ? dy[i] : 0.f;
      twice[i] = dy[i] + dx[i];
    }
    const Array<float> d_x(x, shift), d_y(poison<float>(n), shift), d_dy(dy, shift), d_dx(poison<float>(n), shift);
    cuda::relu_forward({.x = d_x.span(), .y = d_y.span()}, queue);
    EXPECT_EQ(d_y.host(), y);
    cuda::relu_backward({.y = d_y.span(), .dy = d_dy.span(), .dx = d_dx.span()}, queue);
    EXPECT_EQ(d_dx.host(), dx);
    const Array<float> d_twice(dy, shift);
    cuda::relu_backward({.y = d_y.span(), .dy = d_dy.span(), .dx = d_twice.span(), .write = Write::add}, queue);
    EXPECT_EQ(d_twice.host(), twice);
    cuda::relu_backward({.y = d_y.span(), .dy = d_dy.span(), .dx = d_dy.span()}, queue);
    EXPECT_EQ(d_dy.host(), dx);  // in place
  });
  const OnDevice<float> nan(std::vector<float>{NAN, -1.f}), y(poison<float>(2));
  cuda::relu_forward({.x = nan.span(), .y = y.span()}, queue);
  EXPECT_TRUE(std::isnan(y.host()[0]));
}

// As on the CPU (tests/kernels/elementwise.cpp), with erfc's 4 ulp and those of the argument's rounding.
TEST_F(ElementwiseCuda, GeluAndItsGradient) {
  for_each_size([&](int64_t n, size_t shift) {
    std::vector<float> x = normal(n, Seed{12}, 2.f);
    const std::vector<float> dy = normal(n, Seed{13});
    if (n > 4) x[1] = 0.f, x[2] = -9.f, x[3] = 1000.f;
    const std::vector<double> wide_x = widen(x), wide_dy = widen(dy);
    std::vector<double> y(x.size()), dx(x.size());
    cpu::gelu_forward(GeluForward<double>{.x = wide_x, .y = y});
    cpu::gelu_backward(GeluBackward<double>{.x = wide_x, .dy = wide_dy, .dx = dx});
    const Array<float> d_x(x, shift), d_y(poison<float>(n), shift), d_dy(dy, shift), d_dx(poison<float>(n), shift),
        d_more(dy, shift);
    cuda::gelu_forward({.x = d_x.span(), .y = d_y.span()}, queue);
    cuda::gelu_backward({.x = d_x.span(), .dy = d_dy.span(), .dx = d_dx.span()}, queue);
    cuda::gelu_backward({.x = d_x.span(), .dy = d_dy.span(), .dx = d_more.span(), .write = Write::add}, queue);
    cuda::gelu_backward({.x = d_x.span(), .dy = d_dy.span(), .dx = d_dy.span()}, queue);
    const std::vector<float> got = d_y.host(), got_dx = d_dx.host(), more = d_more.host(), in_place = d_dy.host();
    EXPECT_EQ(in_place, got_dx);
    for (size_t i = 0; i < x.size(); ++i) {
      const double e = std::min(1.0, (16 + 2 * wide_x[i] * wide_x[i]) * kUnit);
      ASSERT_NEAR(got[i], y[i], e * std::abs(y[i])) << x[i];
      ASSERT_NEAR(got_dx[i], dx[i], e * std::abs(wide_dy[i]) * (1 + std::min(40.0, std::abs(wide_x[i])))) << x[i];
      ASSERT_EQ(more[i], dy[i] + got_dx[i]) << x[i];
    }
  });
  const OnDevice<float> nan(std::vector<float>{NAN, -1.f}), y(poison<float>(2));
  cuda::gelu_forward({.x = nan.span(), .y = y.span()}, queue);
  EXPECT_TRUE(std::isnan(y.host()[0]));
}

TEST_F(ElementwiseCuda, Conversions) {
  for_each_size([&](int64_t n, size_t shift) {
    std::vector<float> x = normal(n, Seed{7});
    if (n > 4) x[0] = 0x1.01p0f, x[1] = 0x1.03p0f, x[2] = -0x1.010002p0f, x[3] = INFINITY;  // two ties, one just above
    const Array<float> d_x(x, shift), back(poison<float>(n), shift);
    const Array<bf16> half(poison<bf16>(n), shift);
    cuda::to_bf16({.x = d_x.span(), .y = half.span()}, queue);
    cuda::to_f32({.x = half.span(), .y = back.span()}, queue);
    std::vector<float> want;
    for (const float v : x) want.push_back(kith::widen(narrow(v)));
    EXPECT_EQ(back.host(), want);
    cuda::to_f32({.x = half.span(), .y = back.span(), .write = Write::add}, queue);
    for (float& v : want) v += v;
    EXPECT_EQ(back.host(), want);
    const std::vector<bf16> bits = half.host();
    for (size_t i = 0; i < x.size(); ++i) ASSERT_EQ(bits[i].bits, narrow(x[i]).bits) << i;
  });
}

TEST_F(ElementwiseCuda, GatherRows) {
  for (const int64_t cols : {1, 4, 31, 33, 132})
    for (const size_t shift : {0, 1}) {
      SCOPED_TRACE(testing::Message() << cols << " columns, shift " << shift);
      const HostMatrix<float> x = normal_rows(9, cols, Seed{8});
      const std::vector<int64_t> index = {8, 0, 0, 3, -1, 9, 7, 5, 1, 2, 4};
      const Array<float> d_x(x.values, shift), y(poison<float>(11 * cols), shift);
      const OnDevice<int64_t> d_index(index);
      cuda::gather_rows({.x = {d_x.span().data(), 9, cols}, .index = d_index.span(), .y = {y.span().data(), 11, cols}},
                        queue);
      const std::vector<float> got = y.host();
      for (size_t i = 0; i < index.size(); ++i)
        for (int64_t c = 0; c < cols; ++c) {
          const float v = got[i * static_cast<size_t>(cols) + static_cast<size_t>(c)];
          if (index[i] >= 0 && index[i] < 9)
            ASSERT_EQ(v, x.view().row(index[i])[static_cast<size_t>(c)]) << i << ", " << c;
          else
            ASSERT_TRUE(std::isnan(v)) << i << ", " << c;
        }
    }
}

// Rows around a vector and a warp; fewer and more of them than a block's eight.
TEST_F(ElementwiseCuda, SwapAxes) {
  struct Extent {
    int64_t a, b, c;
  };
  for (const auto [a, b, c] :
       {Extent{0, 3, 2}, {2, 0, 5}, {4, 3, 0}, {1, 1, 1}, {2, 3, 4}, {3, 5, 10}, {7, 2, 33}, {33, 10, 132}})
    for (const size_t shift : {0, 1}) {
      SCOPED_TRACE(testing::Message() << a << " x " << b << " x " << c << ", shift " << shift);
      const std::vector<float> x = normal(a * b * c, Seed{11});
      std::vector<float> want(x.size());
      for (int64_t i = 0; i < a; ++i)
        for (int64_t j = 0; j < b; ++j)
          for (int64_t k = 0; k < c; ++k) want[(j * a + i) * c + k] = x[(i * b + j) * c + k];
      const Array<float> d_x(x, shift), y(poison<float>(a * b * c), shift);
      cuda::swap_axes({.x = d_x.span(), .a = a, .b = b, .c = c, .y = y.span()}, queue);
      EXPECT_EQ(y.host(), want);
    }
}

// Around a chunk of 4,096, and more chunks than the last block has threads.
TEST_F(ElementwiseCuda, SumRoundsOnce) {
  for (const int64_t n : {0, 1, 255, 4095, 4096, 4097, 20001}) {
    SCOPED_TRACE(n);
    const std::vector<float> x = normal(n, Seed{9});
    double sum = 0, magnitude = 0;
    for (const float v : x) sum += v, magnitude += std::abs(v);
    const OnDevice<float> d_x(x), y({NAN});
    cuda::sum({.x = d_x.span(), .factor = 0.25f, .y = y.span()}, queue);
    EXPECT_TRUE(close(y.host(), std::vector<double>{0.25 * sum}, {.abs = 0x1p-50 * magnitude, .rel = kUnit}));
  }
  std::vector<float> x(256 * 4096 + 1, 1.f);
  x.front() = 0x1p30f, x.back() = -0x1p30f;  // what f32 would lose
  const OnDevice<float> d_x(x), y({NAN});
  cuda::sum({.x = d_x.span(), .y = y.span()}, queue);
  EXPECT_EQ(y.host()[0], 256.f * 4096 - 1);
}

TEST_F(ElementwiseCuda, ColumnSum) {
  struct Extent {
    int64_t rows, cols;
  };
  for (const auto [rows, cols] : {Extent{0, 3}, {1, 1}, {7, 31}, {8, 32}, {255, 33}, {256, 1}, {257, 2}, {600, 65}}) {
    SCOPED_TRACE(testing::Message() << rows << " x " << cols);
    const HostMatrix<float> x = normal_rows(rows, cols, Seed{10});
    std::vector<double> want(static_cast<size_t>(cols));
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < cols; ++c) want[static_cast<size_t>(c)] += x.view().row(r)[static_cast<size_t>(c)];
    const OnDevice<float> d_x(x), y(poison<float>(cols));
    // f64 partial sums leave one rounding of the result.
    const double tiny = 0x1p-48 * static_cast<double>(rows);
    cuda::column_sum({.x = d_x.matrix(), .y = y.span()}, queue);
    EXPECT_TRUE(close(y.host(), want, {.abs = tiny, .rel = kUnit}));
    cuda::column_sum({.x = d_x.matrix(), .y = y.span(), .write = Write::add}, queue);
    for (double& w : want) w *= 2;
    EXPECT_TRUE(close(y.host(), want, {.abs = tiny, .rel = 3 * kUnit}));
  }
}

}  // namespace
}  // namespace kith::test
