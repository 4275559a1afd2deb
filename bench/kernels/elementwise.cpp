#include "kernels/elementwise.h"

#include "bench/support.h"

namespace kith::kernels {
namespace {

using bench::Array;

const bench::Sizes kSizes = {
    .cpu = {{1 << 16}, {1 << 24}}, .cuda = {{1 << 16}, {1 << 24}, {1 << 26}}, .smoke = {{1027}}};

void elementwise_add(benchmark::State& state) {
  const int64_t n = state.range(0);
  const std::vector<float> a = bench::draws(n, {1}), b = bench::draws(n, {2});
  std::vector<float> want(a.size());
  for (size_t i = 0; i < a.size(); ++i) want[i] = a[i] + b[i];
  const Array<float> da(bench::memory(), a), db(bench::memory(), b), y(bench::memory(), n);
  const auto run = [&] { add({.a = da.span(), .b = db.span(), .y = y.span()}, bench::queue()); };
  run();
  bench::run_verified(state, test::close(y.to_host(), want, {}), add_cost(static_cast<double>(n)), run);
}
const bench::Entry kAdd{"elementwise_add", elementwise_add, kSizes};

void elementwise_sum(benchmark::State& state) {
  const int64_t n = state.range(0);
  const std::vector<float> x = bench::draws(n, {1});
  const std::vector<double> wide = test::widen(x);
  std::vector<double> want(1);
  cpu::sum(Sum<double>{.x = wide, .y = want});
  const Array<float> dx(bench::memory(), x), y(bench::memory(), 1);
  const auto run = [&] { sum({.x = dx.span(), .y = y.span()}, bench::queue()); };
  run();
  bench::run_verified(state, test::close(y.to_host(), want, {.abs = 1e-6, .rel = 2 * test::kUnit}),
                      sum_cost(static_cast<double>(n)), run);
}
const bench::Entry kSum{"elementwise_sum", elementwise_sum, kSizes};

// The activation of the heads of TEMI.
void elementwise_gelu(benchmark::State& state) {
  const int64_t n = state.range(0);
  const std::vector<float> x = bench::draws(n, {1}), dy = bench::draws(n, {2});
  const std::vector<double> wide_x = test::widen(x), wide_dy = test::widen(dy);
  std::vector<double> want(x.size());
  cpu::gelu_backward(GeluBackward<double>{.x = wide_x, .dy = wide_dy, .dx = want});
  const Array<float> in(bench::memory(), x), gradient(bench::memory(), dy), y(bench::memory(), n),
      dx(bench::memory(), n);
  const auto forward = [&] { gelu_forward({.x = in.span(), .y = y.span()}, bench::queue()); };
  const auto backward = [&] {
    gelu_backward({.x = in.span(), .dy = gradient.span(), .dx = dx.span()}, bench::queue());
  };
  forward(), backward();
  // |x| and |dy| <= 6: (12 + 2 x^2) (1 + |x|) |dy| roundings, as tests/kernels/elementwise.cpp derives them.
  using bench::operator+;
  bench::run_both_verified(state, test::close(dx.to_host(), want, {.abs = 84 * 7 * 6 * test::kUnit}),
                           gelu_cost(static_cast<double>(n)) + gelu_backward_cost(static_cast<double>(n)), forward,
                           backward);
}
const bench::Entry kGelu{"elementwise_gelu", elementwise_gelu, kSizes};

void elementwise_to_bf16(benchmark::State& state) {
  const int64_t n = state.range(0);
  const std::vector<float> x = bench::draws(n, {1});
  const Array<float> dx(bench::memory(), x);
  const Array<bf16> y(bench::memory(), n);
  const auto run = [&] { to_bf16({.x = dx.span(), .y = y.span()}, bench::queue()); };
  run();
  const std::vector<bf16> got = y.to_host();
  auto verified = testing::AssertionSuccess();
  for (size_t i = 0; i < x.size() && verified; ++i)
    if (got[i].bits != narrow(x[i]).bits)
      verified = testing::AssertionFailure() << "element " << i << ": " << x[i] << " became " << widen(got[i]);
  bench::run_verified(state, verified, to_bf16_cost(static_cast<double>(n)), run);
}
const bench::Entry kToBf16{"elementwise_to_bf16", elementwise_to_bf16, kSizes};

// Rows of 512 features, drawn at random from as many.
void elementwise_gather_rows(benchmark::State& state) {
  const int64_t rows = state.range(0), cols = 512;
  const test::HostMatrix<float> x = bench::draws(rows, cols, {1});
  std::vector<int64_t> index;
  Random random(7, 0, 0, 0);
  for (int64_t i = 0; i < rows; ++i) index.push_back(random.below(static_cast<uint32_t>(rows)));
  test::HostMatrix<float> want(rows, cols);
  cpu::gather_rows(GatherRows<float>{.x = x.view(), .index = index, .y = want.view()});
  const Array<float> dx(bench::memory(), x), y(bench::memory(), rows, cols);
  const Array<int64_t> at(bench::memory(), index);
  const auto run = [&] { gather_rows({.x = dx.matrix(), .index = at.span(), .y = y.matrix()}, bench::queue()); };
  run();
  bench::run_verified(state, test::close(y.to_host(), want.values, {}), bench::cost(gather_rows_cost, rows, cols), run);
}
const bench::Entry kGather{"elementwise_gather_rows",
                           elementwise_gather_rows,
                           {.cpu = {{1024}, {50000}}, .cuda = {{1024}, {50000}}, .smoke = {{5}}}};

// Logits of ten heads with ten classes, as their product leaves them: to one matrix per head.
void elementwise_swap_axes(benchmark::State& state) {
  const int64_t rows = state.range(0), heads = 10, classes = 10;
  const std::vector<float> x = bench::draws(rows * heads * classes, {1});
  std::vector<float> want(x.size());
  cpu::swap_axes(SwapAxes<float>{.x = x, .a = rows, .b = heads, .c = classes, .y = want});
  const Array<float> dx(bench::memory(), x), y(bench::memory(), rows * heads * classes);
  const auto run = [&] {
    swap_axes({.x = dx.span(), .a = rows, .b = heads, .c = classes, .y = y.span()}, bench::queue());
  };
  run();
  bench::run_verified(state, test::close(y.to_host(), want, {}),
                      swap_axes_cost(static_cast<double>(rows * heads * classes)), run);
}
const bench::Entry kSwap{"elementwise_swap_axes",
                         elementwise_swap_axes,
                         {.cpu = {{128}, {50000}}, .cuda = {{128}, {1024}, {50000}}, .smoke = {{5}}}};

}  // namespace
}  // namespace kith::kernels
