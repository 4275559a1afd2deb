// How the CPU's search chooses candidates. The result is the same: for tests and measurements.
#pragma once
#include "kernels/topk.h"

namespace kith::kernels::cpu {

// fastest: bf16 products where the processor multiplies bf16 faster and there are queries enough, else f32's.
enum class Candidates : uint8_t { fastest, f32, bf16 };
TopKStatus topk(const TopK<float>&, Candidates);

}  // namespace kith::kernels::cpu
