// The index work of a CUDA queue (kernels/index), which is Thrust's and no kernel of ours: its source under Thrust's OpenMP
// system, on the runner's device memory and in its order of work.
#include <thrust/system/omp/execution_policy.h>

#include <vector>

#include "kernels/index/ordered.h"
#include "tests/simt/runner/stream.h"

namespace kith::kernels::cuda {

void add_label_sums(const LabelSums& a, Queue) {
  simt::enqueue([a] {
    std::vector<int32_t> labels(static_cast<size_t>(a.x.rows));
    std::vector<int64_t> rows(labels.size()), starts(static_cast<size_t>(a.sums.rows) + 1);
    ordered::add_label_sums(thrust::omp::par, a, {labels.data(), rows.data(), starts.data()});
  });
}

}  // namespace kith::kernels::cuda
