// Backward of the bf16 path: what its kernels for mma.sync and wgmma share around the products.
#pragma once
#include "kernels/cuda/ntxent_tiles.cuh"

namespace kith::kernels::cuda {

// What a column or row contributes: u and nothing else where exponents are bounded, otherwise g and lse.
template <Range R>
__device__ __forceinline__ float2 contribution(const Pass& p, const Upstream& side, int count, int k) {
  if (k >= count) return make_float2(0.f, 0.f);
  const float2 v = upstream_of(side, k);
  return make_float2(R == Range::bounded ? v.x * expf(p.inv_tau - v.y) : v.x, v.y);
}

// One element of the gradient, from its sum of weights times columns: the positive by its weight in
// f32. A row of NT-Xent is the positive of its own, and both shares are one.
__device__ __forceinline__ void finish(const Pass& p, const Gradient& g, int row, int d, float sum) {
  float weight = 0.f;
  int k = -1;
  if (g.row.lse != nullptr) {
    k = p.positive_column(row);
    weight = k < 0 ? NAN : g.row.dloss[row];
  }
  if (g.partners) {
    k = p.partner_column(row);
    if (k >= 0) weight += g.column.dloss[k];
  }
  if (k >= 0)
    sum -= weight * as_product<Products::bf16>(p.columns[int64_t{k} * p.dim + d]);
  else
    sum += weight;  // NaN where a positive is no key
  put(g.out + int64_t{row} * p.dim + d, p.inv_tau * sum, g.add);
}

// Adds the partial products [splits][rows][padded_dim] in the order of the splits, and the positives: a launch.
void ntxent_add_splits(const Pass&, const Gradient&, const float* partial, int splits, int padded_dim, Queue);

}  // namespace kith::kernels::cuda
