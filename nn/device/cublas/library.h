// cuBLASLt, loaded when it is first used. Its functions by their own names: cublas_lt().matmul(...).
#pragma once
#include <cublasLt.h>

#include <string>

#include "nn/device/shared_library.h"

namespace kith {

struct CublasLt {
  CublasLt();
  SharedLibrary library;
  decltype(&cublasLtGetVersion) get_version;
  decltype(&cublasLtGetStatusString) get_status_string;
  decltype(&cublasLtCreate) create;
  decltype(&cublasLtDestroy) destroy;
  decltype(&cublasLtMatmulDescCreate) desc_create;
  decltype(&cublasLtMatmulDescDestroy) desc_destroy;
  decltype(&cublasLtMatmulDescSetAttribute) desc_set;
  decltype(&cublasLtMatrixLayoutCreate) layout_create;
  decltype(&cublasLtMatrixLayoutDestroy) layout_destroy;
  decltype(&cublasLtMatrixLayoutSetAttribute) layout_set;
  decltype(&cublasLtMatmulPreferenceCreate) preference_create;
  decltype(&cublasLtMatmulPreferenceDestroy) preference_destroy;
  decltype(&cublasLtMatmulPreferenceSetAttribute) preference_set;
  decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic;
  decltype(&cublasLtMatmul) matmul;
};

const CublasLt& cublas_lt();      // the process's; Error when there is none
std::string cublas_lt_version();  // "13.1.0"

void cublas_check(cublasStatus_t status, const std::string& what);

}  // namespace kith
