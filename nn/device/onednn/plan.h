// Running of oneDNN plans: reorders around the primitive, scratch memory from the context's pool.
#pragma once
#include "kernels/core/types.h"
#include "nn/device/onednn/cache.h"
#include "nn/tensor/context.h"

namespace kith {

// A dense activation or weight descriptor of f32.
dnnl::memory::desc dense_desc(const dnnl::memory::dims& dims, dnnl::memory::format_tag tag);
// Attributes of every primitive: scratch memory is the caller's.
dnnl::primitive_attr plan_attributes();
// Completes an operand; `output` turns the reorder around.
Operand make_operand(const dnnl::engine&, int argument, const dnnl::memory::desc& stored,
                     const dnnl::memory::desc& wanted, bool output);

// data[i] belongs to operands[i]. Write::add goes through a temporary.
struct PlanData {
  const float* first = nullptr;
  const float* second = nullptr;
  float* out = nullptr;
  Write write = Write::overwrite;
};
void run_plan(OneDnn&, const Plan&, const PlanData&);

}  // namespace kith
