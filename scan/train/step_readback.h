// StepReadback: brings the metrics of steps, such as the loss, to the host.
//
// On a device they come back in blocks of kBlock steps through pinned memory, while later steps run. On the CPU they are there
// at once.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "nn/tensor/array.h"
#include "nn/tensor/tensor.h"

namespace kith {

// One number per step: a value, or a count. skipped_if_zero: 0 means that the step changed nothing.
struct StepMetric {
  const char* name;  // in the log; "": not there
  Tensor value;
  Array<int32_t> count = {};
  double scale = 1;
  bool skipped_if_zero = false;
};
using StepMetrics = std::vector<StepMetric>;  // "loss" first

class StepReadback {
 public:
  static constexpr int64_t kBlock = 50;  // steps, on a device

  explicit StepReadback(Context&);
  ~StepReadback();

  // Called inside the step: copies its metrics to where they outlive it. Names are those of the first call.
  void keep(const StepMetrics&);
  // After the step. Its metrics arrive some steps later; `use` is called for every step, in order.
  using Use = std::function<void(int64_t step, std::span<const double> values)>;
  void push(int64_t step, const Use& use);
  void drain(const Use& use);  // waits for all that are under way
  struct Name {
    const char* name;
    bool integer;
    double scale;
    bool skipped_if_zero;
  };
  const std::vector<Name>& names() const { return names_; }  // of the terms, once a step has been kept

 private:
  struct Block;
  void take(Block&, const Use&);

  Context& ctx_;
  std::vector<Name> names_;
  Array<uint32_t> kept_;  // [terms]
  std::unique_ptr<Block> filling_, waiting_;
};

}  // namespace kith
