#include "kernels/batch_norm.h"

#include <algorithm>

#include "bench/support.h"
#include "kernels/core/parallel.h"

namespace kith {
namespace {

using namespace kernels;
using bench::Array;
using Sign = BatchNormSign;

// Batch normalisation with ReLU as the network calls it: without a residual the backward pass reads the sign of y from x,
// with one from y on the CPU and from the bits that forward left on a device.
Sign sign_of(bool residual) {
  if (!residual) return Sign::from_x;
  return bench::on_cpu() ? Sign::from_y : Sign::from_mask;
}

template <class A>
struct Problem {
  bool residual;
  Sign sign;
  Array<A> x, r, dy, y, dx, dresidual;
  Array<float> gamma, beta, running_mean, running_var, mean, invstd, dgamma, dbeta;
  Array<uint32_t> mask;

  Problem(int64_t rows, int64_t channels, bool with_residual)
      : residual(with_residual),
        sign(sign_of(residual)),
        x(bench::activations<A>(rows, channels, {1})),
        r(bench::activations<A>(residual ? rows : 0, channels, {2})),
        dy(bench::activations<A>(rows, channels, {3})),
        y(bench::memory(), rows, channels),
        dx(bench::memory(), rows, channels),
        dresidual(bench::memory(), residual ? rows : 0, channels),
        gamma(bench::memory(), test::normal(channels, {4})),
        beta(bench::memory(), test::normal(channels, {4})),
        running_mean(bench::memory(), channels),
        running_var(bench::memory(), channels),
        mean(bench::memory(), channels),
        invstd(bench::memory(), channels),
        dgamma(bench::memory(), channels),
        dbeta(bench::memory(), channels),
        mask(bench::memory(), sign == Sign::from_mask ? batch_norm_mask_words(rows, channels) : 0) {}

