// Maps over arrays: a thread takes four neighbours, as one vector where every array starts on 16 bytes (bf16: 8), one by
// one elsewhere and at the end. Inputs and output may be the same array: an element is read by the thread that writes
// it. Rows are moved by one warp each, from where an index or a change of order says. Bytes: every array once.
#include <cuda_bf16.h>

#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/core/reduce.cuh"
#include "kernels/elementwise.h"

namespace kith::kernels::cuda {
namespace {

constexpr int kThreads = 256;

template <class T>
struct alignas(4 * sizeof(T)) Four {
  T x[4];
};

// The elements of four neighbours that exist: all of them as one vector, or one by one.
template <class T>
__device__ __forceinline__ Four<T> load(const T* from, int64_t begin, int count, bool whole) {
  if (whole) return *reinterpret_cast<const Four<T>*>(from + begin);
  Four<T> v{};
#pragma unroll
  for (int j = 0; j < 4; ++j)
    if (j < count) v.x[j] = from[begin + j];
  return v;
}

template <class T>
__device__ __forceinline__ void store(T* to, int64_t begin, int count, bool whole, const Four<T>& v) {
  if (whole) {
    *reinterpret_cast<Four<T>*>(to + begin) = v;
    return;
  }
#pragma unroll
  for (int j = 0; j < 4; ++j)
    if (j < count) to[begin + j] = v.x[j];
}

// y = op(a), op(a, b), or the number that op is; added to y where `add` says so.
template <class Op, class In, class Out>
__global__ void __launch_bounds__(kThreads)
    map_kernel(Op op, const In* a, const In* b, Out* y, int64_t count, int aligned, int add) {
  const int64_t begin = (int64_t{blockIdx.x} * kThreads + static_cast<int>(threadIdx.x)) * 4;
  if (begin >= count) return;
  const int n = static_cast<int>(min(int64_t{4}, count - begin));
  const bool whole = aligned != 0 && n == 4;
  Four<In> u{}, v{};
  Four<Out> out;
  if constexpr (Op::kInputs >= 1) u = load(a, begin, n, whole);
  if constexpr (Op::kInputs >= 2) v = load(b, begin, n, whole);
#pragma unroll
  for (int j = 0; j < 4; ++j) out.x[j] = op(u.x[j], v.x[j]);
  if constexpr (Op::kAdds) {
    if (add) {
      const Four<Out> old = load(y, begin, n, whole);
#pragma unroll
      for (int j = 0; j < 4; ++j) out.x[j] += old.x[j];
    }
  }
  store(y, begin, n, whole, out);
}

struct AddOp {
  static constexpr int kInputs = 2;
  static constexpr bool kAdds = false;
  __device__ __forceinline__ float operator()(float a, float b) const { return a + b; }
};
struct ScaleOp {
  static constexpr int kInputs = 1;
  static constexpr bool kAdds = true;
  float factor;
  __device__ __forceinline__ float operator()(float a, float) const { return factor * a; }
};
struct ReluOp {
  static constexpr int kInputs = 1;
  static constexpr bool kAdds = false;
  __device__ __forceinline__ float operator()(float a, float) const { return a < 0.f ? 0.f : a; }  // NaN passes
};
struct ReluBackwardOp {
  static constexpr int kInputs = 2;
  static constexpr bool kAdds = true;
  __device__ __forceinline__ float operator()(float y, float dy) const { return y > 0.f ? dy : 0.f; }
};
// Phi by erfc: of -x, so that it does not cancel in the lower tail.
__device__ __forceinline__ float normal_below(float x) { return 0.5f * erfcf(-0.707106781f * x); }
struct GeluOp {
  static constexpr int kInputs = 1;
  static constexpr bool kAdds = false;
  __device__ __forceinline__ float operator()(float x, float) const { return x * normal_below(x); }
};
struct GeluBackwardOp {
  static constexpr int kInputs = 2;
  static constexpr bool kAdds = true;
  __device__ __forceinline__ float operator()(float x, float dy) const {
    return dy * (normal_below(x) + x * (0.398942280f * expf(-0.5f * x * x)));
  }
};
struct BroadcastOp {
  static constexpr int kInputs = 0;
  static constexpr bool kAdds = true;
  const float* one;
  float factor;
  __device__ __forceinline__ float operator()(float, float) const { return factor * *one; }
};
struct ToBf16Op {
  static constexpr int kInputs = 1;
  static constexpr bool kAdds = false;
  __device__ __forceinline__ __nv_bfloat16 operator()(float a, float) const { return __float2bfloat16_rn(a); }
};
struct ToF32Op {
  static constexpr int kInputs = 1;
  static constexpr bool kAdds = true;
  __device__ __forceinline__ float operator()(__nv_bfloat16 a, __nv_bfloat16) const { return __bfloat162float(a); }
};

template <class Op, class In, class Out>
void map(const char* name, Op op, const In* a, const In* b, Out* y, size_t size, Write write, Queue q) {
  const auto count = static_cast<int64_t>(size);
  if (count == 0) return;
  const auto starts = [](const void* p, size_t bytes) { return reinterpret_cast<uintptr_t>(p) % (4 * bytes) == 0; };
  const bool aligned = starts(a, sizeof(In)) && starts(b, sizeof(In)) && starts(y, sizeof(Out));
  launch(name, map_kernel<Op, In, Out>,
         {.grid = dim3(static_cast<unsigned>(ceil_div(count, 4 * kThreads))), .block = dim3(kThreads)}, q, op, a, b, y,
         count, aligned ? 1 : 0, write == Write::add ? 1 : 0);
}

// Row i of y is row source(i) of x; -1 is a row of NaN. `Vector` is what a lane moves at a time; a row has `vectors` of them.
template <class Vector, class Source>
__global__ void __launch_bounds__(kThreads)
    gather_kernel(const Vector* __restrict__ x, int64_t vectors, Source source, int64_t rows, Vector* __restrict__ y) {
  const int64_t row = int64_t{blockIdx.x} * (kThreads / kWarp) + threadIdx.x / kWarp;
  if (row >= rows) return;
  const int64_t from = source(row);
  for (int64_t c = static_cast<int>(threadIdx.x) % kWarp; c < vectors; c += kWarp) {
    Vector v;
    for (float& part : v.x) part = NAN;
    if (from >= 0) v = x[from * vectors + c];
    y[row * vectors + c] = v;
  }
}

struct One {
  float x[1];
};

struct ByIndex {
  const int64_t* index;
  int64_t x_rows;
  __device__ __forceinline__ int64_t operator()(int64_t row) const {
    const int64_t from = index[row];
    return from < x_rows ? from : -1;
  }
};
struct Swapped {  // [a, b] -> [b, a]
  int64_t a, b;
  __device__ __forceinline__ int64_t operator()(int64_t row) const { return row % a * b + row / a; }
};

template <class Vector, class Source>
void gather_vectors(const char* name, const float* x, Source source, Matrix<float> y, Queue q) {
  const int64_t vectors = y.cols / static_cast<int64_t>(sizeof(Vector) / sizeof(float));
  launch(name, gather_kernel<Vector, Source>,
         {.grid = dim3(static_cast<unsigned>(ceil_div(y.rows, kThreads / kWarp))), .block = dim3(kThreads)}, q,
         reinterpret_cast<const Vector*>(x), vectors, source, y.rows, reinterpret_cast<Vector*>(y.data));
}

template <class Source>
void gather(const char* name, const float* x, Source source, Matrix<float> y, Queue q) {
  if (y.size() == 0) return;
  const auto starts = [](const void* p) { return reinterpret_cast<uintptr_t>(p) % sizeof(Four<float>) == 0; };
  if (y.cols % 4 == 0 && starts(x) && starts(y.data))
    gather_vectors<Four<float>>(name, x, source, y, q);
  else
    gather_vectors<One>(name, x, source, y, q);
}

constexpr const float* kNone = nullptr;

}  // namespace

void add(const Add<float>& a, Queue q) {
  map("add", AddOp{}, a.a.data(), a.b.data(), a.y.data(), a.y.size(), Write::overwrite, q);
}

void scale(const Scale<float>& a, Queue q) {
  map("scale", ScaleOp{a.factor}, a.x.data(), kNone, a.y.data(), a.y.size(), a.write, q);
}

void relu_forward(const ReluForward<float>& a, Queue q) {
  map("relu_forward", ReluOp{}, a.x.data(), kNone, a.y.data(), a.y.size(), Write::overwrite, q);
}

void relu_backward(const ReluBackward<float>& a, Queue q) {
  map("relu_backward", ReluBackwardOp{}, a.y.data(), a.dy.data(), a.dx.data(), a.dx.size(), a.write, q);
}

void gelu_forward(const GeluForward<float>& a, Queue q) {
  map("gelu_forward", GeluOp{}, a.x.data(), kNone, a.y.data(), a.y.size(), Write::overwrite, q);
}

void gelu_backward(const GeluBackward<float>& a, Queue q) {
  map("gelu_backward", GeluBackwardOp{}, a.x.data(), a.dy.data(), a.dx.data(), a.dx.size(), a.write, q);
}

void broadcast(const Broadcast<float>& a, Queue q) {
  map("broadcast", BroadcastOp{a.x.data(), a.factor}, kNone, kNone, a.y.data(), a.y.size(), a.write, q);
}

void gather_rows(const GatherRows<float>& a, Queue q) {
  gather("gather_rows", a.x.data, ByIndex{a.index.data(), a.x.rows}, a.y, q);
}

void swap_axes(const SwapAxes<float>& a, Queue q) {
  gather("swap_axes", a.x.data(), Swapped{a.a, a.b}, {a.y.data(), a.a * a.b, a.c}, q);
}

void to_bf16(const ToBf16& a, Queue q) {
  map("to_bf16", ToBf16Op{}, a.x.data(), kNone, reinterpret_cast<__nv_bfloat16*>(a.y.data()), a.y.size(),
      Write::overwrite, q);
}

void to_f32(const ToF32& a, Queue q) {
  constexpr const __nv_bfloat16* none = nullptr;
  map("to_f32", ToF32Op{}, reinterpret_cast<const __nv_bfloat16*>(a.x.data()), none, a.y.data(), a.y.size(), a.write,
      q);
}

}  // namespace kith::kernels::cuda
