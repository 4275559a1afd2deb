// Pooling on the CPU: forward against the definition, element by element; backward against the definition of a gradient.
#include "kernels/pool.h"

#include "kernels/core/check.h"
#include "tests/kernels/pool_problem.h"
#include "tests/support/compare.h"

namespace kith::test {
namespace {

using namespace kernels;

// Windows that overlap, touch and leave gaps, that padding shortens on every side, channels around the vector and the group.
const std::vector<PoolShape> kShapes = {pool_shape(2, 5, 6, 3, {2, 2, 2}),     pool_shape(1, 8, 7, 16, {3, 3, 2, 1}),
                                        pool_shape(3, 6, 4, 65, {2, 2, 2, 1}), pool_shape(1, 7, 9, 1, {2, 3, 4}),
                                        pool_shape(2, 4, 5, 64, {3, 4, 1, 2}), pool_shape(1, 1, 1, 5, {1, 1, 1}),
                                        pool_shape(1, 1, 2, 2, {3, 3, 2, 1})};

// The window of one output, element by element.
template <class F>
void for_window(const PoolShape& s, int oy, int ox, F f) {
  for (int ky = 0; ky < s.kernel_height; ++ky)
    for (int kx = 0; kx < s.kernel_width; ++kx) {
      const int y = oy * s.stride - s.padding + ky, x = ox * s.stride - s.padding + kx;
      if (y >= 0 && y < s.height && x >= 0 && x < s.width) f(y, x, ky * s.kernel_width + kx);
    }
}
template <class F>
void for_outputs(const PoolShape& s, F f) {
  int64_t out = 0;
  for (int64_t n = 0; n < s.images; ++n)
    for (int oy = 0; oy < s.out_height(); ++oy)
      for (int ox = 0; ox < s.out_width(); ++ox)
        for (int c = 0; c < s.channels; ++c) f(out++, n, oy, ox, c);
}
size_t input(const PoolShape& s, int64_t n, int y, int x, int c) {
  return static_cast<size_t>(((n * s.height + y) * s.width + x) * s.channels + c);
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

TEST(Pool, MaximumIsTheDefinition) {
  for (const PoolShape& s : kShapes) {
    const std::vector<float> x = normal(s.in_size(), Seed{1}), dy = normal(s.out_size(), Seed{2});
    std::vector<float> y(dy.size(), NAN), plain(dy.size(), NAN), dx(x.size(), NAN), want_y, want_dx(x.size());
    std::vector<uint8_t> position(dy.size(), 255), want_position;
    for_outputs(s, [&](int64_t out, int64_t n, int oy, int ox, int c) {
      size_t best = 0;
      int where = -1;
      for_window(s, oy, ox, [&](int iy, int ix, int code) {
        const size_t at = input(s, n, iy, ix, c);
        if (where < 0 || x[at] > x[best]) best = at, where = code;
      });
      want_y.push_back(x[best]);
      want_position.push_back(static_cast<uint8_t>(where));
      want_dx[best] += dy[static_cast<size_t>(out)];
    });
    max_pool_forward(MaxPoolForward<float>{.shape = s, .x = x, .y = y, .position = position}, Queue{});
    max_pool_forward(MaxPoolForward<float>{.shape = s, .x = x, .y = plain}, Queue{});
    EXPECT_EQ(y, want_y);
    EXPECT_EQ(plain, want_y);
    EXPECT_EQ(position, want_position);
    max_pool_backward(MaxPoolBackward<float>{.shape = s, .dy = dy, .position = position, .dx = dx}, Queue{});
    // At most 12 windows, added in their order on both sides.
    EXPECT_EQ(dx, want_dx);
    std::vector<float> twice = dx;
    max_pool_backward(
        MaxPoolBackward<float>{.shape = s, .dy = dy, .position = position, .dx = twice, .write = Write::add}, Queue{});
    for (size_t i = 0; i < dx.size(); ++i) ASSERT_EQ(twice[i], dx[i] + dx[i]);
  }
}

TEST(Pool, AverageIsTheDefinitionAndBackwardItsTranspose) {
  for (const PoolShape& s : kShapes) {
    const std::vector<float> x = normal(s.in_size(), Seed{1}), dy = normal(s.out_size(), Seed{2});
    const std::vector<double> wide_x = widen(x), wide_dy = widen(dy);
    std::vector<double> want, y(dy.size(), NAN), dx(x.size(), NAN), want_dx(x.size());
    for_outputs(s, [&](int64_t out, int64_t n, int oy, int ox, int c) {
      double sum = 0;
      int count = 0;
      for_window(s, oy, ox, [&](int iy, int ix, int) { sum += x[input(s, n, iy, ix, c)], ++count; });
      for_window(s, oy, ox, [&](int iy, int ix, int) {
        want_dx[input(s, n, iy, ix, c)] += wide_dy[static_cast<size_t>(out)] / count;
      });
      want.push_back(sum / count);
    });
    cpu::average_pool_forward(AveragePoolForward<double>{.shape = s, .x = wide_x, .y = y});
    cpu::average_pool_backward(AveragePoolBackward<double>{.shape = s, .dy = wide_dy, .dx = dx});
    EXPECT_TRUE(close(y, want, {.abs = 1e-14}));
    EXPECT_TRUE(close(dx, want_dx, {.abs = 1e-14}));
    EXPECT_NEAR(dot(y, wide_dy), dot(wide_x, dx), 1e-12 * static_cast<double>(x.size()));

    std::vector<float> got(dy.size(), NAN), got_dx(x.size(), 1.f);
    average_pool_forward(AveragePoolForward<float>{.shape = s, .x = x, .y = got}, Queue{});
    average_pool_backward(AveragePoolBackward<float>{.shape = s, .dy = dy, .dx = got_dx, .write = Write::add}, Queue{});
    for (double& v : want_dx) v += 1;
    // At most 12 terms below 5 in size, a division and the sum with what was there.
    EXPECT_TRUE(close(got, want, {.abs = 14 * kUnit * 5}));
    EXPECT_TRUE(close(got_dx, want_dx, {.abs = 14 * kUnit * 12 * 5}));
  }
}

TEST(Pool, GlobalAverageIsTheDefinition) {
  for (const auto& [images, pixels, channels] : {std::tuple{1, 1, 1}, {3, 16, 64}, {2, 49, 65}, {5, 7, 3}}) {
    const std::vector<float> x = normal(int64_t{images} * pixels * channels, Seed{1}),
                             dy = normal(int64_t{images} * channels, Seed{2});
    std::vector<float> y(dy.size(), NAN), dx(x.size(), 1.f), wide_y;
    std::vector<double> want(dy.size()), want_dx(x.size());
    for (int n = 0; n < images; ++n)
      for (int p = 0; p < pixels; ++p)
        for (int c = 0; c < channels; ++c) {
          const size_t in = static_cast<size_t>((n * pixels + p) * channels + c),
                       out = static_cast<size_t>(n * channels + c);
          want[out] += static_cast<double>(x[in]) / pixels;
          want_dx[in] = 1 + static_cast<double>(dy[out]) / pixels;
        }
    global_average_pool_forward(
        GlobalAveragePoolForward<float>{.images = images, .pixels = pixels, .channels = channels, .x = x, .y = y},
        Queue{});
    global_average_pool_backward(
        GlobalAveragePoolBackward<float>{
            .images = images, .pixels = pixels, .channels = channels, .dy = dy, .dx = dx, .write = Write::add},
        Queue{});
    // A sum of `pixels` terms below 5, divided by their number.
    EXPECT_TRUE(close(y, want, {.abs = (pixels + 2) * kUnit * 5}));
    EXPECT_TRUE(close(dx, want_dx, {.abs = 3 * kUnit * 6}));
  }
}

TEST(Pool, TiesTakeTheFirstAndNanPasses) {
  const PoolShape s{.images = 1, .height = 1, .width = 4, .channels = 1, .kernel_height = 1, .kernel_width = 4};
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  for (const auto& [x, where] : {std::pair{std::vector<float>{1, 3, 3, 2}, 1},
                                 {{-inf, -inf, -inf, -inf}, 0},
                                 {{0.f, -0.f, 0.f, -1}, 0},
                                 {{1, nan, 2, 3}, 1},
                                 {{1, nan, nan, inf}, 2},
                                 {{nan, 1, 2, 3}, 0}}) {
    std::vector<float> y(1);
    std::vector<uint8_t> position(1, 99);
    max_pool_forward(MaxPoolForward<float>{.shape = s, .x = x, .y = y, .position = position}, Queue{});
    EXPECT_EQ(position[0], where);
    const float want = x[static_cast<size_t>(where)];
    EXPECT_TRUE(y[0] == want || (std::isnan(y[0]) && std::isnan(want)));
  }
}

// As bits: NaN equals itself.
std::vector<uint16_t> bits(const std::vector<bf16>& v) {
  std::vector<uint16_t> out;
  for (const bf16 x : v) out.push_back(x.bits);
  return out;
}
std::vector<float> of_bf16(int64_t count, Seed seed) {
  std::vector<float> v = normal(count, seed);
  for (float& x : v) x = widen(narrow(x));
  return v;
}

// Sums are f32 and have the same order, so activations in bf16 give what the same numbers in f32 give, rounded.
TEST(Pool, Bf16IsFloatRounded) {
  for (const PoolShape& s : kShapes)
    for (const Write write : {Write::overwrite, Write::add}) {
      const std::vector<float> x = of_bf16(s.in_size(), Seed{1}), dy = of_bf16(s.out_size(), Seed{2});
      const std::vector<bf16> hx = narrowed(x), hdy = narrowed(dy);
      std::vector<float> y(dy.size()), dx(x.size(), 0.5f);
      std::vector<bf16> hy(y.size()), hdx = narrowed(dx);
      std::vector<uint8_t> position(y.size()), hposition(y.size());
      max_pool_forward(MaxPoolForward<float>{.shape = s, .x = x, .y = y, .position = position}, Queue{});
      max_pool_forward(MaxPoolForward<bf16>{.shape = s, .x = hx, .y = hy, .position = hposition}, Queue{});
      EXPECT_EQ(bits(hy), bits(narrowed(y)));
      EXPECT_EQ(hposition, position);
      max_pool_backward(MaxPoolBackward<float>{.shape = s, .dy = dy, .position = position, .dx = dx, .write = write},
                        Queue{});
      max_pool_backward(MaxPoolBackward<bf16>{.shape = s, .dy = hdy, .position = position, .dx = hdx, .write = write},
                        Queue{});
      EXPECT_EQ(bits(hdx), bits(narrowed(dx)));

      dx.assign(dx.size(), 0.5f);
      hdx = narrowed(dx);
      average_pool_forward(AveragePoolForward<float>{.shape = s, .x = x, .y = y}, Queue{});
      average_pool_forward(AveragePoolForward<bf16>{.shape = s, .x = hx, .y = hy}, Queue{});
      EXPECT_EQ(bits(hy), bits(narrowed(y)));
      average_pool_backward(AveragePoolBackward<float>{.shape = s, .dy = dy, .dx = dx, .write = write}, Queue{});
      average_pool_backward(AveragePoolBackward<bf16>{.shape = s, .dy = hdy, .dx = hdx, .write = write}, Queue{});
      EXPECT_EQ(bits(hdx), bits(narrowed(dx)));
    }
}

TEST(Pool, GlobalAverageOfBf16) {
  constexpr int64_t images = 3, pixels = 35, channels = 67;
  const std::vector<float> x = of_bf16(images * pixels * channels, Seed{1}), dy = normal(images * channels, Seed{2});
  const std::vector<bf16> hx = narrowed(x);
  std::vector<float> y(dy.size()), hy(dy.size());
  global_average_pool_forward(
      GlobalAveragePoolForward<float>{.images = images, .pixels = pixels, .channels = channels, .x = x, .y = y},
      Queue{});
  global_average_pool_forward(
      GlobalAveragePoolForward<float, bf16>{.images = images, .pixels = pixels, .channels = channels, .x = hx, .y = hy},
      Queue{});
  EXPECT_EQ(hy, y);
  for (const Write write : {Write::overwrite, Write::add}) {
    std::vector<float> dx(x.size(), 0.5f);
    std::vector<bf16> hdx = narrowed(dx);
    global_average_pool_backward(
        GlobalAveragePoolBackward<float>{
            .images = images, .pixels = pixels, .channels = channels, .dy = dy, .dx = dx, .write = write},
        Queue{});
    global_average_pool_backward(
        GlobalAveragePoolBackward<float, bf16>{
            .images = images, .pixels = pixels, .channels = channels, .dy = dy, .dx = hdx, .write = write},
        Queue{});
    EXPECT_EQ(bits(hdx), bits(narrowed(dx)));
  }
}

TEST(Pool, Errors) {
  const PoolShape good{.images = 1, .height = 4, .width = 4, .channels = 2, .kernel_height = 2, .kernel_width = 2};
  std::vector<float> x(32), y(18), small(17);
  EXPECT_NO_THROW(max_pool_forward(MaxPoolForward<float>{.shape = good, .x = x, .y = y}, Queue{}));
  EXPECT_THROW(max_pool_forward(MaxPoolForward<float>{.shape = good, .x = x, .y = small}, Queue{}), Error);
  EXPECT_THROW(average_pool_forward(AveragePoolForward<float>{.shape = good, .x = small, .y = y}, Queue{}), Error);
  PoolShape bad = good;
  bad.padding = 2;
  EXPECT_THROW(max_pool_forward(MaxPoolForward<float>{.shape = bad, .x = x, .y = y}, Queue{}), Error);
  bad = good;
  bad.kernel_height = 5;
  EXPECT_THROW(average_pool_forward(AveragePoolForward<float>{.shape = bad, .x = x, .y = y}, Queue{}), Error);
  bad = {.images = 1, .height = 17, .width = 17, .channels = 1, .kernel_height = 17, .kernel_width = 17};
  EXPECT_THROW(
      max_pool_forward(MaxPoolForward<float>{.shape = bad, .x = std::vector<float>(289), .y = std::span(y).first(1)},
                       Queue{}),
      Error);
  EXPECT_THROW(global_average_pool_forward(
                   GlobalAveragePoolForward<float>{.images = 1, .pixels = 16, .channels = 3, .x = x, .y = y}, Queue{}),
               Error);
}

}  // namespace
}  // namespace kith::test