  void forward() const {
    batch_norm_forward(BatchNormForward<float, A>{.x = x.matrix(),
                                                  .gamma = gamma.span(),
                                                  .beta = beta.span(),
                                                  .residual = residual ? r.data() : nullptr,
                                                  .relu = true,
                                                  .running_mean = running_mean.span(),
                                                  .running_var = running_var.span(),
                                                  .mean = mean.span(),
                                                  .invstd = invstd.span(),
                                                  .y = y.matrix(),
                                                  .mask = mask.span()},
                       bench::queue());
  }
  void backward() const {
    BatchNormBackward<float, A> b = {.x = x.matrix(),
                                     .dy = dy.matrix(),
                                     .gamma = gamma.span(),
                                     .mean = mean.span(),
                                     .invstd = invstd.span(),
                                     .relu = true,
                                     .dgamma = dgamma.span(),
                                     .dbeta = dbeta.span(),
                                     .dx = dx.matrix(),
                                     .mask = mask.span()};
    if (sign == Sign::from_x) b.beta = beta.span();
    if (sign == Sign::from_y) b.y = y.matrix();
    if (residual) b.dresidual = dresidual.data();
    batch_norm_backward(b, bench::queue());
  }
};

template <class A>
test::HostMatrix<double> wide(const Array<A>& a) {
  const Matrix<A> m = a.matrix();
  test::HostMatrix<double> out(m.rows, m.cols);
  out.values = test::widen(bench::widened(a.to_host()));
  return out;
}

// y and dx against the oracle.
template <class A>
testing::AssertionResult verified(int64_t rows, int64_t channels, bool residual) {
  const Problem<A> p(rows, channels, residual);
  p.forward();
  p.backward();
  const test::HostMatrix<double> x = wide(p.x), r = wide(p.r), dy = wide(p.dy);
  const std::vector<double> gamma = test::widen(p.gamma.to_host()), beta = test::widen(p.beta.to_host());
  test::HostMatrix<double> y(rows, channels), dx(rows, channels);
  std::vector<double> mean(gamma.size()), invstd(mean);
  cpu::batch_norm_forward(BatchNormForward<double>{.x = x.view(),
                                                   .gamma = gamma,
                                                   .beta = beta,
                                                   .residual = residual ? r.values.data() : nullptr,
                                                   .relu = true,
                                                   .eps = static_cast<double>(1e-5f),
                                                   .mean = mean,
                                                   .invstd = invstd,
                                                   .y = y.view()});
  // As in tests/kernels/batch_norm.cpp; bf16 is rounded once, on the way out.
  const test::Tolerance tol = {.abs = 64 * test::kUnit, .rel = sizeof(A) == 2 ? 0x1p-8 : 0};
  if (auto result = test::close(bench::widened(p.y.to_host()), y.values, tol); !result) return result;
  y = wide(p.y);  // its signs are those that backward saw
  cpu::batch_norm_backward(BatchNormBackward<double>{.x = x.view(),
                                                     .y = std::as_const(y).view(),
                                                     .dy = dy.view(),
                                                     .gamma = gamma,
                                                     .mean = mean,
                                                     .invstd = invstd,
                                                     .relu = true,
                                                     .dx = dx.view()});
  return test::close(bench::widened(p.dx.to_host()), dx.values, tol);
}

template <class A>
void batch_norm(benchmark::State& state, bool backward) {
  const int64_t rows = state.range(0), channels = state.range(1);
  const Problem<A> p(rows, channels, state.range(2) != 0);
  p.forward();
  const auto n = static_cast<double>(rows), c = static_cast<double>(channels), element = static_cast<double>(sizeof(A));
  const Cost cost = backward ? batch_norm_backward_cost(n, c, p.residual, p.sign, element)
                             : batch_norm_forward_cost(n, c, p.residual, element, p.sign);
  bench::run_verified(state, verified<A>(std::min<int64_t>(rows, 1000), channels, p.residual), cost,
                      [&] { backward ? p.backward() : p.forward(); });
}

// Rows, channels, residual. ResNet-18 on 32 x 32 images, first and last stage: batch 256 at width 16, batch 64 at width 64;
// on a GPU 1024 views at width 64, every stage.
enum class On : uint8_t { both, device };
bench::Sizes sizes(On where) {
  bench::Sizes s;
  for (const int64_t residual : {0, 1}) {
    if (where == On::both)
      for (const auto& [rows, channels] : {std::pair{262144, 16}, {65536, 64}, {4096, 128}, {1024, 512}})
        s.cpu.push_back({rows, channels, residual});
    for (const auto& [rows, channels] : {std::pair{1 << 20, 64}, {1 << 18, 128}, {1 << 16, 256}, {1 << 14, 512}})
      s.cuda.push_back({rows, channels, residual});
    s.smoke.push_back({70, 24, residual});
    if (where == On::both) s.counted.push_back({16384, 16, residual});
  }
  return s;
}
const bench::Entry kForward{"batch_norm_forward", [](benchmark::State&s) { batch_norm<float>(s, false); },
                            sizes(On::both)},
    kBackward{"batch_norm_backward", [](benchmark::State&s) { batch_norm<float>(s, true); }, sizes(On::both)},
    kForwardHalf{"batch_norm_forward_bf16", [](benchmark::State&s) { batch_norm<bf16>(s, false); }, sizes(On::device)},
    kBackwardHalf{"batch_norm_backward_bf16", [](benchmark::State&s) { batch_norm<bf16>(s, true); }, sizes(On::device)};

// The yardstick on the CPU: a copy of 16 MiB with the same threads.
void copy(benchmark::State& state) {
  const Array<float> from(bench::memory(), 1 << 22), to(bench::memory(), 1 << 22);
  bench::run_verified(state, testing::AssertionSuccess(), {.bytes = 8.0 * (1 << 22)}, [&] {
    parallel_for(1 << 22, 1 << 16, [&](int64_t begin, int64_t end) {
      std::copy(from.data() + begin, from.data() + end, to.data() + begin);
    });
  });
}
const bench::Entry kCopy{"copy", copy, {.cpu = {{}}}};

}  // namespace
}  // namespace kith
