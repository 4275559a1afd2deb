// Whether a kernel's results are right: beside the CPU's, and in several orders of threads.
#include <dlfcn.h>
#include <fmt/format.h>

#include <ostream>
#include <sstream>
#include <string_view>

#include "bench/study/simt/study.h"
#include "data/fetch/process.h"

namespace kith::study {

double Study::tolerance(const Sizes& s) const { return rounds_weights && s["bf16"] != 0 ? kBf16 : kF32; }

std::string Verdict::line() const {
  if (!results.difference.empty()) return results.difference;
  const std::string looked = orders == 1
                                 ? "1 order of threads, no fault (whether results depend on the order: not looked at)"
                                 : fmt::format("{} orders of threads, no fault", orders);
  const std::string start =
      fmt::format("{}{}{}", clean() ? "clean: " : "", looked, races ? "" : " (races: not looked for)");
  if (!not_compared.empty()) return fmt::format("{}; results are not compared: {}", start, not_compared);
  return fmt::format("{}; results are the CPU's (largest difference {:.1e} of the largest value)", start,
                     results.largest);
}

namespace {

// The arrays of a study while it runs; and the orders of the runner.
class Watched {
 public:
  explicit Watched(int orders) : before_(simt::options().orders) {
    recorded() = &arrays;
    simt::options().orders = orders;
  }
  ~Watched() {
    recorded() = nullptr;
    simt::options().orders = before_;
  }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;

  Arrays arrays;

 private:
  int before_;
};

}  // namespace

Result run_verified(const Study& s, const Sizes& sizes, const simt::Described& device, int orders) {
  simt::describe(device);
  simt::options().count = true;
  simt::records().clear();
  Watched watched(orders);
  const Queue q{Device::cuda, nullptr, device.sm, device.multiprocessors};
  Result r{.kernel = s.name, .sizes = sizes, .cost = s.run(sizes, q), .launches = simt::records(), .verdict = {}};
  Verdict& verdict =
      r.verdict.emplace(Verdict{.orders = orders, .races = simt::options().races, .results = {}, .not_compared = {}});
  const Arrays on_device = std::exchange(watched.arrays, {});
  try {
    (void)s.run(sizes, Queue{});
  } catch (const Error& e) {  // what the device does and the CPU does not
    verdict.not_compared = fmt::format("the CPU says: {}", e.what());
    return r;
  }
  verdict.results = compare(on_device, watched.arrays, s.tolerance(sizes));
  if (verdict.results.arrays == 0 && verdict.results.difference.empty())
    verdict.not_compared = "neither the device nor the CPU wrote to an array";
  return r;
}

int show(const Study& s, const Sizes& sizes, const simt::Described& device, int orders, bool as_json, std::ostream& out,
         std::ostream& err) {
  try {
    const Result r = run_verified(s, sizes, device, orders);
    out << (as_json ? json(r) : table(r)) << std::flush;
    if (r.verdict->results.difference.empty()) return 0;
    err << fmt::format("kith_simt: {}: {}\n", s.name, r.verdict->results.difference);
  } catch (const simt::Fault& e) {
    const std::string at = source_line(e);
    err << fmt::format("kith_simt: {}{}\n", e.what(), at.empty() ? "" : fmt::format(" ({})", at));
  }
  return 1;
}

// Inlined functions come one line each, the innermost first: the first of a .cu file is the kernel's.
std::string source_line(const simt::Fault& fault) {
  const auto* of_access = dynamic_cast<const simt::FaultAt*>(&fault);
  Dl_info info{};
  if (of_access == nullptr || of_access->site == nullptr || dladdr(of_access->site, &info) == 0 ||
      info.dli_fname == nullptr)
    return "";
  const auto offset = reinterpret_cast<uintptr_t>(of_access->site) - reinterpret_cast<uintptr_t>(info.dli_fbase) - 1;
  std::istringstream lines(data::output_of({"addr2line", "-i", "-e", info.dli_fname, fmt::format("{:#x}", offset)}));
  std::string found;
  for (std::string line; std::getline(lines, line);) {
    line = line.substr(0, line.find(" (discriminator"));
    if (line.empty() || line.starts_with("??") || line.ends_with(":?") || line.ends_with(":0")) continue;
    const bool of_kernel = line.find(".cu:") != std::string::npos;
    if (found.empty() || of_kernel) found = line;
    if (of_kernel) break;
  }
  constexpr std::string_view sources = KITH_CUDA_SOURCES, root = sources.substr(0, sources.rfind("kernels/cuda"));
  return found.starts_with(root) ? found.substr(root.size()) : found;
}

}  // namespace kith::study
