#include "kernels/pool.h"

#include "bench/support.h"

namespace kith::kernels {
namespace {

using bench::Array;

template <class A>
constexpr double kElement = static_cast<double>(sizeof(A));

// STL-10's and ImageNet's stem.
PoolShape stem(int64_t images, int64_t side, int64_t kernel) {
  return {.images = images,
          .height = static_cast<int>(side),
          .width = static_cast<int>(side),
          .channels = 64,
          .kernel_height = static_cast<int>(kernel),
          .kernel_width = static_cast<int>(kernel),
          .stride = 2,
          .padding = 1};
}

template <class A>
struct MaxPool {
  PoolShape shape;
  Array<A> x, dy, y, dx;
  Array<uint8_t> position;

  explicit MaxPool(const PoolShape& s)
      : shape(s),
        x(bench::activations<A>(s.in_size(), 1, {1})),
        dy(bench::activations<A>(s.out_size(), 1, {2})),
        y(bench::memory(), s.out_size()),
        dx(bench::memory(), s.in_size()),
        position(bench::memory(), s.out_size()) {}
  void forward() const {
    max_pool_forward(MaxPoolForward<A>{.shape = shape, .x = x.span(), .y = y.span(), .position = position.span()},
                     bench::queue());
  }
  void backward() const {
    max_pool_backward(MaxPoolBackward<A>{.shape = shape, .dy = dy.span(), .position = position.span(), .dx = dx.span()},
                      bench::queue());
  }
  // Against the same in f64: the maximum is one of the numbers, its gradient a sum of at most four.
  testing::AssertionResult verified() const {
    const std::vector<double> wide_x = test::widen(bench::widened(x.to_host())),
                              wide_dy = test::widen(bench::widened(dy.to_host()));
    std::vector<double> want(wide_dy.size()), want_dx(wide_x.size());
    std::vector<uint8_t> where(wide_dy.size());
    cpu::max_pool_forward(MaxPoolForward<double>{.shape = shape, .x = wide_x, .y = want, .position = where});
    cpu::max_pool_backward(MaxPoolBackward<double>{.shape = shape, .dy = wide_dy, .position = where, .dx = want_dx});
    forward();
    backward();
    if (const auto ok = test::close(bench::widened(y.to_host()), want, {}); !ok) return ok;
    return test::close(bench::widened(dx.to_host()), want_dx,
                       {.abs = 4 * 4 * 5 * test::kUnit, .rel = sizeof(A) == 2 ? 0x1p-8 : 0});
  }
};

// Images, side, kernel.
template <class A>
void max_pool(benchmark::State& state, bool backward) {
  const MaxPool<A> small(stem(2, state.range(1), state.range(2))),
      p(stem(state.range(0), state.range(1), state.range(2)));
  p.forward();  // leaves the positions that backward reads
  bench::run_verified(state, small.verified(),
                      bench::cost(max_pool_cost, p.shape.in_size(), p.shape.out_size(), kElement<A>),
                      [&] { backward ? p.backward() : p.forward(); });
}

template <class A>
struct GlobalAveragePool {
  int64_t images, pixels, channels;
  Array<A> x, dx;
  Array<float> y, dy;

  GlobalAveragePool(int64_t images_in, int64_t pixels_in, int64_t channels_in)
      : images(images_in),
        pixels(pixels_in),
        channels(channels_in),
        x(bench::activations<A>(images * pixels * channels, 1, {1})),
        dx(bench::memory(), images * pixels * channels),
        y(bench::memory(), images * channels),
        dy(bench::memory(), bench::draws(images * channels, {2})) {}
  void forward() const {
    global_average_pool_forward(
        GlobalAveragePoolForward<float, A>{
            .images = images, .pixels = pixels, .channels = channels, .x = x.span(), .y = y.span()},
        bench::queue());
  }
  void backward() const {
    global_average_pool_backward(
        GlobalAveragePoolBackward<float, A>{
            .images = images, .pixels = pixels, .channels = channels, .dy = dy.span(), .dx = dx.span()},
        bench::queue());
  }
  testing::AssertionResult verified() const {
    const std::vector<double> wide_x = test::widen(bench::widened(x.to_host())), wide_dy = test::widen(dy.to_host());
    std::vector<double> want(wide_dy.size()), want_dx(wide_x.size());
    cpu::global_average_pool_forward(GlobalAveragePoolForward<double>{
        .images = images, .pixels = pixels, .channels = channels, .x = wide_x, .y = want});
    cpu::global_average_pool_backward(GlobalAveragePoolBackward<double>{
        .images = images, .pixels = pixels, .channels = channels, .dy = wide_dy, .dx = want_dx});
    forward();
    backward();
    const double mean = static_cast<double>(pixels + 2) * test::kUnit * 5;
    if (const auto ok = test::close(y.to_host(), want, {.abs = mean}); !ok) return ok;
    return test::close(bench::widened(dx.to_host()), want_dx,
                       {.rel = sizeof(A) == 2 ? 0x1p-8 + 2 * test::kUnit : 2 * test::kUnit});
  }
};

// Images, pixels; 512 channels.
template <class A>
void global_average_pool(benchmark::State& state, bool backward) {
  const GlobalAveragePool<A> small(3, state.range(1), 512), p(state.range(0), state.range(1), 512);
  bench::run_verified(state, small.verified(),
                      bench::cost(global_average_pool_cost, p.images, p.pixels, p.channels, kElement<A>),
                      [&] { backward ? p.backward() : p.forward(); });
}

using Run = void (*)(benchmark::State&, bool);
struct Both {
  bench::Entry forward, backward;
  Both(const std::string& name, Run run, const bench::Sizes& sizes)
      : forward(
            name + "/forward", [run](benchmark::State& s) { run(s, false); }, sizes),
        backward(
            name + "/backward", [run](benchmark::State& s) { run(s, true); }, sizes) {}
};
const Both kMax{"max_pool",
                max_pool<float>,
                {.cpu = {{64, 96, 2}, {64, 112, 3}},
                 .cuda = {{256, 96, 2}, {256, 112, 3}},
                 .smoke = {{2, 9, 3}},
                 .counted = {{4, 96, 2}, {4, 112, 3}}}};
const Both kMaxHalf{"max_pool_bf16", max_pool<bf16>, {.cuda = {{256, 96, 2}, {256, 112, 3}}, .smoke = {{2, 8, 2}}}};
const Both kGlobal{"global_average_pool",
                   global_average_pool<float>,
                   {.cpu = {{256, 16}, {256, 49}}, .cuda = {{1024, 16}, {1024, 49}}, .smoke = {{2, 5}}}};
const Both kGlobalHalf{
    "global_average_pool_bf16", global_average_pool<bf16>, {.cuda = {{1024, 16}, {1024, 49}}, .smoke = {{2, 5}}}};

}  // namespace
}  // namespace kith::kernels
