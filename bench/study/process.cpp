// What is measured once, in a process of its own, and printed as one JSON object. bench/rivals/scaling.py asks for it.
//
//   bench_process ceilings                                          of a machine, as a profile measures them (nn/tensor/ceilings.h)
//   bench_process topk ROWS DIM K QUERIES                           memory of a search; as many queries as rows: a set in itself
//   bench_process train_step WIDTH VIEWS SIDE CHANNELS FORMAT STEPS RECOMPUTE
//                 memory of training steps; FORMAT as in bench/nn/train_step.cpp, RECOMPUTE 0 or 1
//
// "before": bytes resident before the rows, or the network and its images, were made. "peak": the most that were resident from
// then on. Both are of /proc/self/status, the peak (VmHWM) reset at "before": unlike getrusage's it does not begin with that of
// the program that started this one.
#include <fmt/format.h>

#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "bench/nn/trainer.h"
#include "kernels/topk.h"
#include "nn/device/threads.h"
#include "nn/tensor/ceilings.h"

namespace kith::bench {

Target target() { return Target::cpu; }

namespace {

// "VmRSS:     1234 kB"
int64_t status_bytes(std::string_view field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(field)) return std::stoll(line.substr(field.size())) * 1024;
  throw Error("/proc/self/status has no " + std::string(field));
}

void print_ceilings() {
  Context ctx(options_of(cpu_multiplies_bf16() ? Format::bf16 : Format::f32, false));
  const Ceilings c = measure_ceilings(ctx);
  fmt::print(R"({{"copied_bytes/s": {:.4g}, "f32_flop/s": {:.4g}, "bf16_flop/s": {:.4g}}})"
             "\n",
             c.bytes, c.f32, c.bf16);
}

template <class F>
void print_memory(F&& work) {
  std::ofstream("/proc/self/clear_refs") << 5;  // the peak begins again at what is resident now
  const int64_t before = status_bytes("VmRSS:");
  work();
  fmt::print("{{\"before\": {}, \"peak\": {}}}\n", before, status_bytes("VmHWM:"));
}

void search(int64_t rows, int64_t dim, int64_t k, int64_t queries) {
  const test::HostMatrix<float> x = test::unit_rows(rows, dim, {7});
  Array<float> scores(host(), queries, k);
  Array<int64_t> indices(host(), queries, k);
  kernels::topk({.queries = {x.values.data(), queries, dim},
                 .database = x.view(),
                 .k = k,
                 .scores = scores.matrix(),
                 .indices = indices.matrix()},
                Queue{});
}

void train(const Shape4& shape, Format format, int64_t steps, bool recompute) {
  ContextOptions options = options_of(format, false);
  options.recompute = recompute;
  Context ctx(options);
  Trainer trainer(ctx, shape);
  for (int64_t i = 0; i < steps; ++i) trainer.step();
}

int run(const std::string& what, const std::vector<int64_t>& n) {
  if (what == "ceilings" && n.empty())
    print_ceilings();
  else if (what == "topk" && n.size() == 4)
    print_memory([&] { search(n[0], n[1], n[2], n[3]); });
  else if (what == "train_step" && n.size() == 7)
    print_memory([&] {
      train({.width = static_cast<int>(n[0]), .views = n[1], .side = n[2], .channels = static_cast<int>(n[3])},
            static_cast<Format>(n[4]), n[5], n[6] != 0);
    });
  else
    throw Error("ceilings | topk ROWS DIM K QUERIES | train_step WIDTH VIEWS SIDE CHANNELS FORMAT STEPS RECOMPUTE");
  return 0;
}

}  // namespace
}  // namespace kith::bench

int main(int argc, char** argv) {
  kith::settle_thread_wait(argv);
  try {
    std::vector<int64_t> numbers;
    for (int i = 2; i < argc; ++i) numbers.push_back(std::stoll(argv[i]));
    return kith::bench::run(argc > 1 ? argv[1] : "", numbers);
  } catch (const std::exception& e) {
    fmt::print(stderr, "{}: {}\n", argv[0], e.what());
    return 1;
  }
}
