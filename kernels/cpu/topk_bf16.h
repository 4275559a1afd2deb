// What the bf16 products of top-K multiply, and how far they may be from the scores: the operands of topk_operands.h, rounded.
//
// Rounding::one: of a row x that stands as x + e, the product errs by <e_q, x> + <q, e_x> + <e_q, e_x>. Rounding::two: a row
// stands as a sum h + l of two bf16, and of the four products <l_q, l_x> is left out; they are one product of rows [h, h, l] and
// [h, l, h], of three times the length and with a hundredth of the error. The norms of the errors are computed, not bounded:
// they are about half of what 2^-8 of each element allows. Each of the two biases, the last columns of the f32 operands, stands
// as two bf16 beside two ones.
#pragma once
#include <vector>

#include "kernels/core/bf16.h"
#include "kernels/cpu/aligned.h"
#include "kernels/cpu/block_pairs.h"
#include "kernels/cpu/topk_operands.h"
#include "kernels/gemm_bf16.h"

namespace kith::kernels::cpu {

enum class Rounding : uint8_t { one, two };

class TopKBf16 {
 public:
  // Database rows are cut into blocks of `block_rows`.
  TopKBf16(const TopKOperands&, Rounding, int64_t block_rows);

  // Bounds |product - (score - offset)| of query q and any row, with the offset of the f32 operands; infinite where a product could overflow.
  float slack(int64_t q) const;

  // Chosen rows of the queries, for products of their own.
  AlignedVector<bf16> gather(const std::vector<int64_t>& queries) const;
  // Products of rows q [rows, width()] and a block of the database: tile [rows][cols.count].
  void products(const bf16* q, int64_t rows, Block cols, float* tile) const {
    blocks_.products(q, rows, cols.first, tile);
  }
  const bf16* query(int64_t q) const { return queries_.data() + q * width_; }
  int64_t width() const { return width_; }

 private:
  struct Norms {  // of a row without its bias: itself, l, its rounding error; and the bias, likewise
    double whole = 0, low = 0, error = 0, bias = 0, bias_error = 0;
  };
  enum class Side : uint8_t { query, database };
  AlignedVector<bf16> round(Matrix<const float>, Side, std::vector<Norms>&) const;

  const TopKOperands& f32_;
  const Rounding rounding_;
  int64_t width_;  // columns, filled up with zeros
  AlignedVector<bf16> queries_, database_;
  std::vector<Norms> query_norms_;
  Norms largest_;  // of a database row
  Bf16Blocks blocks_;
};

}  // namespace kith::kernels::cpu
