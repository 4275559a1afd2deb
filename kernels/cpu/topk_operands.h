// What the f32 products of top-K multiply, and how far they may be from the scores.
//
// Rows around a common vector m are multiplied without it. With x' = x - m and b_x = <m, x'>,
//   <q, x> = <q', x'> + b_q + b_x + |m|^2:
// one product of rows [q', b_q, 1] and [x', 1, b_x] is every score less a constant, and its rounding errors scale with
// |q'| |x'| instead of |q| |x|. m is the mean of some rows of the database; where it brings little, rows are multiplied as
// they are, and nothing is copied.
#pragma once
#include <vector>

#include "kernels/topk.h"

namespace kith::kernels::cpu {

class TopKOperands {
 public:
  explicit TopKOperands(const TopK<float>&);  // an Error names a row with a value that is not finite

  Matrix<const float> queries, database;
  bool centred() const { return !mean_.empty(); }
  double offset = 0;  // score - product, but for the error
  // Bounds |product - (score - offset)| of query q and any row, whatever the order in which the product sums; infinite where
  // a product could overflow.
  float slack(int64_t q) const;

 private:
  struct Norms {  // of a row: itself, without m, and |b|
    double whole, rest, bias;
  };
  static Norms larger(const Norms& a, const Norms& b);
  void centre(const TopK<float>&);

  std::vector<float> mean_;  // empty: rows are multiplied as they are
  double mean_norm_ = 0;
  std::vector<float> query_copy_, database_copy_;
  std::vector<Norms> query_norms_;
  Norms largest_{};  // of a database row
};

}  // namespace kith::kernels::cpu
