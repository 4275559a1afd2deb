// Running of oneDNN plans: reorders around the primitive, scratch memory from the context's pool.
#pragma once
#include "kernels/core/types.h"
#include "nn/device/onednn/cache.h"
#include "nn/tensor/context.h"

namespace kith {

// A dense activation or weight descriptor.
dnnl::memory::desc dense_desc(const dnnl::memory::dims& dims, dnnl::memory::format_tag tag, DType = DType::f32);
// Attributes of every primitive: scratch memory is the caller's.
dnnl::primitive_attr plan_attributes();
// Completes an operand; `output` turns the reorder around.
Operand make_operand(const dnnl::engine&, int argument, const dnnl::memory::desc& stored,
                     const dnnl::memory::desc& wanted, bool output);

// Of the types that the plan was made for. Write::add is for f32 results and goes through a temporary.
struct PlanData {
  const void* first = nullptr;
  const void* second = nullptr;
  void* out = nullptr;
  Write write = Write::overwrite;
};
void run_plan(OneDnn&, const Plan&, const PlanData&);

}  // namespace kith
