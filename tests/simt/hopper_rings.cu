#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/core/wgmma.cuh"
#include "tests/simt/hopper.h"

namespace kith::simt_test {
namespace {

using namespace kernels::cuda;
const Queue kQueue{Device::cuda};
constexpr int kSide = 64, kStages = 2, kTile = kSide * kSide * 2;  // a tile of 64 x 64: rows of 128 bytes

__device__ void wait(Mbarrier* b, unsigned parity, RingFault fault) {
  if (fault != RingFault::polls) return mbarrier_wait(b, parity);
  while (!mbarrier_test(b, parity)) {
  }
}

__global__ void ring_kernel(const __grid_constant__ CUtensorMap map_a, const __grid_constant__ CUtensorMap map_b,
                            float* d, int tiles, RingFault fault) {
  __shared__ Mbarrier full[kStages], empty[kStages];
  unsigned char* stages = dynamic_shared<unsigned char>();
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32;
  if (thread == 0) {
    for (int s = 0; s < kStages; ++s) {
      mbarrier_init(&full[s], 1);
      mbarrier_init(&empty[s], fault == RingFault::one_arrival_missing ? 5 : 4);  // a warp each
    }
    fence_proxy_async();
  }
  __syncthreads();  // the barriers are made
  if (thread >= 128) {
    if (thread > 128) return;
    for (int t = 0; t < tiles; ++t) {
      const int s = t % kStages, round = t / kStages;
      const unsigned before = static_cast<unsigned>(round + 1) % 2;
      wait(fault == RingFault::not_awaited ? &full[s] : &empty[s], before, fault);
      mbarrier_arrive_expect(&full[s], 2 * kTile);
      tensor_copy(stages + 2 * s * kTile, map_a, t * kSide, 0, &full[s]);
      tensor_copy(stages + (2 * s + 1) * kTile, map_b, t * kSide, 0, &full[s]);
    }
    return;
  }
  float c[kSide / 2];
  wgmma_fence();
  for (int t = 0; t < tiles; ++t) {
    const int s = t % kStages, round = fault == RingFault::phase_not_flipped ? 0 : t / kStages;
    wait(&full[s], static_cast<unsigned>(round) % 2, fault);
    for (int k = 0; k < kSide; k += 16)
      wgmma<Element::bf16, kSide>(c, wgmma_along(wgmma_operand(stages + 2 * s * kTile, Swizzle::bytes128), k),
                                  wgmma_along(wgmma_operand(stages + (2 * s + 1) * kTile, Swizzle::bytes128), k),
                                  t + k > 0);
    wgmma_commit();
    if (fault != RingFault::released_too_early) wgmma_wait<0>();
    if (lane == 0 && fault != RingFault::never_released) mbarrier_arrive(&empty[s]);
  }
  wgmma_wait<0>();
  wgmma_pin(c);
  for (int i = 0; i < kSide / 2; ++i)
    d[(thread / 32 * 16 + lane / 4 + 8 * (i / 2 % 2)) * kSide + i / 4 * 8 + 2 * (lane % 4) + i % 2] = c[i];
}

__global__ void handing_kernel(const float* in, float* out, Handing wrong) {
  __shared__ float tile[32];
  __shared__ Mbarrier full, empty;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (threadIdx.x == 0 && wrong != Handing::not_made) {
    mbarrier_init(&full, 32);
    mbarrier_init(&empty, 32);
    if (wrong == Handing::made_twice) mbarrier_init(&full, 32);
    if (wrong == Handing::barrier_as_data) empty = 0;
  }
  __syncthreads();  // the barriers are made
  for (unsigned round = 0; round < 2; ++round) {
    if (threadIdx.x < 32) {
      mbarrier_wait(wrong == Handing::reused ? &full : &empty, (round + 1) % 2);
      tile[lane] = in[lane];
      if (wrong != Handing::no_arrival) mbarrier_arrive(&full);
      if (wrong == Handing::extra_arrival && lane == 0) mbarrier_arrive(&full);
    } else {
      if (wrong != Handing::no_wait) mbarrier_wait(&full, round);
      out[31 - lane] = 2 * tile[31 - lane];
      mbarrier_arrive(&empty);
    }
  }
  __syncthreads();
  if (threadIdx.x > 0) return;
  mbarrier_inval(&full);
  mbarrier_init(&full, 1);  // and one again
  mbarrier_arrive(&full);
}

template <int Fewer, int More>
__global__ void __launch_bounds__(256, 1) registers_kernel(float* out) {
  if (threadIdx.x < 128)
    registers_fewer<Fewer>();
  else
    registers_more<More>();
  if (threadIdx.x == 0) *out = 1.f;
}

}  // namespace

void product_by_ring(const uint16_t* a, const uint16_t* b, float* d, int tiles, RingFault fault) {
  const auto map = [&](const uint16_t* data) {
    return tensor_map(CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, data, tiles * kSide, kSide, {.rows = kSide, .columns = kSide},
                      Swizzle::bytes128);
  };
  launch("product_by_ring", ring_kernel,
         {.grid = dim3(1), .block = dim3(256), .smem_bytes = static_cast<size_t>(2 * kStages * kTile)}, kQueue, map(a),
         map(b), d, tiles, fault);
}

void hand_over_by_mbarrier(const float* in, float* out, Handing wrong) {
  launch("hand_over_by_mbarrier", handing_kernel, {.grid = dim3(1), .block = dim3(64)}, kQueue, in, out, wrong);
}

void move_registers(float* out, int which) {
  const auto run = [&](auto kernel) {
    launch("move_registers", kernel, {.grid = dim3(1), .block = dim3(256)}, kQueue, out);
  };
  if (which == 0) return run(registers_kernel<40, 104>);
  if (which == 1) return run(registers_kernel<40, 112>);
  run(registers_kernel<40, 64>);
}

}  // namespace kith::simt_test
