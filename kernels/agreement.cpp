#include "kernels/agreement.h"

#include <fmt/format.h>

#include "kernels/core/check.h"

namespace kith::kernels {

void agreement(const Agreement& a, Queue q) {
  const auto labels = static_cast<int64_t>(a.labels.size()), out = static_cast<int64_t>(a.agree.size());
  check(a.neighbours.cols >= 1 && a.neighbours.rows <= labels && out == a.neighbours.rows,
        fmt::format(
            "agreement: neighbours [{}, {}], {} labels, {} results; expected as many results as rows, and no fewer "
            "labels",
            a.neighbours.rows, a.neighbours.cols, labels, out));
  if (q.device == Device::cuda) return cuda::agreement(a, q);
  cpu::agreement(a);
}

}  // namespace kith::kernels
