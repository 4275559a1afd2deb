// OneDnn: what oneDNN keeps between calls. One engine, and every convolution plan that was ever asked for, keyed by its shape.
#pragma once
#include <array>
#include <map>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>

#include "nn/device/onednn/shapes.h"

namespace kith {

// A tensor as the caller stores it and as the primitive wants it; `reorder` when they differ.
struct Operand {
  int argument = 0;  // DNNL_ARG_*
  dnnl::memory::desc stored, wanted;
  std::optional<dnnl::reorder> reorder;  // inputs: stored -> wanted; output: wanted -> stored
};

// One primitive with everything that runs around it. The last operand is the output.
struct Plan {
  dnnl::primitive primitive;
  std::array<Operand, 3> operands;
  dnnl::memory::desc scratchpad;
};

class Context;

struct OneDnn {
  explicit OneDnn(Context& c) : ctx(c) {}
  Context& ctx;  // gives the memory of temporaries
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  std::map<ConvKey, Plan> convs;
};

}  // namespace kith
