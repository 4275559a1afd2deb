// FeatureRows: the rows of one feature space as a method sees them: of unit length, or with standardised columns, or both,
// or as they are.
//
//   unit rows     x / |x|, |x| in f64
//   standardised  (x - mean) / deviation of every column of the rows that were clustered (scan/train/standardisation.h)
//
// Rows that fit into kResidentBytes are kept, transformed, in the context's memory; others are converted from the file
// whenever a batch of them is wanted. Both give the same numbers.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "nn/tensor/context.h"
#include "scan/features/matrix.h"

namespace kith {

struct RowTransform {
  bool unit = false;
  std::vector<float> mean, inverse;  // [dimensions], or empty: columns as they are

  void apply(Matrix<float> rows) const;
};

// Of these rows, which may be brought to unit length first; centred columns keep their scale.
enum class Columns : uint8_t { as_given, centred, standardised };
RowTransform fit_transform(const FeatureMatrix&, bool unit, Columns);

class FeatureRows {
 public:
  static constexpr int64_t kResidentBytes = int64_t{512} << 20;

  // Keeps a reference to the matrix. Nothing is kept beyond `most_resident` on the CPU, and nowhere where it is 0.
  FeatureRows(Context&, const FeatureMatrix&, RowTransform, int64_t most_resident = kResidentBytes);

  int64_t rows() const { return matrix_.rows(); }
  int64_t cols() const { return matrix_.cols(); }
  const RowTransform& transform() const { return transform_; }
  const FeatureMatrix& matrix() const { return matrix_; }

  Tensor batch(std::span<const int64_t> index) const;  // [index, cols]
  Tensor block(int64_t first, int64_t count) const;    // [count, cols]; the rows that are kept, where they are
  std::vector<float> host(std::span<const int64_t> index) const;
  // use(first, rows) for one piece of all rows after the other, in host memory.
  void for_each_piece(const std::function<void(int64_t first, Matrix<const float>)>& use) const;
  int64_t piece() const;  // rows of such a piece, and of a sensible batch of an inference

 private:
  Context& ctx_;
  const FeatureMatrix& matrix_;
  RowTransform transform_;
  Tensor resident_;  // empty: not kept
};

}  // namespace kith
