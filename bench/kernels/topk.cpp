#include "kernels/topk.h"

#include "bench/support.h"

namespace kith {
namespace {

template <class T>
struct Problem {
  const test::HostMatrix<T>& x;
  test::HostMatrix<T> scores;
  test::HostMatrix<int64_t> indices;

  Problem(const test::HostMatrix<T>& x_in, int64_t k) : x(x_in), scores(x.rows, k), indices(x.rows, k) {}
  kernels::TopK<T> args(int64_t queries) {
    return {.queries = {x.values.data(), queries, x.cols},
            .database = x.view(),
            .k = scores.cols,
            .scores = {scores.values.data(), queries, scores.cols},
            .indices = {indices.values.data(), queries, scores.cols}};
  }
};

void topk(benchmark::State& state) {
  const int64_t rows = state.range(0), dim = state.range(1), k = state.range(2), sample = 8;
  const auto x = test::unit_rows(rows, dim, {7});
  Problem<float> p(x, k);
  kernels::topk(p.args(rows), Queue{});
  const auto wide = widen(x);
  Problem<double> oracle(wide, k);
  kernels::cpu::topk(oracle.args(sample));
  const auto first = [&](auto& m) { return std::span(std::as_const(m.values)).first(sample * k); };
  bench::run_verified(state, test::close(first(p.scores), first(oracle.scores), {.abs = 2 * test::kUnit}),
                      bench::cost(kernels::topk_cost, rows, rows, dim, k),
                      [&] { kernels::topk(p.args(rows), Queue{}); });
}
BENCHMARK(topk)->Apply(bench::timing)->Args({10000, 128, 20})->Args({50000, 128, 20})->Args({50000, 512, 20});

}  // namespace
}  // namespace kith
