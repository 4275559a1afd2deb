// Shared by the benchmark files. Form of one:
//
//   void ntxent_forward(benchmark::State& state) {
//     ... inputs from tests/support/compare.h, one run, result compared with the fp64 oracle on a small size ...
//     run_verified(state, test::close(got, want, tol), ntxent_forward_cost(rows, dim), [&] {
//     kernels::ntxent_forward(args, Queue{}); });
//   }
//   BENCHMARK(ntxent_forward)->Apply(kith::bench::timing)->Args({1024, 128});
#pragma once
#include <benchmark/benchmark.h>

#include "kernels/core/types.h"
#include "tests/support/compare.h"

namespace kith::bench {

// Wall time, as the work is threaded, and processor time of all threads, which other load on the machine disturbs less.
inline void timing(benchmark::internal::Benchmark* b) {
  b->UseRealTime()->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond);
}

// The contract's cost function, called with extents.
template <class F, class... Extents>
Cost cost(F f, Extents... extents) {
  return f(static_cast<double>(extents)...);
}
inline Cost operator+(Cost a, Cost b) { return {.flops = a.flops + b.flops, .bytes = a.bytes + b.bytes}; }

// Rates from the contract's cost function, per second of wall time.
inline void report_cost(benchmark::State& state, Cost cost) {
  state.counters["flop/s"] = benchmark::Counter(cost.flops, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["B/s"] =
      benchmark::Counter(cost.bytes, benchmark::Counter::kIsIterationInvariantRate, benchmark::Counter::kIs1024);
}

// Times f only when the result was right: a wrong result prints an error and no time.
template <class F>
void run_verified(benchmark::State& state, const testing::AssertionResult& verified, Cost cost, F&& f) {
  if (!verified) {
    state.SkipWithError(verified.message());
    return;
  }
  for ([[maybe_unused]] auto _ : state) {
    f();
    benchmark::ClobberMemory();
  }
  report_cost(state, cost);
}

}  // namespace kith::bench
