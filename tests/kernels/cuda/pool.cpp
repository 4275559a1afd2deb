#include "kernels/pool.h"

#include <algorithm>

#include "tests/kernels/pool_problem.h"
#include "tests/support/device.h"

namespace kith::test {
namespace {

using namespace kernels;

// Channels around the vectors of 4 (f32) and 8 (bf16); windows that overlap, touch and leave gaps; more than a block of
// 256 vectors within an image, and less than a warp; more images than the 1,024 rows of blocks.
const std::vector<PoolShape> kShapes = {pool_shape(2, 5, 6, 3, {2, 2, 2}),     pool_shape(2, 17, 18, 16, {3, 3, 2, 1}),
                                        pool_shape(3, 6, 4, 12, {2, 2, 2, 1}), pool_shape(1, 7, 9, 8, {2, 3, 4}),
                                        pool_shape(2, 4, 5, 40, {3, 4, 1, 2}), pool_shape(1027, 1, 2, 1, {1, 2, 1}),
                                        pool_shape(1, 1, 1, 5, {1, 1, 1}),     pool_shape(1, 16, 16, 1, {16, 16, 1})};

template <class A>
A as(float v) {
  if constexpr (std::is_same_v<A, float>)
    return v;
  else
    return narrow(v);
}
float number(float v) { return v; }
float number(bf16 v) { return widen(v); }

// Drawn in the type of the activations, so that both sides see the same numbers. Few values, so that some are equal.
template <class A>
std::vector<A> activations(int64_t count, uint64_t seed) {
  std::vector<A> out;
  for (const float v : normal(count, Seed{seed})) out.push_back(as<A>(std::round(4 * v) / 4));
  return out;
}
template <class T, class A>
std::vector<T> converted(const std::vector<A>& v) {
  std::vector<T> out;
  for (const A x : v) out.push_back(static_cast<T>(number(x)));
  return out;
}

template <class A>
class PoolCuda : public CudaKernel {
 protected:
  // Of a result that is rounded once, to bf16.
  static constexpr double kRounding = std::is_same_v<A, bf16> ? 0x1p-8 : 0;
};
using Activations = testing::Types<float, bf16>;
TYPED_TEST_SUITE(PoolCuda, Activations);

TYPED_TEST(PoolCuda, MaximumIsTheCpus) {
  using A = TypeParam;
  for (const PoolShape& s : kShapes) {
    const std::vector<A> x = activations<A>(s.in_size(), 1), dy = activations<A>(s.out_size(), 2);
    const std::vector<float> cpu_x = converted<float>(x), cpu_dy = converted<float>(dy);
    std::vector<float> want(dy.size()), want_dx(x.size(), 1.f);
    std::vector<uint8_t> want_position(dy.size());
    cpu::max_pool_forward(MaxPoolForward<float>{.shape = s, .x = cpu_x, .y = want, .position = want_position});
    cpu::max_pool_backward(MaxPoolBackward<float>{
        .shape = s, .dy = cpu_dy, .position = want_position, .dx = want_dx, .write = Write::add});

    const OnDevice<A> d_x(x), d_dy(dy), y(poison<A>(s.out_size())), plain(poison<A>(s.out_size())),
        dx(std::vector<A>(x.size(), as<A>(1.f))), fresh(poison<A>(s.in_size()));
    const OnDevice<uint8_t> position(std::vector<uint8_t>(dy.size(), 255));
    max_pool_forward(MaxPoolForward<A>{.shape = s, .x = d_x.span(), .y = y.span(), .position = position.span()},
                     this->queue);
    max_pool_forward(MaxPoolForward<A>{.shape = s, .x = d_x.span(), .y = plain.span()}, this->queue);
    EXPECT_EQ(converted<float>(y.host()), want);
    EXPECT_EQ(converted<float>(plain.host()), want);
    EXPECT_EQ(position.host(), want_position);
    MaxPoolBackward<A> b{
        .shape = s, .dy = d_dy.span(), .position = position.span(), .dx = dx.span(), .write = Write::add};
    max_pool_backward(b, this->queue);
    b.dx = fresh.span();
    b.write = Write::overwrite;
    max_pool_backward(b, this->queue);
    // Sums of quarters: exact in f32.
    EXPECT_TRUE(close(converted<float>(dx.host()), want_dx, {.rel = this->kRounding}));
    for (float& v : want_dx) v -= 1;
    EXPECT_TRUE(close(converted<float>(fresh.host()), want_dx, {.rel = this->kRounding}));
  }
}

TYPED_TEST(PoolCuda, AverageIsTheOracles) {
  using A = TypeParam;
  for (const PoolShape& s : kShapes) {
    const std::vector<A> x = activations<A>(s.in_size(), 1), dy = activations<A>(s.out_size(), 2);
    const std::vector<double> wide_x = converted<double>(x), wide_dy = converted<double>(dy);
    std::vector<double> want(dy.size()), want_dx(x.size(), 1.0);
    cpu::average_pool_forward(AveragePoolForward<double>{.shape = s, .x = wide_x, .y = want});
    cpu::average_pool_backward(
        AveragePoolBackward<double>{.shape = s, .dy = wide_dy, .dx = want_dx, .write = Write::add});
    const OnDevice<A> d_x(x), d_dy(dy), y(poison<A>(s.out_size())), dx(std::vector<A>(x.size(), as<A>(1.f)));
    average_pool_forward(AveragePoolForward<A>{.shape = s, .x = d_x.span(), .y = y.span()}, this->queue);
    average_pool_backward(AveragePoolBackward<A>{.shape = s, .dy = d_dy.span(), .dx = dx.span(), .write = Write::add},
                          this->queue);
    // The sum of a window is exact; of dy / count at most 13 terms below 5 are added.
    EXPECT_TRUE(close(converted<float>(y.host()), want, {.abs = 4 * kUnit, .rel = this->kRounding}));
    EXPECT_TRUE(close(converted<float>(dx.host()), want_dx, {.abs = 14 * kUnit * 13 * 5, .rel = this->kRounding}));
  }
}

TYPED_TEST(PoolCuda, GlobalAverageIsTheOracles) {
  using A = TypeParam;
  for (const auto& [images, pixels, channels] :
       {std::tuple{1, 1, 1}, {3, 16, 64}, {2, 49, 65}, {5, 7, 4}, {9, 5, 264}, {1030, 2, 1}}) {
    const std::vector<A> x = activations<A>(int64_t{images} * pixels * channels, 1);
    const std::vector<float> dy = normal(int64_t{images} * channels, Seed{2});
    const std::vector<double> wide_x = converted<double>(x), wide_dy = widen(dy);
    std::vector<double> want(dy.size()), want_dx(x.size(), 1.0);
    cpu::global_average_pool_forward(GlobalAveragePoolForward<double>{
        .images = images, .pixels = pixels, .channels = channels, .x = wide_x, .y = want});
    cpu::global_average_pool_backward(GlobalAveragePoolBackward<double>{
        .images = images, .pixels = pixels, .channels = channels, .dy = wide_dy, .dx = want_dx, .write = Write::add});
    const OnDevice<A> d_x(x), dx(std::vector<A>(x.size(), as<A>(1.f))),
        fresh(poison<A>(int64_t{images} * pixels * channels));
    const OnDevice<float> d_dy(dy), y(poison<float>(int64_t{images} * channels));
    global_average_pool_forward(
        GlobalAveragePoolForward<float, A>{
            .images = images, .pixels = pixels, .channels = channels, .x = d_x.span(), .y = y.span()},
        this->queue);
    GlobalAveragePoolBackward<float, A> b{.images = images,
                                          .pixels = pixels,
                                          .channels = channels,
                                          .dy = d_dy.span(),
                                          .dx = dx.span(),
                                          .write = Write::add};
    global_average_pool_backward(b, this->queue);
    b.dx = fresh.span();
    b.write = Write::overwrite;
    global_average_pool_backward(b, this->queue);
    // The sum of quarters is exact, the division rounds; dy / pixels is below 5, the sum with 1 below 6.
    EXPECT_TRUE(close(y.host(), want, {.abs = 4 * kUnit}));
    EXPECT_TRUE(close(converted<float>(dx.host()), want_dx, {.abs = 12 * kUnit, .rel = this->kRounding}));
    for (double& v : want_dx) v -= 1;
    EXPECT_TRUE(close(converted<float>(fresh.host()), want_dx, {.abs = 12 * kUnit, .rel = this->kRounding}));
  }
}

// Tensors that do not start on 16 bytes go element by element.
TYPED_TEST(PoolCuda, UnalignedTensors) {
  using A = TypeParam;
  const PoolShape s{
      .images = 2, .height = 4, .width = 4, .channels = 8, .kernel_height = 2, .kernel_width = 2, .stride = 2};
  const std::vector<A> x = activations<A>(s.in_size(), 1);
  const std::vector<float> cpu_x = converted<float>(x);
  std::vector<float> want(static_cast<size_t>(s.out_size()));
  cpu::max_pool_forward(MaxPoolForward<float>{.shape = s, .x = cpu_x, .y = want});
  std::vector<A> shifted(1 + x.size());
  std::ranges::copy(x, shifted.begin() + 1);
  const OnDevice<A> d_x(shifted), y(poison<A>(s.out_size()));
  max_pool_forward(MaxPoolForward<A>{.shape = s, .x = d_x.span().subspan(1), .y = y.span()}, this->queue);
  EXPECT_EQ(converted<float>(y.host()), want);
}

TYPED_TEST(PoolCuda, TiesTakeTheFirstAndNanPasses) {
  using A = TypeParam;
  const PoolShape s{.images = 6, .height = 1, .width = 4, .channels = 1, .kernel_height = 1, .kernel_width = 4};
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  std::vector<A> x;
  for (const float v : {1.f, 3.f, 3.f, 2.f, -inf, -inf, -inf, -inf, 0.f, -0.f, 0.f, -1.f,
                        1.f, nan, 2.f, 3.f, 1.f,  nan,  nan,  inf,  nan, 1.f,  2.f, 3.f})
    x.push_back(as<A>(v));
  const OnDevice<A> d_x(x), y(poison<A>(6));
  const OnDevice<uint8_t> position(std::vector<uint8_t>(6, 99));
  max_pool_forward(MaxPoolForward<A>{.shape = s, .x = d_x.span(), .y = y.span(), .position = position.span()},
                   this->queue);
  EXPECT_EQ(position.host(), (std::vector<uint8_t>{1, 0, 0, 1, 2, 0}));
  const std::vector<float> got = converted<float>(y.host());
  EXPECT_EQ(std::vector<float>(got.begin(), got.begin() + 3), (std::vector<float>{3, -inf, 0}));
  for (size_t i = 3; i < 6; ++i) EXPECT_TRUE(std::isnan(got[i]));
}

TYPED_TEST(PoolCuda, NoImages) {
  using A = TypeParam;
  const PoolShape s{.images = 0, .height = 4, .width = 4, .channels = 8, .kernel_height = 2, .kernel_width = 2};
  const std::span<A> none;
  EXPECT_NO_THROW(max_pool_forward(MaxPoolForward<A>{.shape = s, .x = none, .y = none}, this->queue));
  EXPECT_NO_THROW(average_pool_backward(AveragePoolBackward<A>{.shape = s, .dy = none, .dx = none}, this->queue));
  EXPECT_NO_THROW(global_average_pool_forward(
      GlobalAveragePoolForward<float, A>{.images = 0, .pixels = 4, .channels = 8, .x = none, .y = {}}, this->queue));
}

}  // namespace
}  // namespace kith::test
