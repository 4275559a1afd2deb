// Optimisers over named parameters: SGD, Adam, AdamW, LARS.
#pragma once
#include <string>
#include <vector>

#include "kernels/optim.h"
#include "nn/model/flat_parameters.h"
#include "nn/tensor/array.h"

namespace kith {

enum class OptimizerKind : uint8_t { sgd, adam, adamw, lars };
struct OptimizerConfig {
  OptimizerKind kind = OptimizerKind::sgd;
  float momentum = 0.9f;  // sgd, lars
  bool nesterov = false;  // sgd
  float beta1 = 0.9f, beta2 = 0.999f, eps = 1e-8f;
  float weight_decay = 1e-4f;
  float trust = 0.001f;   // lars
  bool decay_all = true;  // false: no decay on biases and normalisation weights
};

// Moves the parameters into FlatParameters, so that at most one optimiser at a time works on a parameter.
//
// With several ranks (nn/device/ranks/collective.h) the gradients become their sum over the ranks, in one reduction of the whole
// buffer: in gradients() or step(), whichever comes first after zero_grad(). The loss is that of the whole batch on every rank,
// and a rank's gradient is what came through its own rows (nn/ops/ops.h). Between the two there must be no backward. A number
// that allows a step must be the same on every rank; the `finite` of gradients() is.
class Optimizer {
 public:
  Optimizer(Context&, const std::vector<NamedParameter>&, const OptimizerConfig&);
  void zero_grad();  // the next backward overwrites
  // One step with the learning rate and the number that `live` holds in the device's memory; parameters without a gradient
  // are left alone. `allowed`, where given, is a number there: 0 leaves everything as it is, and Adam's corrections do not count
  // the step.
  void step(const LiveStep* live, const int32_t* allowed = nullptr);
  void step(float lr);  // outside a captured step: sets the numbers, steps, counts
  // Of the gradients that the next step uses: their norm [], and whether all of them are numbers (1 or 0).
  struct Gradients {
    Tensor norm;
    Array<int32_t> finite;
  };
  Gradients gradients();
  void count_step() { ++steps_; }
  int64_t steps() const { return steps_; }  // so far, with those that were not allowed since load()
  const FlatParameters& flat() const { return flat_; }
  // Checkpoints: tensors "<prefix><name>.m", ".v"; metadata "<prefix>optimizer.steps", those that happened. Strict as load_state:
  // every array under the prefix must be known.
  void save(SafeTensors&, const std::string& prefix) const;
  void load(const SafeTensors&, const std::string& prefix);

 private:
  bool two_moments() const;
  static bool has_gradient(const Parameter&);
  void reduce();
  std::vector<kernels::OptimSlot<float>> slots() const;
  Cost step_cost() const;

  Context& ctx_;
  OptimizerConfig config_;
  FlatParameters flat_;
  Tensor m_, v_;            // laid out like the weights
  bool reduced_ = false;    // the gradients are those of all ranks
  Array<LiveStep> live_;    // of step(float)
  Array<int64_t> skipped_;  // [1] steps since load() that were not allowed
  int64_t steps_ = 0;
};

}  // namespace kith
