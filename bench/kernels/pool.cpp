#include "kernels/pool.h"

#include "bench/support.h"

namespace kith::kernels {
namespace {

// STL-10's and ImageNet's stem, 64 images.
PoolShape stem(int side, int kernel) {
  return {.images = 64,
          .height = side,
          .width = side,
          .channels = 64,
          .kernel_height = kernel,
          .kernel_width = kernel,
          .stride = 2,
          .padding = 1};
}

struct Problem {
  PoolShape shape;
  std::vector<float> x, dy, y, dx;
  std::vector<uint8_t> position;

  explicit Problem(const PoolShape& s)
      : shape(s),
        x(test::normal(s.in_size(), {1})),
        dy(test::normal(s.out_size(), {2})),
        y(dy.size()),
        dx(x.size()),
        position(dy.size()) {}
  void forward() {
    max_pool_forward(MaxPoolForward<float>{.shape = shape, .x = x, .y = y, .position = position}, Queue{});
  }
  void backward() {
    max_pool_backward(MaxPoolBackward<float>{.shape = shape, .dy = dy, .position = position, .dx = dx}, Queue{});
  }
  // The same in f64.
  testing::AssertionResult verified() {
    const std::vector<double> wide_x = test::widen(x), wide_dy = test::widen(dy);
    std::vector<double> want(dy.size()), want_dx(x.size());
    std::vector<uint8_t> where(dy.size());
    cpu::max_pool_forward(MaxPoolForward<double>{.shape = shape, .x = wide_x, .y = want, .position = where});
    cpu::max_pool_backward(MaxPoolBackward<double>{.shape = shape, .dy = wide_dy, .position = where, .dx = want_dx});
    forward();
    backward();
    if (const auto ok = test::close(y, want, {}); !ok) return ok;
    return test::close(dx, want_dx, {.abs = 4 * 4 * 5 * test::kUnit});
  }
};

void max_pool(benchmark::State& state, bool backward) {
  Problem p(stem(static_cast<int>(state.range(0)), static_cast<int>(state.range(1))));
  bench::run_verified(state, p.verified(), bench::cost(max_pool_cost, p.shape.in_size(), p.shape.out_size(), 4),
                      [&] { backward ? p.backward() : p.forward(); });
}
BENCHMARK_CAPTURE(max_pool, forward, false)->Apply(bench::timing)->Args({96, 2})->Args({112, 3});
BENCHMARK_CAPTURE(max_pool, backward, true)->Apply(bench::timing)->Args({96, 2})->Args({112, 3});

void global_average_pool(benchmark::State& state, bool backward) {
  const int64_t images = 256, pixels = state.range(0), channels = 512;
  std::vector<float> x = test::normal(images * pixels * channels, {1}), y(images * channels), dx(x.size());
  const std::vector<float> dy = test::normal(images * channels, {2});
  const GlobalAveragePoolForward<float> f{.images = images, .pixels = pixels, .channels = channels, .x = x, .y = y};
  const GlobalAveragePoolBackward<float> b{
      .images = images, .pixels = pixels, .channels = channels, .dy = dy, .dx = dx};
  const std::vector<double> wide_x = test::widen(x);
  std::vector<double> want(y.size());
  cpu::global_average_pool_forward(GlobalAveragePoolForward<double>{
      .images = images, .pixels = pixels, .channels = channels, .x = wide_x, .y = want});
  global_average_pool_forward(f, Queue{});
  bench::run_verified(state, test::close(y, want, {.abs = static_cast<double>(pixels + 2) * test::kUnit * 5}),
                      bench::cost(global_average_pool_cost, images, pixels, channels, 4), [&] {
                        backward ? global_average_pool_backward(b, Queue{}) : global_average_pool_forward(f, Queue{});
                      });
}
BENCHMARK_CAPTURE(global_average_pool, forward, false)->Apply(bench::timing)->Arg(16)->Arg(49);
BENCHMARK_CAPTURE(global_average_pool, backward, true)->Apply(bench::timing)->Arg(16)->Arg(49);

}  // namespace
}  // namespace kith::kernels
