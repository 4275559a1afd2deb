// Which instructions oneDNN may use on this processor: what the processor has and its ONEDNN_MAX_CPU_ISA permits.
#pragma once
#include <oneapi/dnnl/dnnl.hpp>

namespace kith::kernels {

inline bool onednn_offers(dnnl::cpu_isa isa) {  // each set of instructions is a bit
  const auto wanted = static_cast<unsigned>(isa);
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & wanted) == wanted;
}

}  // namespace kith::kernels
