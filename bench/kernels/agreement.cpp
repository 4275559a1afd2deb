#include "kernels/agreement.h"

#include "bench/support.h"
#include "kernels/core/philox.h"

namespace kith {
namespace {

void agreement(benchmark::State& state) {
  const int64_t rows = state.range(0), k = state.range(1);
  Random random(7, 0, 0, 0);
  std::vector<int32_t> labels(static_cast<size_t>(rows)), want(static_cast<size_t>(rows));
  std::vector<int64_t> lists(static_cast<size_t>(rows * k));
  for (int32_t& l : labels) l = static_cast<int32_t>(random.below(10));
  for (int64_t& n : lists) n = random.below(static_cast<uint32_t>(rows));
  const bench::Array<int64_t> neighbours(bench::memory(), lists);
  const bench::Array<int32_t> own(bench::memory(), labels), agree(bench::memory(), rows);
  const auto call = [&] {
    kernels::agreement({.neighbours = {neighbours.data(), rows, k}, .labels = own.span(), .agree = agree.span()},
                       bench::queue());
  };
  call();
  kernels::cpu::agreement({.neighbours = {lists.data(), rows, k}, .labels = labels, .agree = want});
  bench::run_verified(state, test::close(agree.to_host(), want, {}), bench::cost(kernels::agreement_cost, rows, k),
                      call);
}
const bench::Entry kAgreement{
    "agreement", agreement, {.cpu = {{50000, 100}}, .cuda = {{50000, 100}}, .smoke = {{9, 33}}}};

}  // namespace
}  // namespace kith
