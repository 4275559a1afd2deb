#include "kernels/batch_norm.h"

#include "bench/support.h"
#include "kernels/cpu/aligned.h"
#include "kernels/cpu/parallel.h"

namespace kith {
namespace {

using namespace kernels;

// ResNet-18 on 32 x 32 images, first and last stage: batch 256 at width 16, batch 64 at width 64. Third: residual.
void shapes(benchmark::internal::Benchmark* b) {
  bench::timing(b);
  for (const int residual : {0, 1})
    for (const auto& [rows, channels] : {std::pair{262144, 16}, {65536, 64}, {4096, 128}, {1024, 512}})
      b->Args({rows, channels, residual});
}

// Starts on a cache line, as the tensors of nn/ do.
struct Image {
  int64_t rows, cols;
  cpu::AlignedVector<float> values;
  Image(int64_t r, int64_t c) : rows(r), cols(c), values(static_cast<size_t>(r * c)) {}
  explicit Image(const test::HostMatrix<float>& m)
      : rows(m.rows), cols(m.cols), values(m.values.begin(), m.values.end()) {}
  Matrix<const float> view() const { return {values.data(), rows, cols}; }
  Matrix<float> view() { return {values.data(), rows, cols}; }
  test::HostMatrix<double> widened() const {
    test::HostMatrix<double> m(rows, cols);
    std::copy(values.begin(), values.end(), m.values.begin());
    return m;
  }
};

struct Problem {
  Image x, residual, dy, y, dx, dresidual;
  std::vector<float> gamma, beta, running_mean, running_var, mean, invstd, dgamma, dbeta;
  bool with_residual;

  Problem(int64_t rows, int64_t channels, bool r)
      : x(test::normal_rows(rows, channels, test::Seed{1})),
        residual(test::normal_rows(rows, channels, test::Seed{2})),
        dy(test::normal_rows(rows, channels, test::Seed{3})),
        y(rows, channels),
        dx(rows, channels),
        dresidual(rows, channels),
        gamma(test::normal(channels, test::Seed{4})),
        beta(gamma),
        running_mean(gamma.size()),
        running_var(gamma.size()),
        mean(gamma.size()),
        invstd(mean),
        dgamma(mean),
        dbeta(mean),
        with_residual(r) {}

  BatchNormForward<float> forward() {
    return {.x = std::as_const(x).view(),
            .gamma = gamma,
            .beta = beta,
            .residual = with_residual ? residual.values.data() : nullptr,
            .relu = true,
            .running_mean = running_mean,
            .running_var = running_var,
            .mean = mean,
            .invstd = invstd,
            .y = y.view()};
  }
  // With a residual the sign comes from y, without from x.
  BatchNormBackward<float> backward() {
    BatchNormBackward<float> b = {.x = std::as_const(x).view(),
                                  .dy = std::as_const(dy).view(),
                                  .gamma = gamma,
                                  .mean = mean,
                                  .invstd = invstd,
                                  .relu = true,
                                  .dgamma = dgamma,
                                  .dbeta = dbeta,
                                  .dx = dx.view(),
                                  .beta = beta};
    if (with_residual) b.y = std::as_const(y).view(), b.dresidual = dresidual.values.data();
    return b;
  }
};

// Every output against the oracle, on 1000 rows of as many channels.
testing::AssertionResult verified(int64_t channels, bool residual) {
  Problem p(1000, channels, residual);
  batch_norm_forward(p.forward(), Queue{});
  batch_norm_backward(p.backward(), Queue{});
  const test::HostMatrix<double> x = p.x.widened(), r = p.residual.widened(), dy = p.dy.widened();
  const std::vector<double> gamma = test::widen(p.gamma), beta = test::widen(p.beta);
  test::HostMatrix<double> y(1000, channels), dx(1000, channels);
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
  const test::Tolerance tol = {.abs = 64 * test::kUnit};  // as in tests/kernels/batch_norm.cpp
  if (auto result = test::close(p.y.widened().values, y.values, tol); !result) return result;
  y = p.y.widened();
  cpu::batch_norm_backward(BatchNormBackward<double>{.x = x.view(),
                                                     .y = std::as_const(y).view(),
                                                     .dy = dy.view(),
                                                     .gamma = gamma,
                                                     .mean = mean,
                                                     .invstd = invstd,
                                                     .relu = true,
                                                     .dx = dx.view()});
  return test::close(p.dx.widened().values, dx.values, tol);
}

void batch_norm_forward(benchmark::State& state) {
  const int64_t rows = state.range(0), channels = state.range(1);
  Problem p(rows, channels, state.range(2) != 0);
  bench::run_verified(
      state, verified(channels, p.with_residual),
      batch_norm_forward_cost(static_cast<double>(rows), static_cast<double>(channels), p.with_residual),
      [&] { kernels::batch_norm_forward(p.forward(), Queue{}); });
}
BENCHMARK(batch_norm_forward)->Apply(shapes);

void batch_norm_backward(benchmark::State& state) {
  const int64_t rows = state.range(0), channels = state.range(1);
  Problem p(rows, channels, state.range(2) != 0);
  kernels::batch_norm_forward(p.forward(), Queue{});
  bench::run_verified(
      state, verified(channels, p.with_residual),
      batch_norm_backward_cost(static_cast<double>(rows), static_cast<double>(channels), p.with_residual,
                               p.with_residual ? BatchNormSign::from_y : BatchNormSign::from_x),
      [&] { kernels::batch_norm_backward(p.backward(), Queue{}); });
}
BENCHMARK(batch_norm_backward)->Apply(shapes);

// The yardstick: a copy of 16 MiB with the same threads.
void copy(benchmark::State& state) {
  const cpu::AlignedVector<float> from(size_t{1} << 22, 1.f);
  cpu::AlignedVector<float> to(from.size());
  bench::run_verified(state, testing::AssertionSuccess(), {.bytes = 8.0 * static_cast<double>(from.size())}, [&] {
    cpu::parallel_for(1 << 22, 1 << 16, [&](int64_t begin, int64_t end) {
      std::copy(from.begin() + begin, from.begin() + end, to.begin() + begin);
    });
  });
}
BENCHMARK(copy)->Apply(bench::timing);

}  // namespace
}  // namespace kith
