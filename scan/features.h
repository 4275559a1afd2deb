// Inference over a whole split, and what is read off the result.
#pragma once
#include <functional>
#include <vector>

#include "nn/tape.h"
#include "scan/report.h"
#include "scan/views.h"

namespace kith {

// net(images) of every image, batch by batch, nothing recorded: [count, cols]. Throws Interrupted when asked to stop.
// `view` chooses the augmented view (epoch 0) where `views` augments.
Tensor infer(const Views& views, const Reporter& report, const std::function<Var(Tape&, Var)>& net, uint32_t view = 0);

// Column of the largest value of each row (the first on a tie).
std::vector<int32_t> argmax_rows(const Matrix<const float>& rows);

// The value of each row at its assigned column.
std::vector<float> confidence_of(const Matrix<const float>& rows, std::span<const int32_t> assignments);

// Rows `index` of `from`, in that order.
Tensor gather_rows(Context&, const Matrix<const float>& from, std::span<const int64_t> index);

// The k most similar other rows of every row, most similar first; include_self adds the row itself to its list, as the
// authors' k + 1 columns do. k is cut to rows - 1.
struct Neighbours {
  int64_t rows = 0, k = 0;     // k: columns
  std::vector<int64_t> index;  // [rows, k]
  std::vector<float> score;    // [rows, k]
  Matrix<const int64_t> view() const { return {index.data(), rows, k}; }
};
Neighbours nearest(const Matrix<const float>& unit_rows, int64_t k, bool include_self, Queue);

}  // namespace kith
