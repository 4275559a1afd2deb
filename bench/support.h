// Shared by the benchmark files. Form of one:
//
//   void ntxent_forward(benchmark::State& state) {
//     ... a Problem<float> in bench::memory(); a small one like it run once and compared with its fp64 oracle ...
//     bench::run_verified(state, verified, bench::cost(ntxent_forward_cost, rows, dim),
//                         [&] { kernels::ntxent_forward(p.forward(), bench::queue()); });
//   }
//   const bench::Entry kForward{"ntxent_forward", ntxent_forward, {.cpu = {{1024, 128}}, .cuda = {{65536, 128}}, .smoke = {{34, 9}}}};
//
// A program of such files runs on one target (machine.h). Its exit status is 1 when a result was wrong or a benchmark failed.
#pragma once
#include <benchmark/benchmark.h>

#include "bench/machine.h"
#include "kernels/core/types.h"

namespace kith::bench {

// The arguments of a benchmark on each target; none: it is not run there, but where it is timed on the CPU its calls are also
// counted, by default those of its first arguments there.
struct Sizes {
  std::vector<std::string> names = {};
  std::vector<std::vector<int64_t>> cpu = {}, cuda = {}, smoke = {}, counted = {};
};

// Registers a benchmark. An exception is its failure, not the program's.
class Entry {
 public:
  Entry(const std::string& name, std::function<void(benchmark::State&)>, const Sizes&);
};

// Calls f while callgrind counts, and has it write the count under that name. Without callgrind it is just a call.
void count(const std::string& name, const std::function<void()>& f);

void fail(benchmark::State&, const std::string& why);  // the benchmark prints an error and no time
int failures();

// The contract's cost function, called with extents.
template <class F, class... Extents>
Cost cost(F f, Extents... extents) {
  return f(static_cast<double>(extents)...);
}
inline Cost operator+(Cost a, Cost b) { return {.flops = a.flops + b.flops, .bytes = a.bytes + b.bytes}; }

// A time on a GPU as the benchmark's: the median; beside it stand the spread between the quartiles, the floor of the
// contract's cost at the measured ceilings, and which part of the time that floor is.
void report(benchmark::State&, const Timing&, Cost, Bound);
void run(benchmark::State&, Cost, Bound, const std::function<void()>&);

// Times f only when the result was right: a wrong result prints an error and no time.
template <class F>
void run_verified(benchmark::State& state, const testing::AssertionResult& verified, Cost cost, F&& f,
                  Bound bound = Bound::memory) {
  if (!verified) return fail(state, verified.message());
  run(state, cost, bound, f);
}

// The same for a forward and a backward pass that are timed as one; they are counted one by one.
using Pass = std::function<void()>;
void run_both_verified(benchmark::State&, const testing::AssertionResult& verified, Cost, const Pass& forward,
                       const Pass& backward, Bound = Bound::memory);

}  // namespace kith::bench
