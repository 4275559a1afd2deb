#include "kernels/gemm.h"

#include <dnnl.h>
#include <fmt/format.h>

#include <algorithm>

#include "kernels/core/check.h"
#include "kernels/core/onednn_room.h"
#include "kernels/core/parallel.h"

namespace kith::kernels {
namespace {

// Blocks of C's longer side: enough of them for many threads, and none so thin that packing the other operand for it shows.
constexpr int64_t kLeastBlock = 32, kMostBlocks = 16;

}  // namespace

void gemm(Op op_a, Op op_b, int64_t m, int64_t n, int64_t k, float alpha, const float* a, int64_t lda, const float* b,
          int64_t ldb, float beta, float* c, int64_t ldc) {
  if (m == 0 || n == 0) return;
  if (k == 0) {
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) c[i * ldc + j] = beta == 0 ? 0 : beta * c[i * ldc + j];
    return;
  }
  const auto flag = [](Op op) { return op == Op::none ? 'N' : 'T'; };
  [[maybe_unused]] static const bool code = (expect_room_for_code(), true);  // made at the first product
  const OneThread one;
  const dnnl_status_t status = dnnl_sgemm(flag(op_a), flag(op_b), m, n, k, alpha, a, std::max<int64_t>(lda, 1), b,
                                          std::max<int64_t>(ldb, 1), beta, c, std::max<int64_t>(ldc, 1));
  if (status == dnnl_out_of_memory)
    throw OutOfMemory(fmt::format("out of memory: a product of matrices, {} x {} by {} x {}", m, k, k, n));
  check(status == dnnl_success, fmt::format("dnnl_sgemm failed with status {} (m {}, n {}, k {})", +status, m, n, k));
}

void shared_gemm(Op op_a, Op op_b, int64_t m, int64_t n, int64_t k, float alpha, const float* a, int64_t lda,
                 const float* b, int64_t ldb, float beta, float* c, int64_t ldc) {
  const bool by_rows = m >= n;
  const int64_t extent = by_rows ? m : n;
  const int64_t grain = std::max<int64_t>(kLeastBlock, ceil_div(extent, kMostBlocks));
  parallel_for(extent, grain, [&](int64_t begin, int64_t end) {
    if (by_rows)
      gemm(op_a, op_b, end - begin, n, k, alpha, a + begin * (op_a == Op::none ? lda : 1), lda, b, ldb, beta,
           c + begin * ldc, ldc);
    else
      gemm(op_a, op_b, m, end - begin, k, alpha, a, lda, b + begin * (op_b == Op::none ? 1 : ldb), ldb, beta, c + begin,
           ldc);
  });
}

}  // namespace kith::kernels
