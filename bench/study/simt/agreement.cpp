#include "kernels/agreement.h"

#include "bench/study/simt/study.h"

namespace kith::study {
namespace {

Cost run_agreement(const Sizes& s, Queue q) {
  const int64_t rows = s["rows"], k = s["k"];
  std::vector<int64_t> lists(static_cast<size_t>(rows * k));
  for (size_t i = 0; i < lists.size(); ++i) lists[i] = static_cast<int64_t>(i * 7919 % static_cast<size_t>(rows));
  const OnDevice<int64_t> neighbours(lists);
  const OnDevice<int32_t> label(labels(rows, 10)), agree(std::vector<int32_t>(static_cast<size_t>(rows), 0));
  kernels::agreement({.neighbours = {neighbours.data(), rows, k}, .labels = label.span(), .agree = agree.span()}, q);
  return cost(kernels::agreement_cost, rows, k);
}

const Entries kAgreementEntries{{{"agreement", {{"rows", 512}, {"k", 100}}, run_agreement}}};

}  // namespace
}  // namespace kith::study
