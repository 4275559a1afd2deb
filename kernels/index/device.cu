// kernels/index/ordered.h under nvcc: Thrust's CUDA system, in the order of the queue's stream, its scratch memory that of the
// queue. Where its algorithms need not wait for the device they do not.
#include <thrust/system/cuda/execution_policy.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "kernels/cuda/core/scratch.cuh"
#include "kernels/index/ordered.h"

namespace kith::kernels::cuda {
namespace {

// What Thrust asks for its scratch memory.
class Lent {
 public:
  using value_type = char;
  explicit Lent(Queue q) : queue_(q) {}
  char* allocate(std::ptrdiff_t bytes) {
    blocks_.push_back(std::make_unique<Scratch<char>>(bytes, queue_));
    return blocks_.back()->data();
  }
  void deallocate(char* block, size_t) {
    blocks_.erase(std::find_if(blocks_.begin(), blocks_.end(), [&](const auto& b) { return b->data() == block; }));
  }

 private:
  Queue queue_;
  std::vector<std::unique_ptr<Scratch<char>>> blocks_;
};

}  // namespace

void add_label_sums(const LabelSums& a, Queue q) {
  Lent lent(q);
  const Scratch<int32_t> labels(a.x.rows, q);
  const Scratch<int64_t> rows(a.x.rows, q), starts(a.sums.rows + 1, q);
  ordered::add_label_sums(thrust::cuda::par_nosync(lent).on(q.stream), a, {labels.data(), rows.data(), starts.data()});
}

}  // namespace kith::kernels::cuda
