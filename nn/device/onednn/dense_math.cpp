// DenseMath in host memory: convolutions through oneDNN, those of bf16 that are faster in tiles (conv_in_tiles) through
// kernels::winograd_bf16, products through kernels::gemm. Where the processor does not multiply bf16, or is faster in f32
// (conv_in_bf16), such operands are widened and results rounded: the same but for the order of the sums in f32.
#include "nn/device/dense_math.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/core/onednn_isa.h"
#include "kernels/core/parallel.h"
#include "kernels/elementwise.h"
#include "kernels/gemm.h"
#include "kernels/winograd_bf16.h"
#include "nn/device/onednn/blocks.h"

namespace kith {
namespace {

using kernels::Op;
using kernels::shared_gemm;

int64_t x_count(const ConvShape& s) { return s.images * s.height * s.width * s.in; }
int64_t y_count(const ConvShape& s) { return s.images * s.out_height() * s.out_width() * s.out; }
int64_t w_count(const ConvShape& s) { return s.out * s.kernel * s.kernel * s.in; }
float beta_of(Write write) { return write == Write::add ? 1.f : 0.f; }

// y = y + x, in f32, rounded once
void add_rounded(std::span<const float> x, std::span<bf16> y) {
  parallel_for(static_cast<int64_t>(y.size()), 1 << 15, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y[i] = narrow(widen(y[i]) + x[i]);
  });
}

class CpuMath final : public DenseMath {
 public:
  explicit CpuMath(Context& ctx) : dnn_(ctx) {}

  void conv_forward(const ConvShape& s, DType dtype, const void* x, const void* w, void* y) override {
    conv(s, Pass::forward, {dtype, x, x_count(s)}, {dtype, w, w_count(s)}, {dtype, y, y_count(s)}, Write::overwrite);
  }
  void conv_backward_data(const ConvShape& s, DType dtype, const void* dy, const void* w, void* dx,
                          Write write) override {
    conv(s, Pass::backward_data, {dtype, dy, y_count(s)}, {dtype, w, w_count(s)}, {dtype, dx, x_count(s)}, write);
  }
  void conv_backward_weights(const ConvShape& s, DType dtype, const void* x, const void* dy, float* dw,
                             Write write) override {
    conv(s, Pass::backward_weights, {dtype, x, x_count(s)}, {dtype, dy, y_count(s)}, {DType::f32, dw, w_count(s)},
         write);
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
  template <class P>
  struct Operand {
    DType dtype;
    P data;
    int64_t count;
  };
  using In = Operand<const void*>;
  using Out = Operand<void*>;

  void conv(const ConvShape& s, Pass pass, In first, In second, Out out, Write write) {
    if (first.dtype == DType::bf16 && conv_in_tiles(s)) return conv_tiles(s, pass, first, second, out, write);
    const bool native = native_ && conv_in_bf16(s, pass);
    const Tensor wide_first = native ? Tensor() : widened(first), wide_second = native ? Tensor() : widened(second);
    if (!wide_first.empty()) first = {DType::f32, wide_first.raw(), first.count};
    if (!wide_second.empty()) second = {DType::f32, wide_second.raw(), second.count};
    // A result that is rounded is added to, or rounded from operands that were widened, in f32.
    const bool apart = out.dtype == DType::bf16 && (write == Write::add || first.dtype == DType::f32);
    const DType result = apart ? DType::f32 : out.dtype;
    const ConvTypes types{.operands = first.dtype, .result = result};
    PlanData data{.first = first.data, .second = second.data, .out = out.data, .write = write};
    if (!apart) return run_conv(dnn_, s, pass, types, data);
    const Tensor sums = dnn_.ctx.empty({out.count});
    data.out = sums.raw();
    data.write = Write::overwrite;
    run_conv(dnn_, s, pass, types, data);
    const std::span<bf16> rounded{static_cast<bf16*>(out.data), static_cast<size_t>(out.count)};
    if (write == Write::add)
      add_rounded(sums.span(), rounded);
    else
      kernels::to_bf16({.x = sums.span(), .y = rounded}, Queue{});
  }

  void conv_tiles(const ConvShape& s, Pass pass, In first, In second, Out out, Write write) {
    if (pass == Pass::backward_weights)
      return weights_in_tiles(s, static_cast<const bf16*>(first.data), static_cast<const bf16*>(second.data),
                              static_cast<float*>(out.data), write);
    const bool forward = pass == Pass::forward;
    const Tensor transformed = dnn_.ctx.empty({16 * s.in * s.out}, DType::bf16);
    const kernels::WinogradBf16 args{
        .images = s.images,
        .height = s.height,
        .width = s.width,
        .from = forward ? s.in : s.out,
        .to = forward ? s.out : s.in,
        .x = static_cast<const bf16*>(first.data),
        .weight = static_cast<const bf16*>(second.data),
        .y = static_cast<bf16*>(out.data),
        .transformed = {static_cast<bf16*>(transformed.raw()), static_cast<size_t>(transformed.size())},
        .write = write};
    forward ? kernels::winograd_bf16_forward(args) : kernels::winograd_bf16_data(args);
  }

  void weights_in_tiles(const ConvShape& s, const bf16* x, const bf16* dy, float* dw, Write write) {
    const int64_t images = *conv_block_images(s, Pass::backward_weights, ConvForm::nhwc), pixels = s.height * s.width;
    const int64_t scratch = kernels::winograd_bf16_weights_scratch(s.height, s.width, s.in, s.out);
    sum_of_blocks(dnn_.ctx, s, images, dw, write, [&](int64_t first, int64_t count, float* part) {
      const Tensor memory = dnn_.ctx.empty({scratch});
      kernels::winograd_bf16_weights({.images = count,
                                      .height = s.height,
                                      .width = s.width,
                                      .in = s.in,
                                      .out = s.out,
                                      .x = x + first * pixels * s.in,
                                      .dy = dy + first * pixels * s.out,
                                      .dw = part,
                                      .scratch = memory.span()});
    });
  }

  // A copy in f32 of an operand in bf16; else nothing.
  Tensor widened(const In& in) {
    if (in.dtype == DType::f32) return {};
    Tensor copy = dnn_.ctx.empty({in.count});
    kernels::to_f32({.x = {static_cast<const bf16*>(in.data), static_cast<size_t>(in.count)}, .y = copy.span()},
                    Queue{});
    return copy;
  }

  const bool native_ = cpu_multiplies_bf16();
  OneDnn dnn_;
};

}  // namespace

bool cpu_multiplies_bf16() { return kernels::onednn_offers(dnnl::cpu_isa::avx512_core_bf16); }

std::string onednn_version() {
  const dnnl_version_t* v = dnnl_version();
  return fmt::format("{}.{}.{}", v->major, v->minor, v->patch);
}

std::unique_ptr<DenseMath> make_cpu_math(Context& ctx) { return std::make_unique<CpuMath>(ctx); }

}  // namespace kith
