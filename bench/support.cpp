#include "bench/support.h"

namespace kith::bench {
namespace {

int failed = 0;

void run_on_cpu(benchmark::State& state, Cost cost, const std::function<void()>& f) {
  for ([[maybe_unused]] auto _ : state) {
    f();
    benchmark::ClobberMemory();
  }
  state.counters["flop/s"] = benchmark::Counter(cost.flops, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["B/s"] =
      benchmark::Counter(cost.bytes, benchmark::Counter::kIsIterationInvariantRate, benchmark::Counter::kIs1024);
}

}  // namespace

Entry::Entry(const std::string& name, std::function<void(benchmark::State&)> function, const Sizes& sizes) {
  const auto& shapes = target() == Target::cpu ? sizes.cpu : target() == Target::cuda ? sizes.cuda : sizes.smoke;
  if (shapes.empty()) return;
  auto* b = benchmark::RegisterBenchmark(name.c_str(), [function](benchmark::State& state) {
    try {
      function(state);
    } catch (const std::exception& e) {
      fail(state, e.what());
    }
  });
  // On the CPU wall time, as the work is threaded, and processor time of all threads, which other load on the machine
  // disturbs less. On a device one iteration is the median of many calls.
  if (target() == Target::cpu)
    b->UseRealTime()->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond);
  else
    b->UseManualTime()->Iterations(1)->Unit(benchmark::kMicrosecond);
  b->ArgNames(sizes.names);
  for (const std::vector<int64_t>& shape : shapes) b->Args(shape);
}

void fail(benchmark::State& state, const std::string& why) {
  ++failed;
  state.SkipWithError(why.c_str());
}

int failures() { return failed; }

void report(benchmark::State& state, const Timing& t, Cost cost, Bound bound) {
  for ([[maybe_unused]] auto _ : state) state.SetIterationTime(t.median);
  state.counters["samples"] = t.samples;
  state.counters["spread"] = (t.high - t.low) / t.median;
  if (cost.flops > 0) state.counters["flop/s"] = cost.flops / t.median;
  if (cost.bytes > 0) state.counters["B/s"] = cost.bytes / t.median;
  double floor = cost.bytes / machine().copy_rate();
  if (bound != Bound::memory) {
    const double ceiling = machine().flop_rate(bound);
    if (ceiling == 0) return;  // no floor without the ceiling that counts
    state.counters["ceiling_flop/s"] = ceiling;
    floor = std::max(floor, cost.flops / ceiling);
  }
  if (floor == 0) return;
  state.counters["floor_us"] = floor * 1e6;
  state.counters["of_floor"] = floor / t.median;
}

void run(benchmark::State& state, Cost cost, Bound bound, const std::function<void()>& f) {
  if (target() == Target::cpu)
    run_on_cpu(state, cost, f);
  else
    report(state, machine().time(f), cost, bound);
}

}  // namespace kith::bench
