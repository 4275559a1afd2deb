// What kith_simt runs: every entry of kernels/cuda, by the name it has in its contract, at sizes of the reader's choice.
#pragma once
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "kernels/core/check.h"
#include "tests/simt/runner/runtime.h"
#include "tests/support/device.h"

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
struct Study {
  std::string name;
  Sizes sizes;
  std::function<Cost(const Sizes&, Queue)> run;
};

// To add an entry: a Study in the file of its kind, see losses.cpp.
std::vector<Study> loss_studies();
std::vector<Study> dense_studies();
std::vector<Study> elementwise_studies();
std::vector<Study> image_studies();
std::vector<Study> search_studies();
const std::vector<Study>& studies();
const Study& study(std::string_view name);  // Error when there is none

struct Result {
  std::string kernel;
  Sizes sizes;
  Cost cost;  // of the contract
  std::vector<simt::LaunchRecord> launches;
};
Result run(const Study&, const Sizes&);

// Bytes of 32-byte sectors that loads and stores touch.
uint64_t sector_bytes(const simt::Counts&);
simt::Counts total(const Result&);
std::string table(const Result&);
std::string json(const Result&);

// The program: arguments without its name; returns the exit status.
int command(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err);

// The contract's cost function, called with extents.
template <class F, class... Extents>
Cost cost(F f, Extents... extents) {
  return f(static_cast<double>(extents)...);
}

}  // namespace kith::study
