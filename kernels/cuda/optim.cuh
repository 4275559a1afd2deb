// What the kernels over many tensors share: the slots as a kernel argument, and vectors of a slot. A block finds its
// tensor by its index and takes kChunk elements of it, each thread kVectors times four neighbours.
#pragma once
#include <cuda_bf16.h>

#include <algorithm>

#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/core/reduce.cuh"
#include "kernels/optim.h"

namespace kith::kernels::cuda::optim {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarp;
constexpr int kVectors = 2;  // of a thread: enough loads in flight, and small tensors still spread over blocks
constexpr int kChunk = kThreads * kVectors * 4;
constexpr int kSlots = 64;  // of one launch: the 62 tensors of a ResNet-18
constexpr size_t kArgumentBytes = 4096;

struct Slot {
  float* w;
  const float* g;
  float* m;
  float* v;
  __nv_bfloat16* bf16_copy;  // or null
  int64_t count;
  float weight_decay;
  short adapt;
  short aligned;  // every tensor of the slot starts where a vector of four elements may
};

struct Slots {
  Slot slot[kSlots];
  int first_block[kSlots + 1];  // blocks first_block[s] .. first_block[s + 1] - 1 work on slot s
  int count;
};
static_assert(sizeof(Slots) + 128 <= kArgumentBytes, "128 bytes are left for the other arguments");

__device__ __forceinline__ int slot_of(const Slots& s, int block) {
  int low = 0, high = s.count;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (block >= s.first_block[middle])
      low = middle;
    else
      high = middle;
  }
  return low;
}

// Elements begin .. begin + count - 1 of a slot, count <= 4; `whole` when they may move as one vector.
struct Group {
  int64_t begin;
  int count;
  bool whole;
};

__device__ __forceinline__ Group group_of(const Slot& s, int chunk, int k) {
  const int64_t begin = int64_t{chunk} * kChunk + (k * kThreads + static_cast<int>(threadIdx.x)) * 4;
  const int count = static_cast<int>(max(int64_t{0}, min(int64_t{4}, s.count - begin)));
  return {begin, count, s.aligned != 0 && count == 4};
}

__device__ __forceinline__ void load(float (&x)[4], const float* from, Group g) {
  if (g.whole) {
    const float4 v = *reinterpret_cast<const float4*>(from + g.begin);
    x[0] = v.x, x[1] = v.y, x[2] = v.z, x[3] = v.w;
    return;
  }
#pragma unroll
  for (int j = 0; j < 4; ++j) x[j] = j < g.count ? from[g.begin + j] : 0.f;
}

__device__ __forceinline__ void store(float* to, const float (&x)[4], Group g) {
  if (g.whole) {
    *reinterpret_cast<float4*>(to + g.begin) = make_float4(x[0], x[1], x[2], x[3]);
    return;
  }
#pragma unroll
  for (int j = 0; j < 4; ++j)
    if (j < g.count) to[g.begin + j] = x[j];
}

__device__ __forceinline__ void store(__nv_bfloat16* to, const float (&x)[4], Group g) {
  if (g.whole) {
    // One store of 8 bytes: two of 4 would touch every sector twice.
    const __nv_bfloat162 pairs[2] = {__floats2bfloat162_rn(x[0], x[1]), __floats2bfloat162_rn(x[2], x[3])};
    uint2 bits;
    memcpy(&bits, pairs, sizeof bits);
    *reinterpret_cast<uint2*>(to + g.begin) = bits;
    return;
  }
#pragma unroll
  for (int j = 0; j < 4; ++j)
    if (j < g.count) to[g.begin + j] = __float2bfloat16_rn(x[j]);
}

// The numbers of this step, from the device where they live there.
struct Step {
  float lr;
  int first;
  int64_t count;
};
struct StepSource {
  const LiveStep* live;
  const int32_t* finite;
  int64_t* skipped;
  float lr;
  int64_t step;
  int counts = 1;  // of a call's launches the first counts a step that does not happen

  __device__ __forceinline__ bool happens() const { return finite == nullptr || *finite != 0; }
  // Of a step that happens: no thread writes `skipped` then, as none reads it where the step does not happen.
  __device__ __forceinline__ Step now() const {
    const int64_t count = (live != nullptr ? live->step : step) - (skipped != nullptr ? *skipped : 0);
    return {live != nullptr ? live->lr : lr, count == 1 ? 1 : 0, count};
  }
  __device__ __forceinline__ void skip() const {
    if (counts != 0 && blockIdx.x == 0 && threadIdx.x == 0) ++*skipped;
  }
};

// Packs slots into as many launches as they need, empty tensors left out, and calls run(slots, blocks) for each.
template <class F>
void for_each_launch(std::span<const OptimSlot<float>> all, F run) {
  Slots s{};
  const auto flush = [&] {
    if (s.count > 0) run(s, static_cast<unsigned>(s.first_block[s.count]));
    s = {};
  };
  for (const OptimSlot<float>& slot : all) {
    const auto n = static_cast<int64_t>(slot.g.size());
    if (n == 0) continue;
    const auto starts_at = [](const void* p, uintptr_t bytes) { return reinterpret_cast<uintptr_t>(p) % bytes == 0; };
    const bool aligned = starts_at(slot.w.data(), 16) && starts_at(slot.g.data(), 16) && starts_at(slot.m.data(), 16) &&
                         starts_at(slot.v.data(), 16) && starts_at(slot.bf16_copy.data(), 8);
    s.slot[s.count] = {slot.w.data(),
                       slot.g.data(),
                       slot.m.data(),
                       slot.v.data(),
                       reinterpret_cast<__nv_bfloat16*>(slot.bf16_copy.data()),
                       n,
                       slot.weight_decay,
                       static_cast<short>(slot.adapt ? 1 : 0),
                       static_cast<short>(aligned ? 1 : 0)};
    s.first_block[s.count + 1] = s.first_block[s.count] + static_cast<int>(ceil_div(n, kChunk));
    if (++s.count == kSlots) flush();
  }
  flush();
}

}  // namespace kith::kernels::cuda::optim
