// Convolution plans of one stream: made at first use by a short timed search, or from what an earlier run found.
#pragma once
#include <map>
#include <memory>

#include "nn/device/cudnn/conv_graph.h"
#include "nn/device/cudnn/workspace.h"
#include "nn/device/dense_math.h"

namespace kith {

class ConvPlans {
 public:
  ConvPlans(cudaStream_t, const MathOptions&);
  ~ConvPlans();
  ConvPlans(const ConvPlans&) = delete;
  ConvPlans& operator=(const ConvPlans&) = delete;

  // Enqueues the convolution. The first call of a key plans, which waits for the device: an Error during capture.
  void run(const ConvPlanKey&, const ConvOperands&, Workspace&);

  const PlanStore& store() const { return store_; }

 private:
  const ConvPlan& make(const ConvPlanKey&, const ConvOperands&);
  PlanChoice search(const ConvGraph&, const ConvPlanKey&, ConvOperands);
  double time(const ConvPlan&, const ConvOperands&, void* workspace);
  cudaStream_t stream_;
  MathOptions options_;
  cudnnHandle_t handle_ = nullptr;
  PlanStore store_;
  std::map<ConvPlanKey, ConvPlan> plans_;
};

}  // namespace kith
