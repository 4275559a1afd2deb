// Rung 5: products of a warpgroup (wgmma), which reads both operands from shared memory itself, of tiles that tensor copies (TMA)
// lay there: no thread loads, converts or stores an element on the way. A block has 64 anchors. One thread of its fifth warp
// copies 64 keys at a time through a ring of stages, the other four warps multiply and add up exponentials; two mbarriers a
// stage say who may go on, so no barrier of the block is passed after the start.
#include "bench/study/ladder/sm90.cuh"

namespace kith::ladder {
namespace sm90 {
namespace {

struct Ring {
  Mbarrier anchors, full[kStages], empty[kStages];
};

__device__ __forceinline__ void copy_tile(unsigned char* tile, const CUtensorMap& z, int first, Mbarrier* b) {
  mbarrier_arrive_expect(b, kTileBytes);
#pragma unroll
  for (int d = 0; d < kDim; d += kSlab) tensor_copy(tile + d / kSlab * kSlabBytes, z, first, d, b);
}

__global__ void __launch_bounds__(kThreads)
    warpgroup_kernel(const __grid_constant__ CUtensorMap z, int rows, float inv_tau, float* __restrict__ lse,
                     float* __restrict__ loss) {
  __shared__ Ring ring;
  unsigned char *anchors = swizzled_shared(), *stages = anchors + kTileBytes;
  const int first = static_cast<int>(blockIdx.x) * kBlock, tiles = rows / kBlock;
  if (threadIdx.x == 0) {
    mbarrier_init(&ring.anchors, 1);
    for (int s = 0; s < kStages; ++s) mbarrier_init(&ring.full[s], 1), mbarrier_init(&ring.empty[s], kWarps);
    fence_proxy_async();
  }
  __syncthreads();  // the barriers are made

  if (threadIdx.x >= kWarpgroup) {
    if (threadIdx.x > kWarpgroup) return;
    copy_tile(anchors, z, first, &ring.anchors);
    Place at{.stage = 0, .parity = 1};  // of the round before the first, in which all stages are empty
    for (int t = 0; t < tiles; ++t, at.advance(kStages)) {
      mbarrier_wait(&ring.empty[at.stage], at.parity);
      copy_tile(stages + at.stage * kTileBytes, z, t * kBlock, &ring.full[at.stage]);
    }
    return;
  }
  RowSums sums(first, inv_tau);
  mbarrier_wait(&ring.anchors, 0);
  Place at;
  for (int t = 0; t < tiles; ++t, at.advance(kStages)) {
    float s[kBlock / 2];
    mbarrier_wait(&ring.full[at.stage], at.parity);
    start_scores(s, anchors, stages + at.stage * kTileBytes);
    wgmma_wait<0>();
    wgmma_pin(s);
    if (threadIdx.x % kWarp == 0) mbarrier_arrive(&ring.empty[at.stage]);
    sums.add(s, t * kBlock);
  }
  sums.write(rows, lse, loss);
}

struct alignas(8) Four {
  __nv_bfloat162 a, b;
};

// Four numbers a thread.
__global__ void __launch_bounds__(kWarpgroup) convert_kernel(const float* __restrict__ z, __nv_bfloat16* copy) {
  const int64_t at = 4 * (int64_t{blockIdx.x} * kWarpgroup + threadIdx.x);
  const float4 v = *reinterpret_cast<const float4*>(z + at);
  *reinterpret_cast<Four*>(copy + at) = {__floats2bfloat162_rn(v.x, v.y), __floats2bfloat162_rn(v.z, v.w)};
}

}  // namespace

Rows::Rows(const float* z, int count, Queue q) : count_(count), copy_(int64_t{count} * kDim, q) {
  launch("ladder_convert", convert_kernel,
         {.grid = dim3(static_cast<unsigned>(int64_t{count} * kDim / (4 * kWarpgroup))), .block = dim3(kWarpgroup)}, q,
         z, copy_.data());
}

}  // namespace sm90

void warpgroup(const Forward& a, Queue q) {
  using namespace sm90;
  const int rows = static_cast<int>(a.anchors.rows);
  const Rows z(a.anchors.data, rows, q);
  launch("ladder_warpgroup", warpgroup_kernel,
         {.grid = dim3(static_cast<unsigned>(rows / kBlock)), .block = dim3(kThreads), .smem_bytes = kSharedBytes}, q,
         z.map(kBlock), rows, 1.f / a.tau, a.lse.data(), a.loss.data());
}

}  // namespace kith::ladder
