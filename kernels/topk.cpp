#include "kernels/topk.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/core/check.h"

namespace kith::kernels {

void topk(const TopK<float>& a, Queue q) {
  constexpr int64_t kLimit = 4096;
  check(a.queries.cols == a.database.cols && a.queries.cols >= 1,
        fmt::format("topk: queries have {} columns and the database {}, expected the same, at least 1", a.queries.cols,
                    a.database.cols));
  const int64_t largest = std::min(kLimit, a.database.rows - (a.exclude_self ? 1 : 0));
  check(a.k >= 1 && a.k <= largest, fmt::format("topk: k is {}, expected 1..{} for {} database rows{}", a.k, largest,
                                                a.database.rows, a.exclude_self ? " without the query itself" : ""));
  const auto check_output = [&](int64_t rows, int64_t cols, const char* what) {
    check(rows == a.queries.rows && cols == a.k,
          fmt::format("topk: {} is [{}, {}], expected [{}, {}]", what, rows, cols, a.queries.rows, a.k));
  };
  check_output(a.scores.rows, a.scores.cols, "scores");
  check_output(a.indices.rows, a.indices.cols, "indices");
  if (q.device == Device::cuda) return cuda::topk(a, q);
  cpu::topk(a);
}

}  // namespace kith::kernels
