#include "bench/study/ladder/ladder.h"

namespace kith::ladder {

void fused(const Forward& a, Queue q) {
  Forward bf16 = a;
  bf16.products = Products::bf16;
  kernels::ntxent_forward(bf16, q);
}

std::span<const Rung> rungs() {
  static constexpr Rung kRungs[] = {
      {"naive", naive},        {"tiled", tiled}, {"tensor", tensor}, {"fused", fused}, {"warpgroup", warpgroup, 90},
      {"cluster", cluster, 90}};
  return kRungs;
}

}  // namespace kith::ladder
