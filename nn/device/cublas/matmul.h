// One product of linear_products.h through cuBLASLt: descriptors, and the algorithm that its heuristics put first.
#pragma once
#include <memory>

#include "nn/device/cublas/library.h"
#include "nn/device/linear_products.h"

namespace kith {

// Key of a plan: everything that it depends on.
struct MatmulKey {
  Product product;
  bool bias = false;  // c += bias [m], the same for every column
  Write write = Write::overwrite;
  bool tf32 = false;
  int alignment = 16;  // bytes that the address of every operand is a multiple of
  auto operator<=>(const MatmulKey&) const = default;
};

std::string to_string(const MatmulKey&);  // "product 128x512x64, bias, TF32"

inline constexpr int64_t kMatmulWorkspace = int64_t{32} << 20;  // what cuBLAS takes for itself on sm_90

// Descriptors of a product; they need no device.
class MatmulDescs {
 public:
  explicit MatmulDescs(const MatmulKey&);

 protected:
  template <class T>
  using Owned = std::unique_ptr<T, cublasStatus_t (*)(T*)>;
  Owned<cublasLtMatrixLayoutOpaque_t> layout(Transposed, int64_t rows, int64_t cols, int64_t lead) const;
  MatmulKey key_;
  Owned<cublasLtMatmulDescOpaque_t> desc_;
  Owned<cublasLtMatrixLayoutOpaque_t> a_, b_, c_;
};

class MatmulPlan : MatmulDescs {
 public:
  MatmulPlan(cublasLtHandle_t, const MatmulKey&);  // Error when cuBLASLt has no algorithm

  struct Operands {
    const float *a = nullptr, *b = nullptr, *bias = nullptr;
    float* c = nullptr;
  };
  // Enqueues. `workspace` holds kMatmulWorkspace bytes.
  void run(cublasLtHandle_t, const Operands&, void* workspace, cudaStream_t) const;

 private:
  cublasLtMatmulAlgo_t algorithm_{};
};

}  // namespace kith
