#include "kernels/agreement.h"

#include <fmt/format.h>

#include "kernels/core/check.h"
#include "kernels/core/parallel.h"

namespace kith::kernels::cpu {

void agreement(const Agreement& a) {
  constexpr int64_t kIndices = 1 << 14;  // of a piece of work
  const int64_t k = a.neighbours.cols;
  const auto count = static_cast<int64_t>(a.labels.size());
  parallel_for(a.neighbours.rows, ceil_div(kIndices, k), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int32_t own = a.labels[static_cast<size_t>(i)];
      int32_t agree = 0;
      for (const int64_t other : a.neighbours.row(i)) {
        if (other >= count) throw Error(fmt::format("agreement: row {} has neighbour {} of {}", i, other, count));
        agree += other >= 0 && a.labels[static_cast<size_t>(other)] == own ? 1 : 0;
      }
      a.agree[static_cast<size_t>(i)] = agree;
    }
  });
}

}  // namespace kith::kernels::cpu
