#include "kernels/cpu/gemm.h"

#include <dnnl.h>
#include <fmt/format.h>

#include <algorithm>

#include "kernels/core/check.h"

namespace kith::kernels::cpu {

void gemm(Op op_a, Op op_b, int64_t m, int64_t n, int64_t k, float alpha, const float* a, int64_t lda, const float* b,
          int64_t ldb, float beta, float* c, int64_t ldc) {
  if (m == 0 || n == 0) return;
  if (k == 0) {
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) c[i * ldc + j] = beta == 0 ? 0 : beta * c[i * ldc + j];
    return;
  }
  const auto flag = [](Op op) { return op == Op::none ? 'N' : 'T'; };
  const dnnl_status_t status =
      dnnl_sgemm(flag(op_a), flag(op_b), m, n, k, alpha, a, std::max<int64_t>(lda, 1), b, std::max<int64_t>(ldb, 1), beta, c,
                 std::max<int64_t>(ldc, 1));
  check(status == dnnl_success, fmt::format("dnnl_sgemm failed with status {} (m {}, n {}, k {})", +status, m, n, k));
}

}  // namespace kith::kernels::cpu
