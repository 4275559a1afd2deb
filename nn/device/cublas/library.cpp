#include "nn/device/cublas/library.h"

#include <fmt/format.h>

#include "kernels/core/check.h"

namespace kith {

CublasLt::CublasLt()
    : library(fmt::format("libcublasLt.so.{}", CUBLAS_VER_MAJOR), cuda_library_folders()),
      get_version(library.symbol<decltype(get_version)>("cublasLtGetVersion")),
      get_status_string(library.symbol<decltype(get_status_string)>("cublasLtGetStatusString")),
      create(library.symbol<decltype(create)>("cublasLtCreate")),
      destroy(library.symbol<decltype(destroy)>("cublasLtDestroy")),
      desc_create(library.symbol<decltype(desc_create)>("cublasLtMatmulDescCreate")),
      desc_destroy(library.symbol<decltype(desc_destroy)>("cublasLtMatmulDescDestroy")),
      desc_set(library.symbol<decltype(desc_set)>("cublasLtMatmulDescSetAttribute")),
      layout_create(library.symbol<decltype(layout_create)>("cublasLtMatrixLayoutCreate")),
      layout_destroy(library.symbol<decltype(layout_destroy)>("cublasLtMatrixLayoutDestroy")),
      layout_set(library.symbol<decltype(layout_set)>("cublasLtMatrixLayoutSetAttribute")),
      preference_create(library.symbol<decltype(preference_create)>("cublasLtMatmulPreferenceCreate")),
      preference_destroy(library.symbol<decltype(preference_destroy)>("cublasLtMatmulPreferenceDestroy")),
      preference_set(library.symbol<decltype(preference_set)>("cublasLtMatmulPreferenceSetAttribute")),
      heuristic(library.symbol<decltype(heuristic)>("cublasLtMatmulAlgoGetHeuristic")),
      matmul(library.symbol<decltype(matmul)>("cublasLtMatmul")) {}

const CublasLt& cublas_lt() {
  static const CublasLt library;  // a loaded library belongs to the process
  return library;
}

std::string cublas_lt_version() {
  const size_t v = cublas_lt().get_version();
  return fmt::format("{}.{}.{}", v / 10000, v / 100 % 100, v % 100);
}

void cublas_check(cublasStatus_t status, const std::string& what) {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw Error(fmt::format("{}: cuBLASLt {}: {}", what, cublas_lt_version(), cublas_lt().get_status_string(status)));
}

}  // namespace kith
