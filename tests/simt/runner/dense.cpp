// The SIMT runner's stand-in for a CUDA device's libraries: the CPU's DenseMath on the runner's device memory, in its order of
// work.
#include "nn/tensor/context.h"
#include "tests/simt/runner/stream.h"

namespace kith {
namespace {

class SimtMath final : public DenseMath {
 public:
  void conv_forward(const ConvShape& s, DType dtype, const void* x, const void* w, void* y) override {
    simt::enqueue([=, this] { host().conv_forward(s, dtype, x, w, y); });
  }
  void conv_backward_data(const ConvShape& s, DType dtype, const void* dy, const void* w, void* dx,
                          Write write) override {
    simt::enqueue([=, this] { host().conv_backward_data(s, dtype, dy, w, dx, write); });
  }
  void conv_backward_weights(const ConvShape& s, DType dtype, const void* x, const void* dy, float* dw,
                             Write write) override {
    simt::enqueue([=, this] { host().conv_backward_weights(s, dtype, x, dy, dw, write); });
  }
  void linear_forward(const LinearShape& s, const float* x, const float* w, const float* bias, float* y) override {
    simt::enqueue([=, this] { host().linear_forward(s, x, w, bias, y); });
  }
  void linear_backward_data(const LinearShape& s, const float* dy, const float* w, float* dx, Write write) override {
    simt::enqueue([=, this] { host().linear_backward_data(s, dy, w, dx, write); });
  }
  void linear_backward_weights(const LinearShape& s, const float* x, const float* dy, float* dw, Write write) override {
    simt::enqueue([=, this] { host().linear_backward_weights(s, x, dy, dw, write); });
  }

  int64_t workspace_bytes() const override { return 0; }
  std::string describe() const override { return "oneDNN on the runner's memory"; }

 private:
  DenseMath& host() { return context_.math(); }

  Context context_{{.threads = 1}};  // the runner has threads of its own
};

}  // namespace

std::string accelerator_libraries() { return "oneDNN in place of cuDNN and cuBLASLt"; }

std::unique_ptr<DenseMath> make_accelerator_math(Queue, const MathOptions&) { return std::make_unique<SimtMath>(); }

}  // namespace kith
