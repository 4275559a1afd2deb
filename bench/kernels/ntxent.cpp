#include "kernels/ntxent.h"

#include "bench/support.h"

namespace kith {
namespace {

constexpr float kTau = 0.1f;

template <class T>
struct Problem {
  test::HostMatrix<T> z, dz;
  std::vector<T> lse, loss, dloss;

  explicit Problem(test::HostMatrix<T> z_in)
      : z(std::move(z_in)), dz(z.rows, z.cols), lse(z.rows), loss(z.rows), dloss(z.rows, 1 / static_cast<T>(z.rows)) {}
  kernels::NtXentForward<T> forward() { return {.z = std::as_const(z).view(), .tau = kTau, .lse = lse, .loss = loss}; }
  kernels::NtXentBackward<T> backward() {
    return {.z = std::as_const(z).view(), .lse = lse, .dloss = dloss, .tau = kTau, .dz = dz.view()};
  }
};

// Against the oracle at a size that costs little and still has several blocks.
testing::AssertionResult verified(int64_t dim) {
  const auto z = test::unit_rows(514, dim, {7});
  Problem<float> p(z);
  Problem<double> oracle(widen(z));
  kernels::ntxent_forward(p.forward(), Queue{}), kernels::ntxent_backward(p.backward(), Queue{});
  kernels::cpu::ntxent_forward(oracle.forward()), kernels::cpu::ntxent_backward(oracle.backward());
  return test::close(p.dz.values, oracle.dz.values, {.abs = 64 * test::kUnit / (514 * kTau)});
}

void ntxent_forward(benchmark::State& state) {
  const int64_t rows = state.range(0), dim = state.range(1);
  Problem<float> p(test::unit_rows(rows, dim, {7}));
  bench::run_verified(state, verified(dim), bench::cost(kernels::ntxent_forward_cost, rows, dim),
                      [&] { kernels::ntxent_forward(p.forward(), Queue{}); });
}
BENCHMARK(ntxent_forward)->Apply(bench::timing)->Args({1024, 128})->Args({4096, 128});

void ntxent_forward_backward(benchmark::State& state) {
  const int64_t rows = state.range(0), dim = state.range(1);
  Problem<float> p(test::unit_rows(rows, dim, {7}));
  using bench::operator+;
  bench::run_verified(
      state, verified(dim),
      bench::cost(kernels::ntxent_forward_cost, rows, dim) + bench::cost(kernels::ntxent_backward_cost, rows, dim),
      [&] {
        kernels::ntxent_forward(p.forward(), Queue{});
        kernels::ntxent_backward(p.backward(), Queue{});
      });
}
BENCHMARK(ntxent_forward_backward)->Apply(bench::timing)->Args({512, 128})->Args({1024, 128})->Args({4096, 128});

}  // namespace
}  // namespace kith
