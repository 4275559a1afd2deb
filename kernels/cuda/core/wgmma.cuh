// Products of a warpgroup (wgmma, sm_90a): 64 x N x 16, 16-bit operands with K innermost, or N (wgmma_across), accumulated in
// f32.
//
// All 128 threads of a warpgroup (four warps, the first a multiple of four) call each function together. Thread 32 w + 4 g + t
// holds d[4 j + r] of row 16 w + g + 8 (r / 2), column 8 j + 2 t + r % 2: a warp has 16 rows whole. Operand A in registers has
// mma.cuh's layout of these 16 rows.
//
// Products run beside the threads. Accumulators and operands in registers belong to them from wgmma_fence() before the first
// until wgmma_wait(); tiles in shared memory until then too, and what threads wrote there they see past fence_proxy_async().
#pragma once
#include "kernels/cuda/core/tensor_map.cuh"
#ifdef KITH_SIMT
#include <simt_wgmma.h>
#else
#include "kernels/cuda/core/wgmma_ptx.cuh"
#endif

namespace kith::kernels::cuda {

// Rows of a tile in dynamic shared memory as an operand: 16 elements from `tile` on of rows of a swizzle's bytes, as a tensor
// copy lays them; `tile` begins on 8 of these rows, or a multiple of 32 bytes into the first.
__device__ __forceinline__ uint64_t wgmma_operand(const void* tile, Swizzle swizzle) {
#ifdef KITH_SIMT
  const unsigned address = simt::shared_address(tile);
#else
  const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(tile));
#endif
  // Bits 62 and 63: 1, 2, 3 are 128, 64, 32 bytes. 8 rows to the next 8 in units of 16 bytes; K needs no stride within a row.
  const auto kind = static_cast<uint64_t>(4 - static_cast<int>(swizzle));
  const auto eight_rows = uint64_t{8} << static_cast<int>(swizzle);
  return kind << 62 | eight_rows << 32 | uint64_t{1} << 16 | (address & 0x3FFFF) >> 4;
}
// The same without a swizzle: 8 rows x 8 elements lie together, 128 bytes; `k_stride` and `row_stride` bytes to the next such
// piece along K and along the rows.
__device__ __forceinline__ uint64_t wgmma_operand(const void* tile, unsigned k_stride, unsigned row_stride) {
#ifdef KITH_SIMT
  const unsigned address = simt::shared_address(tile);
#else
  const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(tile));
#endif
  return uint64_t{row_stride >> 4} << 32 | uint64_t{k_stride >> 4} << 16 | (address & 0x3FFFF) >> 4;
}
// Rows of 64 elements along N, 128 bytes each and swizzled by as many, one for every element along K: what a tensor copy of a
// matrix lays whose rows are summed over. 16 of them from `tile` on, which begins on 8; `piece_stride` bytes to the next 64
// along N. 16 further along K are 1024 elements in memory.
__device__ __forceinline__ uint64_t wgmma_operand_across(const void* tile, unsigned piece_stride) {
  return (wgmma_operand(tile, Swizzle::bytes128) & ~(uint64_t{0x3FFF} << 16)) | uint64_t{piece_stride >> 4} << 16;
}
// `elements` further along K.
__device__ __forceinline__ uint64_t wgmma_along(uint64_t operand, int elements) {
  return operand + static_cast<uint64_t>(elements / 8);
}

__device__ __forceinline__ void wgmma_fence() {
#ifdef KITH_SIMT
  simt::warpgroup_fence();
#else
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}

// Closes the group of products started since the last commit.
__device__ __forceinline__ void wgmma_commit() {
#ifdef KITH_SIMT
  simt::wgmma_commit();
#else
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#endif
}

// Waits until at most `Groups` are under way.
template <int Groups>
__device__ __forceinline__ void wgmma_wait() {
#ifdef KITH_SIMT
  simt::wgmma_wait(Groups);
#else
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Groups) : "memory");
#endif
}

// Nothing that reads or writes these accumulators is moved across this place by the compiler: behind a wait, before a fence.
template <int Count>
__device__ __forceinline__ void wgmma_pin([[maybe_unused]] float (&d)[Count]) {
#ifndef KITH_SIMT
#pragma unroll
  for (int i = 0; i < Count; ++i) asm volatile("" : "+f"(d[i])::"memory");
#endif
}

// Registers per thread of the calling warpgroup, of those that the block began with: fewer, or more once others have fewer.
template <int Registers>
__device__ __forceinline__ void registers_fewer() {
#ifdef KITH_SIMT
  simt::set_registers(Registers, false, simt::Where::current());
#else
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Registers));
#endif
}
template <int Registers>
__device__ __forceinline__ void registers_more() {
#ifdef KITH_SIMT
  simt::set_registers(Registers, true, simt::Where::current());
#else
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Registers));
#endif
}

#ifdef KITH_SIMT
using simt_detail::Element;
#endif

// d = a b, or d += a b where `add`; both operands in shared memory.
template <Element E, int N>
__device__ __forceinline__ void wgmma(float (&d)[N / 2], uint64_t a, uint64_t b, bool add) {
#ifdef KITH_SIMT
  simt_detail::wgmma<E, N>(d, nullptr, a, b, add);
#else
  wgmma_shared<E>(d, a, b, add);
#endif
}

// The same with A in registers.
template <Element E, int N>
__device__ __forceinline__ void wgmma(float (&d)[N / 2], const uint32_t (&a)[4], uint64_t b, bool add) {
#ifdef KITH_SIMT
  simt_detail::wgmma<E, N>(d, a, 0, b, add);
#else
  wgmma_registers<E>(d, a, b, add);
#endif
}

// The same of bf16 with b as wgmma_operand_across has it.
template <int N>
__device__ __forceinline__ void wgmma_across(float (&d)[N / 2], const uint32_t (&a)[4], uint64_t b, bool add) {
#ifdef KITH_SIMT
  simt_detail::wgmma<Element::bf16, N>(d, a, 0, b, add, simt_detail::Inner::n);
#else
  wgmma_registers_across(d, a, b, add);
#endif
}

}  // namespace kith::kernels::cuda
