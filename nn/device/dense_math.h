// DenseMath: convolutions and linear layers on one device, by its vendor's libraries: oneDNN on the CPU (nn/device/onednn), cuDNN
// and cuBLASLt on CUDA (nn/device/cudnn, nn/device/cublas). This header knows none of them, so that a build for another device can
// implement it.
//
//   conv    x [N, H, W, in], w [out, k, k, in], y [N, H', W', out] of one dtype; the gradient of w is f32 always
//   linear  x [rows, in], w [out, in], bias [out], y [rows, out], all f32:
//           y = x w^T + bias;   dx = dy w;   dw = dy^T x
//
// Pointers are memory of the device, those of convolutions 16-byte aligned there; shapes are valid and not empty.
// Accumulation is f32. f32 operands are rounded to TF32 on CUDA only, and only where MathOptions says so; cuDNN gives the
// gradient of bf16 weights rounded to bf16, and may round one of bf16 images before it is added (Write::add). Its TF32 cuts
// operands off after 10 bits.
//
// Order   Calls enqueue on the device's queue and return; on the CPU the work is done by then.
// Plans   The first call of a shape plans. On CUDA it may search, which waits and runs the work several times, and may grow
//         the workspace; later calls neither allocate nor wait, and are what a graph may capture. A first call during
//         capture is an Error that says so.
// Bits    Deterministic. On the CPU the same for any number of threads, by rules of the shape alone (onednn/blocks.h). On
//         CUDA for one set of plans: the same plan_folder gives the same bits in every run, and a search goes by time, so
//         without the folder another run may choose other algorithms.
#pragma once
#include <compare>
#include <filesystem>
#include <memory>
#include <string>

#include "nn/device/conv_shape.h"
#include "nn/tensor/tensor.h"

namespace kith {

class Context;

struct MathOptions {
  bool tf32 = false;                           // f32 operands may be rounded to 10 bits of mantissa
  int64_t workspace_limit = int64_t{1} << 30;  // bytes that one convolution may ask for
  std::filesystem::path plan_folder = {};      // plan_store.h; empty: plans are not kept between runs
};

struct LinearShape {
  int64_t rows = 0, in = 0, out = 0;
  Cost cost() const {  // of each of the three products
    const auto r = static_cast<double>(rows), i = static_cast<double>(in), o = static_cast<double>(out);
    return {.flops = 2 * r * i * o, .bytes = 4 * (r * i + i * o + r * o)};
  }
  auto operator<=>(const LinearShape&) const = default;
};

class DenseMath {
 public:
  virtual ~DenseMath() = default;

  virtual void conv_forward(const ConvShape&, DType, const void* x, const void* w, void* y) = 0;
  virtual void conv_backward_data(const ConvShape&, DType, const void* dy, const void* w, void* dx, Write) = 0;
  virtual void conv_backward_weights(const ConvShape&, DType, const void* x, const void* dy, float* dw, Write) = 0;

  // bias may be null.
  virtual void linear_forward(const LinearShape&, const float* x, const float* w, const float* bias, float* y) = 0;
  virtual void linear_backward_data(const LinearShape&, const float* dy, const float* w, float* dx, Write) = 0;
  virtual void linear_backward_weights(const LinearShape&, const float* x, const float* dy, float* dw, Write) = 0;

  virtual int64_t workspace_bytes() const = 0;  // held now; constant once every shape has been seen
  virtual std::string describe() const = 0;  // for the log: versions, TF32, where plans are kept, a warning about them
};

std::string accelerator_libraries();  // "cuDNN 9.28.1, cuBLASLt 13.1.0"; Error where they cannot be loaded

// One for each queue of the accelerator; it must outlive the graphs captured through it. Error where this build has none.
std::unique_ptr<DenseMath> make_accelerator_math(Queue, const MathOptions&);

// Whether the processor has instructions for products of bf16 (AVX512_BF16 or AMX) and oneDNN may use them. Without them
// products of bf16 operands are those of f32, and slower than of f32 operands.
bool cpu_multiplies_bf16();

// The CPU's. What a call needs for its own duration it takes from the context, which outlives it.
std::unique_ptr<DenseMath> make_cpu_math(Context&);

}  // namespace kith
