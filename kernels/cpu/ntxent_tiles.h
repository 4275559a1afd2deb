// Products of NT-Xent, of f32 rows or of rows rounded to bf16, tile by tile; and how positives are found in a tile.
//
// As in the CUDA kernels, bf16 products round the rows, also where they are positives, and the weights of products; sums,
// exponentials and the weights of positives are f32's.
#pragma once
#include "kernels/core/bf16.h"
#include "kernels/cpu/aligned.h"
#include "kernels/cpu/block_pairs.h"
#include "kernels/gemm.h"
#include "kernels/ntxent.h"

namespace kith::kernels::cpu {

// Rows as products take them.
class ProductRows {
 public:
  ProductRows(Matrix<const float> rows, Products);
  Matrix<const float> f32;
  Products products() const { return rounded_.empty() ? Products::f32 : Products::bf16; }
  const bf16* rounded(int64_t row) const { return rounded_.data() + row * width_; }
  double largest_square() const;  // a bound of a row's product with itself; infinite where a row is not finite
  int64_t width() const { return width_; }                                // of a rounded row, filled up with zeros
  void subtract(float weight, int64_t row, std::span<float> from) const;  // from -= weight times a row

 private:
  int64_t width_;
  AlignedVector<bf16> rounded_;
};

// s[i, k] = alpha <a_i, b_k> for i in `rows`, k in `cols`.
void product_tile(const ProductRows& a, Block rows, const ProductRows& b, Block cols, float alpha, float* s);

// Weights w [rows, cols] times alpha as an operand: the operand lives as long as both.
class Weights {
 public:
  Weights(const float* w, Block rows, Block cols, float alpha, Products);
  // Rows of `to` get w times the rows of `from`, or w^T times them.
  void add_product(Op op, const ProductRows& from, Matrix<float> to, Write write) const;

 private:
  const float* w_;
  Block rows_, cols_;
  float alpha_;
  AlignedArray<bf16> rounded_;  // null: f32
};

// Calls f(i, k) for the rows of the tile whose positive is one of its columns.
template <class Arguments, class F>
void for_positives(const Arguments& a, Block rows, Block cols, F&& f) {
  for (int64_t i = 0; i < rows.count; ++i) {
    const int64_t k = positive_of(a, rows.first + i) - cols.first;
    if (k >= 0 && k < cols.count) f(i, k);
  }
}

// Even, so that a row and its partner stand in one block; depends on the problem alone, so results do too.
inline int64_t square_block(int64_t rows) { return rows <= 2048 ? 128 : 256; }

inline AlignedArray<float> tile(Block rows, Block cols) { return aligned_array<float>(rows.count * cols.count); }

}  // namespace kith::kernels::cpu
