// Neighbouring elements as one access: f32 or bf16 in memory, f32 in registers.
#pragma once
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstring>

#include "kernels/core/bf16.h"

namespace kith::kernels::cuda {

// V elements as they stand in memory.
template <class A, int V>
struct Vector;
template <>
struct Vector<float, 1> {
  float raw;
  __device__ __forceinline__ void get(float (&v)[1]) const { v[0] = raw; }
  __device__ __forceinline__ void set(const float (&v)[1]) { raw = v[0]; }
};
template <>
struct Vector<float, 4> {
  float4 raw;
  __device__ __forceinline__ void get(float (&v)[4]) const { v[0] = raw.x, v[1] = raw.y, v[2] = raw.z, v[3] = raw.w; }
  __device__ __forceinline__ void set(const float (&v)[4]) { raw = make_float4(v[0], v[1], v[2], v[3]); }
};
template <>
struct Vector<bf16, 1> {
  __nv_bfloat16 raw;
  __device__ __forceinline__ void get(float (&v)[1]) const { v[0] = __bfloat162float(raw); }
  __device__ __forceinline__ void set(const float (&v)[1]) { raw = __float2bfloat16_rn(v[0]); }
};
template <>
struct Vector<bf16, 8> {
  uint4 raw;
  __device__ __forceinline__ static void split(unsigned pair, float& low, float& high) {
    low = __uint_as_float(pair << 16);  // a bf16 is the upper half of an f32
    high = __uint_as_float(pair & 0xFFFF0000u);
  }
  __device__ __forceinline__ static unsigned join(float low, float high) {
    const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
    unsigned bits;
    memcpy(&bits, &pair, sizeof bits);
    return bits;
  }
  __device__ __forceinline__ void get(float (&v)[8]) const {
    split(raw.x, v[0], v[1]), split(raw.y, v[2], v[3]), split(raw.z, v[4], v[5]), split(raw.w, v[6], v[7]);
  }
  __device__ __forceinline__ void set(const float (&v)[8]) {
    raw.x = join(v[0], v[1]), raw.y = join(v[2], v[3]), raw.z = join(v[4], v[5]), raw.w = join(v[6], v[7]);
  }
};

template <int V, class A>
__device__ __forceinline__ Vector<A, V> load(const A* p) {
  return {*reinterpret_cast<const decltype(Vector<A, V>::raw)*>(p)};
}
template <int V, class A>
__device__ __forceinline__ void store(A* p, const float (&v)[V], int add) {
  auto* out = reinterpret_cast<decltype(Vector<A, V>::raw)*>(p);
  Vector<A, V> vector;
  float sum[V];
  if (add) {
    vector.raw = *out;
    vector.get(sum);
  }
#pragma unroll
  for (int k = 0; k < V; ++k) sum[k] = add ? sum[k] + v[k] : v[k];
  vector.set(sum);
  *out = vector.raw;
}

// Elements of a 16-byte access.
template <class A>
constexpr int kVector = 16 / static_cast<int>(sizeof(A));

}  // namespace kith::kernels::cuda
