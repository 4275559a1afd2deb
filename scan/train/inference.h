// Inference over a whole split; assignments and confidences from its result.
#pragma once
#include <functional>
#include <vector>

#include "nn/tensor/tape.h"
#include "scan/input/views.h"
#include "scan/run/reporter.h"
#include "scan/run/session.h"

namespace kith {

// use(images, first) for one batch after the other: batch n is of the images order[bounds[n] .. bounds[n + 1] - 1], first is
// bounds[n]. Throws Interrupted when asked to stop. `view` as in infer.
void for_each_batch(const Views&, const Reporter&, std::span<const int64_t> order, std::span<const int64_t> bounds,
                    uint32_t view, const std::function<void(const Tensor& images, int64_t first)>& use);

// net(images) of every image, batch by batch, nothing recorded: [count, cols]. Throws Interrupted when asked to stop.
// `view` chooses the augmented view (epoch 0) where `views` augments. The result lies on the context's device.
// Of several ranks each passes its share of the batches, and all have the result, the same as one rank's.
Tensor infer(const Views& views, const Reporter& report, const std::function<Var(Tape&, Var)>& net, uint32_t view = 0);

// The same for the un-augmented images of a split, normalised as the session's data set.
Tensor infer(const Session&, const data::Images&, const std::function<Var(Tape&, Var)>& net);

// Column of the largest value of each row (the first on a tie).
std::vector<int32_t> argmax_rows(const Matrix<const float>& rows);

// The value of each row at its assigned column.
std::vector<float> confidence_of(const Matrix<const float>& rows, std::span<const int32_t> assignments);

// Rows of a tensor on the host.
struct Rows {
  std::vector<float> values;
  int64_t rows = 0, cols = 0;
  Matrix<const float> view() const { return {values.data(), rows, cols}; }
};
Rows host_rows(const Tensor&);  // all leading extents folded; waits

}  // namespace kith
