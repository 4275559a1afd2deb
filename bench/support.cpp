#include "bench/support.h"

namespace kith::bench {
namespace {

int failed = 0;
std::string running;  // the benchmark: its name and arguments

std::vector<std::vector<int64_t>> shapes_of(const Sizes& sizes) {
  switch (target()) {
    case Target::cpu:
      return sizes.cpu;
    case Target::counted:
      if (sizes.counted.empty() && !sizes.cpu.empty()) return {sizes.cpu.front()};
      return sizes.counted;
    case Target::cuda:
      return sizes.cuda;
    case Target::smoke:
      return sizes.smoke;
  }
  return {};
}

void run_on_cpu(benchmark::State& state, Cost cost, const std::function<void()>& f) {
  for ([[maybe_unused]] auto _ : state) {
    f();
    benchmark::ClobberMemory();
  }
  state.counters["flop/s"] = benchmark::Counter(cost.flops, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["B/s"] =
      benchmark::Counter(cost.bytes, benchmark::Counter::kIsIterationInvariantRate, benchmark::Counter::kIs1024);
}

struct Counted {
  std::string name;
  std::function<void()> f;
};
void run_counted(benchmark::State& state, const std::vector<Counted>& calls) {
  for (const Counted& call : calls) call.f();
  for ([[maybe_unused]] auto _ : state)
    for (const Counted& call : calls) count(call.name, call.f);
}

}  // namespace

Entry::Entry(const std::string& name, std::function<void(benchmark::State&)> function, const Sizes& sizes) {
  const std::vector<std::vector<int64_t>> shapes = shapes_of(sizes);
  if (shapes.empty()) return;
  const size_t arguments = shapes.front().size();
  auto* b = benchmark::RegisterBenchmark(name.c_str(), [function, name, arguments](benchmark::State& state) {
    running = name;
    for (size_t i = 0; i < arguments; ++i) running.append("/").append(std::to_string(state.range(i)));
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
  else if (target() == Target::counted)
    b->Iterations(1);
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
  state.counters["host_us"] = t.host * 1e6;
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
  else if (target() == Target::counted)
    run_counted(state, {{running, f}});
  else
    report(state, machine().time(f), cost, bound);
}

void run_both_verified(benchmark::State& state, const testing::AssertionResult& verified, Cost cost,
                       const Pass& forward, const Pass& backward, Bound bound) {
  if (!verified) return fail(state, verified.message());
  if (target() == Target::counted)
    return run_counted(state, {{running + "/forward", forward}, {running + "/backward", backward}});
  run(state, cost, bound, [&] {
    forward();
    backward();
  });
}

}  // namespace kith::bench
