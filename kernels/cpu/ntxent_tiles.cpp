#include "kernels/cpu/ntxent_tiles.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/core/parallel.h"
#include "kernels/gemm_bf16.h"

namespace kith::kernels::cpu {

ProductRows::ProductRows(Matrix<const float> rows, Products products)
    : f32(rows), width_(ceil_div(rows.cols, 32) * 32) {
  if (products == Products::f32) return;
  rounded_.resize(static_cast<size_t>(rows.rows * width_));
  parallel_for(rows.rows, 256, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      for (int64_t d = 0; d < rows.cols; ++d) rounded_[i * width_ + d] = narrow(rows.row(i)[d]);
  });
}

double ProductRows::largest_square() const {
  double largest = 0, all = 0;
  for (int64_t i = 0; i < f32.rows; ++i) {
    const float* x = f32.data + i * f32.cols;
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t d = 0; d < f32.cols; ++d) sum += double{x[d]} * double{x[d]};
    largest = std::max(largest, sum);
    all += sum;
  }
  if (!std::isfinite(all)) return std::numeric_limits<double>::infinity();
  return products() == Products::f32 ? largest : largest * (1 + 0x1p-8) * (1 + 0x1p-8);
}

void ProductRows::subtract(float weight, int64_t row, std::span<float> from) const {
  const std::span<const float> as_is = f32.row(row);
  for (size_t d = 0; d < from.size(); ++d)
    from[d] -= weight * (products() == Products::f32 ? as_is[d] : widen(rounded(row)[d]));
}

void product_tile(const ProductRows& a, Block rows, const ProductRows& b, Block cols, float alpha, float* s) {
  const int64_t dim = a.f32.cols;
  if (a.products() == Products::f32) {
    gemm(Op::none, Op::transpose, rows.count, cols.count, dim, alpha, a.f32.data + rows.first * dim, dim,
         b.f32.data + cols.first * dim, dim, 0, s, cols.count);
    return;
  }
  gemm_bf16(Op::none, Op::transpose, rows.count, cols.count, a.width(), a.rounded(rows.first), a.width(),
            b.rounded(cols.first), b.width(), Write::overwrite, s, cols.count);
  if (alpha == 1) return;
  for (int64_t e = 0; e < rows.count * cols.count; ++e) s[e] *= alpha;
}

Weights::Weights(const float* w, Block rows, Block cols, float alpha, Products products)
    : w_(w), rows_(rows), cols_(cols), alpha_(alpha) {
  if (products == Products::f32) return;
  const int64_t count = rows.count * cols.count;
  rounded_ = aligned_array<bf16>(count);
  bf16* to = rounded_.get();
  for (int64_t e = 0; e < count; ++e) to[e] = narrow(alpha * w[e]);
}

void Weights::add_product(Op op, const ProductRows& from, Matrix<float> to, Write write) const {
  const Block out = op == Op::none ? rows_ : cols_, in = op == Op::none ? cols_ : rows_;
  float* c = to.data + out.first * to.cols;
  if (rounded_ == nullptr)
    gemm(op, Op::none, out.count, to.cols, in.count, alpha_, w_, cols_.count, from.f32.data + in.first * to.cols,
         to.cols, write == Write::overwrite ? 0.f : 1.f, c, to.cols);
  else
    gemm_bf16(op, Op::none, out.count, to.cols, in.count, rounded_.get(), cols_.count, from.rounded(in.first),
              from.width(), write, c, to.cols);
}

}  // namespace kith::kernels::cpu
