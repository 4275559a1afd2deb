// Rings of stages in dynamic shared memory, which tensor copies fill and products of warpgroups read (sm_90).
#pragma once
#include "kernels/cuda/core/launch.cuh"

namespace kith::kernels::cuda {

constexpr size_t kSwizzlePattern = 1024;          // a tile of rows of 128 swizzled bytes begins on as many
constexpr size_t kMostSm90 = (227u << 10) - 128;  // dynamic shared memory of a block, beside 128 bytes of barriers

// The stage of a ring that is next, and the parity of its round.
struct Place {
  int stage = 0;
  unsigned parity = 0;
  __device__ __forceinline__ void advance(int stages) {
    if (++stage == stages) stage = 0, parity ^= 1;
  }
};

// Dynamic shared memory from the first pattern on: what a block asks for is kSwizzlePattern more.
__device__ __forceinline__ unsigned char* swizzled_shared() {
  unsigned char* begin = dynamic_shared<unsigned char>();
  return begin + (kSwizzlePattern - reinterpret_cast<uintptr_t>(begin) % kSwizzlePattern) % kSwizzlePattern;
}

}  // namespace kith::kernels::cuda
