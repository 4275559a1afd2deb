// DenseMath in host memory: convolutions through oneDNN, products through kernels::gemm. bf16 operands are widened and
// results rounded: products are f32, as on a device.
#include "nn/device/dense_math.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/elementwise.h"
#include "kernels/gemm.h"
#include "nn/device/onednn/conv.h"

namespace kith {
namespace {

using kernels::Op;
using kernels::shared_gemm;

int64_t x_count(const ConvShape& s) { return s.images * s.height * s.width * s.in; }
int64_t y_count(const ConvShape& s) { return s.images * s.out_height() * s.out_width() * s.out; }
int64_t w_count(const ConvShape& s) { return s.out * s.kernel * s.kernel * s.in; }
float beta_of(Write write) { return write == Write::add ? 1.f : 0.f; }

class CpuMath final : public DenseMath {
 public:
  explicit CpuMath(Context& ctx) : dnn_(ctx) {}

  void conv_forward(const ConvShape& s, DType dtype, const void* x, const void* w, void* y) override {
    const Widened first = widened(dtype, x, x_count(s)), second = widened(dtype, w, w_count(s));
    conv(s, Pass::forward, first, second, {.dtype = dtype, .data = y, .count = y_count(s)});
  }
  void conv_backward_data(const ConvShape& s, DType dtype, const void* dy, const void* w, void* dx,
                          Write write) override {
    const Widened first = widened(dtype, dy, y_count(s)), second = widened(dtype, w, w_count(s));
    conv(s, Pass::backward_data, first, second, {.dtype = dtype, .data = dx, .count = x_count(s), .write = write});
  }
  void conv_backward_weights(const ConvShape& s, DType dtype, const void* x, const void* dy, float* dw,
                             Write write) override {
    const Widened first = widened(dtype, x, x_count(s)), second = widened(dtype, dy, y_count(s));
    conv(s, Pass::backward_weights, first, second, {.data = dw, .count = w_count(s), .write = write});
  }

  void linear_forward(const LinearShape& s, const float* x, const float* w, const float* bias, float* y) override {
    for (int64_t r = 0; r < s.rows && bias != nullptr; ++r) std::copy_n(bias, s.out, y + r * s.out);
    shared_gemm(Op::none, Op::transpose, s.rows, s.out, s.in, 1.f, x, s.in, w, s.in, bias == nullptr ? 0.f : 1.f, y,
                s.out);
  }
  void linear_backward_data(const LinearShape& s, const float* dy, const float* w, float* dx, Write write) override {
    shared_gemm(Op::none, Op::none, s.rows, s.in, s.out, 1.f, dy, s.out, w, s.in, beta_of(write), dx, s.in);
  }
  void linear_backward_weights(const LinearShape& s, const float* x, const float* dy, float* dw, Write write) override {
    shared_gemm(Op::transpose, Op::none, s.out, s.in, s.rows, 1.f, dy, s.out, x, s.in, beta_of(write), dw, s.in);
  }

  int64_t workspace_bytes() const override { return 0; }  // what a call needs meanwhile is the context's
  std::string describe() const override { return "oneDNN " + onednn_version(); }

 private:
  // An operand in f32: as it is, or a copy.
  struct Widened {
    Tensor copy;
    const float* data = nullptr;
  };
  struct Result {
    DType dtype = DType::f32;
    void* data = nullptr;
    int64_t count = 0;
    Write write = Write::overwrite;
  };

  Widened widened(DType dtype, const void* data, int64_t count) {
    if (dtype == DType::f32) return {.copy = {}, .data = static_cast<const float*>(data)};
    const Tensor copy = dnn_.ctx.empty({count});
    kernels::to_f32({.x = {static_cast<const bf16*>(data), static_cast<size_t>(count)}, .y = copy.span()}, Queue{});
    return {.copy = copy, .data = copy.data()};
  }

  void conv(const ConvShape& s, Pass pass, const Widened& first, const Widened& second, const Result& out) {
    PlanData data{.first = first.data, .second = second.data, .out = static_cast<float*>(out.data), .write = out.write};
    if (out.dtype == DType::f32) return run_conv(dnn_, s, pass, data);
    const Tensor sums = dnn_.ctx.empty({out.count});
    const std::span<bf16> rounded{static_cast<bf16*>(out.data), static_cast<size_t>(out.count)};
    data.out = sums.data();
    data.write = Write::overwrite;
    run_conv(dnn_, s, pass, data);
    if (out.write == Write::add) kernels::to_f32({.x = rounded, .y = sums.span(), .write = Write::add}, Queue{});
    kernels::to_bf16({.x = sums.span(), .y = rounded}, Queue{});
  }

  OneDnn dnn_;
};

}  // namespace

std::string onednn_version() {
  const dnnl_version_t* v = dnnl_version();
  return fmt::format("{}.{}.{}", v->major, v->minor, v->patch);
}

std::unique_ptr<DenseMath> make_cpu_math(Context& ctx) { return std::make_unique<CpuMath>(ctx); }

}  // namespace kith
