#include "nn/device/cublas/matmul.h"

#include <fmt/format.h>

#include "kernels/core/check.h"

namespace kith {
namespace {

cublasLtMatmulDescOpaque_t* make_desc(const MatmulKey& key) {
  cublasLtMatmulDesc_t desc = nullptr;
  const cublasComputeType_t compute = key.tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  cublas_check(cublas_lt().desc_create(&desc, compute, CUDA_R_32F), to_string(key));
  return desc;
}

cublasLtEpilogue_t epilogue(const MatmulKey& key) {
  return key.bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
}

cublasOperation_t operation(Transposed t) { return t == Transposed::yes ? CUBLAS_OP_T : CUBLAS_OP_N; }

}  // namespace

std::string to_string(const MatmulKey& key) {
  const Product& p = key.product;
  return fmt::format("product {}x{}x{}{}{}{}", p.m, p.n, p.k, key.bias ? ", bias" : "",
                     key.write == Write::add ? ", add" : "", key.tf32 ? ", TF32" : "");
}

// Layout of x as it is stored, given the extents of op(x), [rows, cols].
MatmulDescs::Owned<cublasLtMatrixLayoutOpaque_t> MatmulDescs::layout(Transposed t, int64_t rows, int64_t cols,
                                                                     int64_t lead) const {
  const std::string what = to_string(key_);
  if (t == Transposed::yes) std::swap(rows, cols);
  cublasLtMatrixLayout_t made = nullptr;
  cublas_check(
      cublas_lt().layout_create(&made, CUDA_R_32F, static_cast<uint64_t>(rows), static_cast<uint64_t>(cols), lead),
      what);
  return {made, cublas_lt().layout_destroy};
}

MatmulDescs::MatmulDescs(const MatmulKey& key)
    : key_(key),
      desc_(make_desc(key), cublas_lt().desc_destroy),
      a_(layout(key.product.a, key.product.m, key.product.k, key.product.lead_a)),
      b_(layout(key.product.b, key.product.k, key.product.n, key.product.lead_b)),
      c_(layout(Transposed::no, key.product.m, key.product.n, key.product.lead_c)) {
  const auto set = [&](cublasLtMatmulDescAttributes_t name, const auto& value) {
    cublas_check(cublas_lt().desc_set(desc_.get(), name, &value, sizeof value), to_string(key));
  };
  set(CUBLASLT_MATMUL_DESC_TRANSA, operation(key.product.a));
  set(CUBLASLT_MATMUL_DESC_TRANSB, operation(key.product.b));
  set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue(key));
}

MatmulPlan::MatmulPlan(cublasLtHandle_t handle, const MatmulKey& key) : MatmulDescs(key) {
  const std::string what = to_string(key);
  cublasLtMatmulPreference_t made = nullptr;
  cublas_check(cublas_lt().preference_create(&made), what);
  const Owned<cublasLtMatmulPreferenceOpaque_t> preference(made, cublas_lt().preference_destroy);
  const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t name, const auto& value) {
    cublas_check(cublas_lt().preference_set(made, name, &value, sizeof value), what);
  };
  prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, static_cast<uint64_t>(kMatmulWorkspace));
  // Left to itself it assumes 256 bytes, and would choose kernels that fault on less.
  for (const auto name : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
    prefer(name, static_cast<uint32_t>(key.alignment));
  cublasLtMatmulHeuristicResult_t best{};
  int found = 0;
  const cublasStatus_t status =
      cublas_lt().heuristic(handle, desc_.get(), a_.get(), b_.get(), c_.get(), c_.get(), made, 1, &best, &found);
  cublas_check(status, what);
  check(found == 1 && best.state == CUBLAS_STATUS_SUCCESS,
        fmt::format("{}: cuBLASLt {} has no algorithm for it", what, cublas_lt_version()));
  algorithm_ = best.algo;
}

void MatmulPlan::run(cublasLtHandle_t handle, const Operands& x, void* workspace, cudaStream_t stream) const {
  if (key_.bias)
    cublas_check(cublas_lt().desc_set(desc_.get(), CUBLASLT_MATMUL_DESC_BIAS_POINTER, &x.bias, sizeof x.bias),
                 "bias of a product");
  const float one = 1, beta = key_.write == Write::add ? 1.f : 0.f;
  const cublasStatus_t status =
      cublas_lt().matmul(handle, desc_.get(), &one, x.a, a_.get(), x.b, b_.get(), &beta, x.c, c_.get(), x.c, c_.get(),
                         &algorithm_, workspace, static_cast<size_t>(kMatmulWorkspace), stream);
  if (status != CUBLAS_STATUS_SUCCESS) cublas_check(status, to_string(key_));
}

}  // namespace kith
