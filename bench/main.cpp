// The program around every benchmark file: says what it ran on, then runs. KITH_BENCH_TARGET says which target it is for. Exit
// status 77 where that is a GPU and there is none, 1 when a result was wrong or a benchmark failed.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <omp.h>

#include <algorithm>

#include "bench/support.h"
#include "nn/device/threads.h"
#include "nn/tensor/context.h"
#ifdef KITH_SIMT
#include "tests/simt/runner/runtime.h"
#endif
#ifdef KITH_CALLGRIND
#include <valgrind/callgrind.h>
#endif

namespace kith::bench {

Target target() { return Target::KITH_BENCH_TARGET; }

void count([[maybe_unused]] const std::string& name, const std::function<void()>& f) {
#ifdef KITH_CALLGRIND
  CALLGRIND_START_INSTRUMENTATION;
  f();
  CALLGRIND_STOP_INSTRUMENTATION;
  CALLGRIND_DUMP_STATS_AT(name.c_str());
#else
  f();
#endif
}

namespace {

constexpr std::string_view kList = "--benchmark_list_tests";  // needs no device

void describe(const ThreadWait& wait) {
  benchmark::AddCustomContext("compiler", "g++ " __VERSION__);
  if (on_cpu()) {
    benchmark::AddCustomContext("threads", fmt::format("{}", omp_get_max_threads()));
    benchmark::AddCustomContext("waiting_threads", to_string(wait));
    benchmark::AddCustomContext("onednn", onednn_version());
    return;
  }
  const DeviceInfo info = machine().accelerator().info();
  benchmark::AddCustomContext("device", fmt::format("{}, sm_{}, {:.0f} GiB", info.name, info.sm,
                                                    static_cast<double>(info.memory_bytes) / (1 << 30)));
  const DeviceList list = list_devices();
  benchmark::AddCustomContext("cuda", fmt::format("driver {}, runtime {}", list.driver, list.runtime));
  benchmark::AddCustomContext("dense_math", machine().math() == nullptr ? "none" : machine().math()->describe());
  benchmark::AddCustomContext("copy_B/s", fmt::format("{:.4g}", machine().copy_rate()));
  benchmark::AddCustomContext("time", "median of single calls, device time, caches cold");
}

}  // namespace
}  // namespace kith::bench

int main(int argc, char** argv) {
  using namespace kith;
#ifdef KITH_SIMT
  // Kernels have tests of their own that look for races; here a host that touches device memory must be found.
  simt::options().orders = 1;
  simt::options().races = false;
  simt::options().host_guard = true;
#endif
  const ThreadWait wait = settle_thread_wait(argv);  // as in the program
  const bench::MachineScope scope;
  const bool listing = std::any_of(argv, argv + argc, [](std::string_view a) { return a.starts_with(bench::kList); });
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  try {
    if (const std::string why = listing ? "" : bench::absent(); !why.empty()) {
      fmt::print("{}\n", why);
      return 77;
    }
    if (!listing) bench::describe(wait);
    benchmark::RunSpecifiedBenchmarks();
  } catch (const std::exception& e) {
    fmt::print(stderr, "{}: {}\n", argv[0], e.what());
    return 1;
  }
  benchmark::Shutdown();
  return bench::failures() > 0;
}
