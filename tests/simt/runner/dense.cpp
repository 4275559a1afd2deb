// DenseMath for the SIMT runner: convolutions through oneDNN and products through the CPU's, on the runner's device memory,
// in its order of work. bf16 operands are widened, results rounded: the products are f32, as on a device.
#include <vector>

#include "kernels/core/bf16.h"
#include "kernels/gemm.h"
#include "nn/device/onednn/conv.h"
#include "nn/tensor/context.h"
#include "tests/simt/runner/stream.h"

namespace kith {
namespace {

using kernels::gemm;
using kernels::Op;

// A tensor in f32: as it is, or widened for the duration of one product.
class Widened {
 public:
  Widened(DType dtype, const void* data, int64_t count) {
    if (dtype == DType::f32) {
      data_ = static_cast<const float*>(data);
      return;
    }
    const auto* from = static_cast<const bf16*>(data);
    for (int64_t i = 0; i < count; ++i) values_.push_back(widen(from[i]));
    data_ = values_.data();
  }
  const float* data() const { return data_; }

 private:
  std::vector<float> values_;
  const float* data_;
};

// compute(pointer to f32) fills `out` of either dtype.
template <class F>
void store(DType dtype, void* out, int64_t count, Write write, F compute) {
  if (dtype == DType::f32) return compute(static_cast<float*>(out), write);
  std::vector<float> values(static_cast<size_t>(count));
  compute(values.data(), Write::overwrite);
  auto* to = static_cast<bf16*>(out);
  for (int64_t i = 0; i < count; ++i)
    to[i] =
        narrow(write == Write::add ? widen(to[i]) + values[static_cast<size_t>(i)] : values[static_cast<size_t>(i)]);
}

int64_t x_count(const ConvShape& s) { return s.images * s.height * s.width * s.in; }
int64_t y_count(const ConvShape& s) { return s.images * s.out_height() * s.out_width() * s.out; }
int64_t w_count(const ConvShape& s) { return s.out * s.kernel * s.kernel * s.in; }
float beta_of(Write write) { return write == Write::add ? 1.f : 0.f; }

class SimtMath final : public DenseMath {
 public:
  void conv_forward(const ConvShape& s, DType dtype, const void* x, const void* w, void* y) override {
    simt::enqueue([=, this] {
      const Widened xf(dtype, x, x_count(s)), wf(dtype, w, w_count(s));
      store(dtype, y, y_count(s), Write::overwrite,
            [&](float* to, Write) { kith::conv_forward(host_, s, xf.data(), wf.data(), to); });
    });
  }
  void conv_backward_data(const ConvShape& s, DType dtype, const void* dy, const void* w, void* dx,
                          Write mode) override {
    simt::enqueue([=, this] {
      const Widened df(dtype, dy, y_count(s)), wf(dtype, w, w_count(s));
      store(dtype, dx, x_count(s), mode,
            [&](float* to, Write write) { kith::conv_backward_data(host_, s, df.data(), wf.data(), to, write); });
    });
  }
  void conv_backward_weights(const ConvShape& s, DType dtype, const void* x, const void* dy, float* dw,
                             Write mode) override {
    simt::enqueue([=, this] {
      const Widened xf(dtype, x, x_count(s)), df(dtype, dy, y_count(s));
      kith::conv_backward_weights(host_, s, xf.data(), df.data(), dw, mode);
    });
  }

  void linear_forward(const LinearShape& s, const float* x, const float* w, const float* bias, float* y) override {
    simt::enqueue([=] {
      gemm(Op::none, Op::transpose, s.rows, s.out, s.in, 1.f, x, s.in, w, s.in, 0.f, y, s.out);
      for (int64_t i = 0; i < s.rows * s.out && bias != nullptr; ++i) y[i] += bias[i % s.out];
    });
  }
  void linear_backward_data(const LinearShape& s, const float* dy, const float* w, float* dx, Write write) override {
    simt::enqueue(
        [=] { gemm(Op::none, Op::none, s.rows, s.in, s.out, 1.f, dy, s.out, w, s.in, beta_of(write), dx, s.in); });
  }
  void linear_backward_weights(const LinearShape& s, const float* x, const float* dy, float* dw, Write write) override {
    simt::enqueue(
        [=] { gemm(Op::transpose, Op::none, s.out, s.in, s.rows, 1.f, dy, s.out, x, s.in, beta_of(write), dw, s.in); });
  }

  int64_t workspace_bytes() const override { return 0; }
  std::string describe() const override { return "oneDNN on the runner's memory"; }

 private:
  Context host_{{.threads = 1}};  // the runner has threads of its own
};

}  // namespace

std::string accelerator_libraries() { return "oneDNN in place of cuDNN and cuBLASLt"; }

std::unique_ptr<DenseMath> make_accelerator_math(Queue, const MathOptions&) { return std::make_unique<SimtMath>(); }

}  // namespace kith
