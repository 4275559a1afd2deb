#include "kernels/topk.h"

#include "bench/support.h"
#include "tests/kernels/topk_brute_force.h"

namespace kith {
namespace {

template <class T>
struct Problem {
  int64_t rows, dim, k;
  bench::Array<T> x, scores;
  bench::Array<int64_t> indices;

  Problem(Memory& memory, const test::HostMatrix<T>& x_in, int64_t k_in)
      : rows(x_in.rows), dim(x_in.cols), k(k_in), x(memory, x_in), scores(memory, rows, k), indices(memory, rows, k) {}
  kernels::TopK<T> args(int64_t queries) const {
    return {.queries = {x.data(), queries, dim},
            .database = x.matrix(),
            .k = k,
            .scores = {scores.data(), queries, k},
            .indices = {indices.data(), queries, k}};
  }
};

template <class T>
std::vector<T> first(std::vector<T> v, int64_t count) {
  v.resize(static_cast<size_t>(count));
  return v;
}

// The first lists: on the CPU against the oracle's scores, on a GPU against the CPU's lists, which they must equal.
testing::AssertionResult verified(const Problem<float>& p, const test::HostMatrix<float>& x, int64_t queries) {
  const bool on_cpu = bench::on_cpu();
  const int64_t sample = std::min<int64_t>(on_cpu ? 8 : 64, queries), count = sample * p.k;
  kernels::topk(p.args(queries), bench::queue());
  const std::vector<float> scores = first(p.scores.to_host(), count);
  if (on_cpu) {
    const Problem<double> oracle(bench::host(), widen(x), p.k);
    kernels::cpu::topk(oracle.args(sample));
    return test::close(scores, first(oracle.scores.to_host(), count), {.abs = 2 * test::kUnit});
  }
  const Problem<float> want(bench::host(), x, p.k);
  kernels::topk(want.args(sample), Queue{});
  if (first(p.indices.to_host(), count) != first(want.indices.to_host(), count))
    return testing::AssertionFailure() << "indices differ from the CPU's";
  return test::close(scores, first(want.scores.to_host(), count), {});
}

// The first rows as queries among all.
void search(benchmark::State& state, const test::HostMatrix<float>& x, int64_t k, int64_t queries) {
  const Problem<float> p(bench::memory(), x, k);
  bench::run_verified(
      state, verified(p, x, queries), bench::cost(kernels::topk_cost, queries, x.rows, x.cols, k),
      [&] { kernels::topk(p.args(queries), bench::queue()); }, bench::Bound::matrix);
}
// All rows among themselves.
void topk(benchmark::State& state) {
  search(state, test::unit_rows(state.range(0), state.range(1), {7}), state.range(2), state.range(0));
}
const std::vector<std::vector<int64_t>> kCpu = {{1000, 128, 20},
                                                {10000, 128, 20},
                                                {50000, 128, 20},
                                                {100000, 128, 20},
                                                {50000, 512, 20}},
                                        kCuda = {{10000, 128, 20}, {50000, 128, 20}, {50000, 512, 20}};
const bench::Entry kSearch{
    "topk", topk, {.cpu = kCpu, .cuda = kCuda, .smoke = {{70, 33, 5}}, .counted = {{512, 32, 10}}}};

// Fewer queries than rows: {rows, dim, k, queries}.
void topk_queries(benchmark::State& state) {
  search(state, test::unit_rows(state.range(0), state.range(1), {7}), state.range(2), state.range(3));
}
const bench::Entry kQueries{"topk_queries",
                            topk_queries,
                            {.cpu = {{100000, 128, 20, 4096}, {1000000, 128, 20, 4096}},
                             .smoke = {{70, 33, 5, 40}},
                             .counted = {{512, 32, 10, 100}}}};

// Rows in tight groups: {rows, dim, k, groups, noise of an element in units of 1e-9}; noise 0 makes duplicates.
void topk_grouped(benchmark::State& state) {
  const float noise = 1e-9f * static_cast<float>(state.range(4));
  const int64_t rows = state.range(0);
  search(state, test::grouped_rows(rows, state.range(1), state.range(3), noise, {7}), state.range(2), rows);
}
const std::vector<std::vector<int64_t>> kGrouped = {{10000, 128, 20, 1, 0},    {10000, 128, 20, 1, 1000},
                                                    {10000, 128, 20, 10, 0},   {10000, 128, 20, 10, 1000},
                                                    {10000, 128, 20, 1000, 0}, {10000, 128, 20, 1000, 1000}};
const bench::Entry kGroupedSearch{
    "topk_grouped",
    topk_grouped,
    {.cpu = kGrouped, .cuda = kGrouped, .smoke = {{70, 33, 5, 2, 0}}, .counted = {{512, 32, 10, 10, 1000}}}};

}  // namespace
}  // namespace kith
