#include "nn/device/dense_math.h"

#include <fmt/format.h>

#include <map>

#include "kernels/core/check.h"
#include "kernels/elementwise.h"
#include "nn/device/cublas/matmul.h"
#include "nn/device/cudnn/conv_plans.h"

namespace kith {
namespace {

void check_aligned(std::string_view what, std::initializer_list<const void*> operands) {
  for (const void* p : operands)
    if (reinterpret_cast<uintptr_t>(p) % 16 != 0)
      throw Error(fmt::format("{}: an operand is not 16-byte aligned", what));
}

// The largest power of two up to 16 bytes that every operand starts at.
int alignment_of(const MatmulPlan::Operands& x) {
  uintptr_t bits = 16;
  for (const void* start : {static_cast<const void*>(x.a), static_cast<const void*>(x.b),
                            static_cast<const void*>(x.bias), static_cast<const void*>(x.c)})
    bits |= reinterpret_cast<uintptr_t>(start);
  return static_cast<int>(bits & (~bits + 1));
}

class CudaMath final : public DenseMath {
 public:
  CudaMath(Queue queue, const MathOptions& options)
      : queue_(queue),
        options_(options),
        workspace_(queue.stream),
        half_(queue.stream),
        handle_(make_handle()),
        convs_(queue.stream, options) {}

  void conv_forward(const ConvShape& s, DType dtype, const void* x, const void* w, void* y) override {
    conv(s, Pass::forward, dtype, {.first = x, .second = w, .out = y}, Write::overwrite);
  }
  void conv_backward_data(const ConvShape& s, DType dtype, const void* dy, const void* w, void* dx,
                          Write write) override {
    conv(s, Pass::backward_data, dtype, {.first = dy, .second = w, .out = dx}, write);
  }
  void conv_backward_weights(const ConvShape& s, DType dtype, const void* x, const void* dy, float* dw,
                             Write write) override {
    if (dtype == DType::f32)
      return conv(s, Pass::backward_weights, dtype, {.first = x, .second = dy, .out = dw}, write);
    // cuDNN has no engine that reads bf16 and writes an f32 gradient: it is summed in f32, rounded once, and widened here.
    const int64_t count = s.out * s.kernel * s.kernel * s.in;
    auto* half = static_cast<bf16*>(half_.reserve(count * static_cast<int64_t>(sizeof(bf16))));
    conv(s, Pass::backward_weights, dtype, {.first = x, .second = dy, .out = half}, Write::overwrite);
    const auto size = static_cast<size_t>(count);
    kernels::to_f32({.x = {half, size}, .y = {dw, size}, .write = write}, queue_);
  }

  void linear_forward(const LinearShape& s, const float* x, const float* w, const float* bias, float* y) override {
    matmul({.product = forward_product(s), .bias = bias != nullptr}, {.a = w, .b = x, .bias = bias, .c = y});
  }
  void linear_backward_data(const LinearShape& s, const float* dy, const float* w, float* dx, Write write) override {
    matmul({.product = data_product(s), .write = write}, {.a = w, .b = dy, .c = dx});
  }
  void linear_backward_weights(const LinearShape& s, const float* x, const float* dy, float* dw, Write write) override {
    matmul({.product = weights_product(s), .write = write}, {.a = x, .b = dy, .c = dw});
  }

  int64_t workspace_bytes() const override { return workspace_.bytes() + half_.bytes(); }
  std::string describe() const override {
    const PlanStore& store = convs_.store();
    return fmt::format("{}, TF32 {}, {} plans known{}{}{}", accelerator_libraries(), options_.tf32 ? "on" : "off",
                       store.size(), store.file().empty() ? "" : " in " + store.file().string(),
                       store.warning().empty() ? "" : "; ", store.warning());
  }

 private:
  using Handle = std::unique_ptr<cublasLtContext, cublasStatus_t (*)(cublasLtHandle_t)>;
  static Handle make_handle() {
    cublasLtHandle_t handle = nullptr;
    cublas_check(cublas_lt().create(&handle), "cuBLASLt on this device");
    return {handle, cublas_lt().destroy};
  }

  void conv(const ConvShape& s, Pass pass, DType dtype, const ConvOperands& operands, Write write) {
    const ConvPlanKey key{
        .shape = s, .pass = pass, .dtype = dtype, .write = write, .tf32 = options_.tf32 && dtype == DType::f32};
    check_aligned("convolution", {operands.first, operands.second, operands.out});
    convs_.run(key, operands, workspace_);
  }

  void matmul(MatmulKey key, const MatmulPlan::Operands& operands) {
    key.tf32 = options_.tf32;
    key.alignment = alignment_of(operands);
    auto it = products_.find(key);
    if (it == products_.end()) {
      check(!workspace_.capturing(),
            to_string(key) + ": has no plan, and a graph is being captured: run the step once before");
      it = products_.try_emplace(key, handle_.get(), key).first;
    }
    it->second.run(handle_.get(), operands, workspace_.reserve(kMatmulWorkspace), queue_.stream);
  }

  Queue queue_;
  MathOptions options_;
  Workspace workspace_, half_;
  Handle handle_;
  ConvPlans convs_;
  std::map<MatmulKey, MatmulPlan> products_;
};

}  // namespace

std::string accelerator_libraries() {
  return fmt::format("cuDNN {}, cuBLASLt {}", cudnn_version(), cublas_lt_version());
}

std::unique_ptr<DenseMath> make_accelerator_math(Queue queue, const MathOptions& options) {
  check(queue.device == Device::cuda, "cuDNN and cuBLASLt run on CUDA queues");
  return std::make_unique<CudaMath>(queue, options);
}

}  // namespace kith
