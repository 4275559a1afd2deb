// One convolution as cuDNN's backend sees it, the engines it proposes for it, and the plan that a choice among them makes.
// A graph is built for the device of a handle, or for a device that is only described: the same steps, so that everything
// up to execution can be tested where there is no GPU.
#pragma once
#include "nn/device/cudnn/descriptor.h"
#include "nn/device/plans/plan_store.h"

namespace kith {

struct ConvTarget {
  cudnnHandle_t handle = nullptr;
  const Descriptor* described = nullptr;  // CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR; instead of a handle
};

// Operands by their role in the pass, as in DenseMath: forward x, w, y; backward_data dy, w, dx; backward_weights x, dy, dw.
struct ConvOperands {
  const void* first = nullptr;
  const void* second = nullptr;
  void* out = nullptr;
};

class ConvPlan {
 public:
  ConvPlan(Descriptor config, Descriptor plan, PlanChoice choice);
  const PlanChoice& choice() const { return choice_; }  // workspace as the finalised plan states it
  // Enqueues on the handle's stream. `workspace` holds choice().workspace bytes.
  void run(cudnnHandle_t, const ConvOperands&, void* workspace) const;

 private:
  Descriptor config_;  // what the plan was made of outlives it
  Descriptor plan_;
  PlanChoice choice_;
};

class ConvGraph {
 public:
  ConvGraph(const ConvPlanKey&, ConvTarget);  // Error when cuDNN refuses the shape

  // What cuDNN's heuristics propose, best first, and behind few of them what it falls back to; without what the contract
  // excludes: engines that are not deterministic, that reduce or convert to less precision than the key allows, or that lose
  // digits to FFT or large Winograd tiles.
  std::vector<PlanChoice> candidates() const;
  std::vector<cudnnBackendNumericalNote_t> notes(const PlanChoice&) const;  // what its engine does to numbers
  // Error when this cuDNN does not take the choice for this device.
  ConvPlan plan(const PlanChoice&) const;

 private:
  Descriptor engine(int64_t index) const;
  void propose(cudnnBackendHeurMode_t, std::vector<PlanChoice>&) const;
  ConvPlanKey key_;
  ConvTarget target_;
  Descriptor graph_;
};

}  // namespace kith
