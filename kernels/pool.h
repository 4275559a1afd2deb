// Pooling of NHWC images: maximum and average over windows, and the average over a whole image.
//
//   window of output (oy, ox): rows oy stride - padding .. + kernel_height - 1, columns likewise; only what lies in the image
//   max      y = max over the window; position = its row-major index in the window. Of equal elements the first is taken,
//            a NaN before any number, the last NaN (PyTorch's rule).
//                                                         backward  dx = sum of dy over the windows whose maximum x was
//   average  y = mean over the window's elements in the image (the padding is not counted)
//                                                         backward  dx = sum of dy / count over the windows that hold x
//   global   y [images, channels] = mean over height x width;           backward  dx = dy / (height width)
//
// Activations are of type A: f32, or bf16 (sums in f32, rounded once on the way out). The global average of bf16
// is f32, and so is its gradient. Backward gathers: every element of dx is written once, by sums in a fixed order, so
// nothing need be zeroed and results are the same in every run.
//
// Limits  kernel_height kernel_width <= 256 for max; padding < both sides of the kernel; the kernel fits the padded image.
// Cost    DRAM: x, y and a byte of position per output once; backward the same (dy, dx). Windows that overlap are read again
//         from L1 and L2.
// Counted launches, and 32-byte sectors that warps ask for over these bytes, at most (tests/simt):
//         max_pool_forward 1, 1.9; max_pool_backward 1, 2.4; average_pool_forward 1, 2;
//         average_pool_backward 1, 2.2; global_average_pool_forward 1, 1; global_average_pool_backward 1, 2;
#pragma once
#include "kernels/core/bf16.h"
#include "kernels/core/philox.h"  // KITH_HOST_DEVICE
#include "kernels/core/types.h"

namespace kith::kernels {

struct PoolShape {
  int64_t images = 0;
  int height = 0, width = 0, channels = 0;
  int kernel_height = 1, kernel_width = 1, stride = 1, padding = 0;

  KITH_HOST_DEVICE constexpr int out_height() const { return (height + 2 * padding - kernel_height) / stride + 1; }
  KITH_HOST_DEVICE constexpr int out_width() const { return (width + 2 * padding - kernel_width) / stride + 1; }
  constexpr int64_t in_size() const { return images * height * width * channels; }
  constexpr int64_t out_size() const { return images * out_height() * out_width() * channels; }
};

template <class A>
struct MaxPoolForward {
  PoolShape shape;
  std::span<const A> x;              // [images, height, width, channels]
  std::span<A> y;                    // [images, out_height, out_width, channels]
  std::span<uint8_t> position = {};  // like y; empty where no backward follows
};

template <class A>
struct MaxPoolBackward {
  PoolShape shape;
  std::span<const A> dy;              // like y
  std::span<const uint8_t> position;  // from forward
  std::span<A> dx;                    // like x
  Write write = Write::overwrite;
};

template <class A>
struct AveragePoolForward {
  PoolShape shape;
  std::span<const A> x;
  std::span<A> y;
};

template <class A>
struct AveragePoolBackward {
  PoolShape shape;
  std::span<const A> dy;
  std::span<A> dx;
  Write write = Write::overwrite;
};

template <class T, class A = T>
struct GlobalAveragePoolForward {
  int64_t images = 0, pixels = 0, channels = 0;
  std::span<const A> x;  // [images, pixels, channels]
  std::span<T> y;        // [images, channels]
};

template <class T, class A = T>
struct GlobalAveragePoolBackward {
  int64_t images = 0, pixels = 0, channels = 0;
  std::span<const T> dy;
  std::span<A> dx;
  Write write = Write::overwrite;
};

void max_pool_forward(const MaxPoolForward<float>&, Queue);
void max_pool_forward(const MaxPoolForward<bf16>&, Queue);
void max_pool_backward(const MaxPoolBackward<float>&, Queue);
void max_pool_backward(const MaxPoolBackward<bf16>&, Queue);
void average_pool_forward(const AveragePoolForward<float>&, Queue);
void average_pool_forward(const AveragePoolForward<bf16>&, Queue);
void average_pool_backward(const AveragePoolBackward<float>&, Queue);
void average_pool_backward(const AveragePoolBackward<bf16>&, Queue);
void global_average_pool_forward(const GlobalAveragePoolForward<float>&, Queue);
void global_average_pool_forward(const GlobalAveragePoolForward<float, bf16>&, Queue);
void global_average_pool_backward(const GlobalAveragePoolBackward<float>&, Queue);
void global_average_pool_backward(const GlobalAveragePoolBackward<float, bf16>&, Queue);

namespace cpu {
template <class A>
void max_pool_forward(const MaxPoolForward<A>&);
template <class A>
void max_pool_backward(const MaxPoolBackward<A>&);
template <class A>
void average_pool_forward(const AveragePoolForward<A>&);
template <class A>
void average_pool_backward(const AveragePoolBackward<A>&);
template <class T, class A>
void global_average_pool_forward(const GlobalAveragePoolForward<T, A>&);
template <class T, class A>
void global_average_pool_backward(const GlobalAveragePoolBackward<T, A>&);
}  // namespace cpu
namespace cuda {  // spans are device memory
void max_pool_forward(const MaxPoolForward<float>&, Queue);
void max_pool_forward(const MaxPoolForward<bf16>&, Queue);
void max_pool_backward(const MaxPoolBackward<float>&, Queue);
void max_pool_backward(const MaxPoolBackward<bf16>&, Queue);
void average_pool_forward(const AveragePoolForward<float>&, Queue);
void average_pool_forward(const AveragePoolForward<bf16>&, Queue);
void average_pool_backward(const AveragePoolBackward<float>&, Queue);
void average_pool_backward(const AveragePoolBackward<bf16>&, Queue);
void global_average_pool_forward(const GlobalAveragePoolForward<float>&, Queue);
void global_average_pool_forward(const GlobalAveragePoolForward<float, bf16>&, Queue);
void global_average_pool_backward(const GlobalAveragePoolBackward<float>&, Queue);
void global_average_pool_backward(const GlobalAveragePoolBackward<float, bf16>&, Queue);
}  // namespace cuda

// Either direction, of inputs and outputs of forward; `element`: bytes of an activation. With positions one byte more.
constexpr Cost max_pool_cost(double inputs, double outputs, double element = 4) {
  return {.flops = 0, .bytes = element * inputs + (element + 1) * outputs};
}
constexpr Cost average_pool_cost(double inputs, double outputs, double element = 4) {
  return {.flops = inputs, .bytes = element * (inputs + outputs)};
}
constexpr Cost global_average_pool_cost(double images, double pixels, double channels, double element = 4) {
  return {.flops = images * pixels * channels, .bytes = images * channels * (element * pixels + 4)};
}

}  // namespace kith::kernels
