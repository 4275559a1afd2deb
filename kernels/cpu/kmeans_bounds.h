// Assignments of Lloyd's iterations that look at few rows: bounds on the distances of each row are kept while centroids move
// (Hamerly 2010, Making k-means even faster, SDM).
//
//   upper_i >= |x_i - m_label|     lower_i <= |x_i - m_c| for every c but the label     gap_c = min |m_c - m_d| over d != c
//
// A centroid that moves by d changes a distance by at most d. While upper_i < max(lower_i, gap_label / 2) no other centroid is as
// near, and the label stands. Bounds are f32, widened at each step by 2^-21 of themselves: more than they, and f64 distances, are
// rounded by. So labels are those of assign_rows, to the last. The sums of the rows are corrected by the rows that changed.
#pragma once
#include <vector>

#include "kernels/cpu/kmeans_steps.h"

namespace kith::kernels::cpu {

class BoundedRows {
 public:
  BoundedRows(Matrix<const float> x, const RowShares&);  // keeps references

  // As assign_rows, whose labels and sums are those of the call before, or labels of -1 and empty sums. Returns how many labels of
  // the table changed.
  int64_t assign(Matrix<const float> centroids, std::span<int32_t> labels, ClusterSums& sums);
  void forget();  // labels were changed by others

 private:
  struct Moves;  // of the centroids, since the last assignment
  struct Chunk;  // one thread's rows
  Moves moves_to(Matrix<const float> centroids) const;
  bool settled(int64_t row, int32_t label, const Moves&, Matrix<const float> centroids);
  int64_t add_changes(std::vector<Chunk>& own, int64_t clusters, int64_t grain, ClusterSums&) const;

  Matrix<const float> x_;
  const RowShares& rows_;
  std::vector<float> upper_, lower_;
  std::vector<float> centroids_;  // of the last assignment
};

}  // namespace kith::kernels::cpu
