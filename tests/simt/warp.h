// Kernels around the collectives of a warp and the voting barriers (warp.cu), compared with plain loops.
#pragma once

namespace kith::simt_test {

// One warp. out [kWarpOps][32]: what each lane receives from each operation of warp.cu, in its order.
inline constexpr int kWarpOps = 18;
void warp_operations(const int* in, int* out);
// 64 threads. out [3][64]: __syncthreads_count, _and, _or of in[thread].
void voting_barriers(const int* in, int* out);

}  // namespace kith::simt_test
