// ladder_counts [rows [rung...]]: what each rung, or each of those named, does on the device, counted by the SIMT runner; a line of
// README.md's table each.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "bench/study/ladder/problem.h"
#include "bench/study/ladder/simulated.h"

int main(int argc, char** argv) {
  using namespace kith;
  const int64_t rows = argc > 1 ? std::atoll(argv[1]) : 256;
  const ladder::Problem problem(rows);
  simt::options().count = true;
  fmt::print("| rung | launches | global bytes | of sectors | shared wavefronts | without conflicts | mma | ");
  fmt::print("wgmma | barriers |\n");
  fmt::print("|---|--:|--:|--:|--:|--:|--:|--:|--:|\n");
  for (const ladder::Rung& rung : ladder::rungs()) {
    if (argc > 2 && std::none_of(argv + 2, argv + argc, [&](std::string_view name) { return name == rung.name; }))
      continue;
    simt::records().clear();
    rung.run(problem.arguments(), ladder::describe_device_of(rung));
    simt::Counts c;
    for (const simt::LaunchRecord& launch : simt::records()) c.add(launch.counts);
    fmt::print("| {} | {} | {} | {} | {} | {} | {} | {} | {} |\n", rung.name, simt::records().size(),
               c.global_load_bytes + c.global_store_bytes, 32 * (c.global_load_sectors + c.global_store_sectors),
               c.shared_wavefronts, c.shared_ideal, c.mma, c.wgmma, c.block_barriers);
  }
}
