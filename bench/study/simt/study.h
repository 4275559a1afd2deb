// What kith_simt runs: every entry of kernels/cuda, by the name it has in its contract, at sizes of the reader's choice.
#pragma once
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/study/simt/arrays.h"
#include "kernels/core/check.h"
#include "tests/simt/runner/fault_at.h"

namespace kith::study {

// Sizes by name, in the order in which they are shown. A choice (bf16, residual) is a size of 0 or 1.
class Sizes {
 public:
  Sizes(std::initializer_list<std::pair<std::string, int64_t>> values) : values_(values) {}
  int64_t operator[](std::string_view name) const;
  void set(std::string_view name, int64_t value);  // Error when there is no such size
  const std::vector<std::pair<std::string, int64_t>>& all() const { return values_; }
  std::string text() const;  // rows=256,dim=128

 private:
  std::vector<std::pair<std::string, int64_t>> values_;
};

// One entry. `run` makes the inputs, calls the entry once and returns its contract's cost; at the defaults within a second.
// On a queue of the CPU it does the same with the CPU's entry.
struct Study {
  std::string name;
  Sizes sizes;
  std::function<Cost(const Sizes&, Queue)> run;
  bool rounds_weights = false;  // with bf16 products: what it computes is rounded to bf16 before it is multiplied again

  double tolerance(const Sizes&) const;
};

// The studies of one kernel, NAME.cpp of this folder: a constant there adds them to the list.
class Entries {
 public:
  explicit Entries(std::vector<Study>);
};

const std::vector<Study>& studies();        // by name
const Study& study(std::string_view name);  // Error when there is none

// Whether a run left what the CPU's entry leaves of the same inputs. A run that faults has no verdict.
struct Verdict {
  int orders = 1;  // of threads that each launch ran in
  bool races = true;
  Comparison results;
  std::string not_compared;  // why; empty: compared

  bool clean() const { return races && not_compared.empty() && results.difference.empty(); }
  std::string line() const;
};

struct Result {
  std::string kernel;
  Sizes sizes;
  Cost cost;  // of the contract
  std::vector<simt::LaunchRecord> launches;
  std::optional<Verdict> verdict = {};  // where asked for
};
// For a device of that capability (times ten) with that many multiprocessors, by which entries cut their work. Counts alone: one
// order of threads, as the traffic is the same in all.
Result run(const Study&, const Sizes&, int sm = 80, int multiprocessors = simt::kMultiprocessors);
// In that many orders, and beside the CPU.
Result run_verified(const Study&, const Sizes&, const simt::Described&, int orders);
// The line of the source where the access stands that a fault names: "kernels/cuda/topk_scan.cu:88"; empty where no access is at
// fault or binutils' addr2line does not know.
std::string source_line(const simt::Fault&);

// Bytes of 32-byte sectors that loads and stores touch.
uint64_t sector_bytes(const simt::Counts&);
simt::Counts total(const Result&);
std::string table(const Result&);
std::string json(const Result&);

// Runs a study verified and writes table or JSON; returns the exit status, 1 where it faults or the results differ.
int show(const Study&, const Sizes&, const simt::Described&, int orders, bool as_json, std::ostream& out,
         std::ostream& err);

// The program: arguments without its name; returns the exit status.
int command(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err);

// What the studies' inputs are made of.
inline std::vector<float> filled(int64_t count, float value) {
  return std::vector<float>(static_cast<size_t>(count), value);
}
inline std::vector<int32_t> labels(int64_t count, int64_t classes) {
  std::vector<int32_t> v(static_cast<size_t>(count));
  for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<int32_t>(static_cast<int64_t>(i) % classes);
  return v;
}

// The contract's cost function, called with extents.
template <class F, class... Extents>
Cost cost(F f, Extents... extents) {
  return f(static_cast<double>(extents)...);
}
// Where a contract states bytes per element and has no function of its own for them.
inline Cost per_element(double flops, double bytes, int64_t count) {
  return {.flops = flops * static_cast<double>(count), .bytes = bytes * static_cast<double>(count)};
}

}  // namespace kith::study
