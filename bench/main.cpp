// The program around every benchmark file: says what it ran on, then runs.
#include <benchmark/benchmark.h>
#include <dnnl.h>
#include <fmt/format.h>
#include <omp.h>

int main(int argc, char** argv) {
  const dnnl_version_t* dnnl = dnnl_version();
  benchmark::AddCustomContext("threads", fmt::format("{}", omp_get_max_threads()));
  benchmark::AddCustomContext("onednn", fmt::format("{}.{}.{}", dnnl->major, dnnl->minor, dnnl->patch));
  benchmark::AddCustomContext("compiler", "g++ " __VERSION__);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
