#include "kernels/cpu/topk_bf16.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "kernels/core/parallel.h"

namespace kith::kernels::cpu {
namespace {

constexpr float kLeastNormal = 0x1p-126f;  // the processor may take what is smaller for zero: so it is zero

// The operands are finite.
bf16 rounded(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(std::abs(x) < kLeastNormal ? 0.f : x);
  return {static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
}

}  // namespace

TopKBf16::TopKBf16(const TopKOperands& f32, Rounding rounding, int64_t block_rows) : f32_(f32), rounding_(rounding) {
  constexpr int64_t kStep = 32;  // elements that a matrix instruction takes from a row
  const int64_t dim = f32.database.cols - (f32.centred() ? 2 : 0);
  width_ = ceil_div((rounding == Rounding::one ? dim : 3 * dim) + (f32.centred() ? 4 : 0), kStep) * kStep;
  queries_ = round(f32.queries, Side::query, query_norms_);
  std::vector<Norms> norms;
  database_ = round(f32.database, Side::database, norms);
  for (const Norms& n : norms)
    largest_ = {std::max(largest_.whole, n.whole), std::max(largest_.low, n.low), std::max(largest_.error, n.error),
                std::max(largest_.bias, n.bias), std::max(largest_.bias_error, n.bias_error)};
  blocks_ = Bf16Blocks({database_.data(), f32.database.rows, width_}, block_rows);
}

AlignedVector<bf16> TopKBf16::round(Matrix<const float> m, Side side, std::vector<Norms>& norms) const {
  AlignedVector<bf16> out(static_cast<size_t>(m.rows * width_));
  norms.resize(static_cast<size_t>(m.rows));
  const bool two = rounding_ == Rounding::two, query = side == Side::query;
  const int64_t dim = m.cols - (f32_.centred() ? 2 : 0);
  parallel_for(m.rows, 256, [&](int64_t begin, int64_t end) {
    std::vector<bf16> zero(static_cast<size_t>(dim));
    for (int64_t i = begin; i < end; ++i) {
      const float* x = m.data + i * m.cols;
      bf16* high = out.data() + i * width_;
      const bf16* low = zero.data();
      for (int64_t d = 0; d < dim; ++d) high[d] = rounded(x[d]);
      if (two) {
        bf16* l = high + (query ? 2 : 1) * dim;
        for (int64_t d = 0; d < dim; ++d) l[d] = rounded(x[d] - widen(high[d]));
        std::copy_n(high, dim, high + (query ? 1 : 2) * dim);
        low = l;
      }
      double whole = 0, small = 0, error = 0;
#pragma omp simd reduction(+ : whole, small, error)
      for (int64_t d = 0; d < dim; ++d) {
        const double v = x[d], l = widen(low[d]), e = (x[d] - widen(high[d])) - widen(low[d]);  // exact in f32
        whole += v * v;
        small += l * l;
        error += e * e;
      }
      norms[i] = {.whole = std::sqrt(whole), .low = std::sqrt(small), .error = std::sqrt(error)};
      if (!f32_.centred()) continue;
      const float bias = x[dim + (query ? 0 : 1)];
      const bf16 first = rounded(bias), second = rounded(bias - widen(first)), one = narrow(1);
      bf16* to = high + (two ? 3 : 1) * dim;
      to[0] = query ? first : one, to[1] = query ? second : one;
      to[2] = query ? one : first, to[3] = query ? one : second;
      norms[i].bias = std::abs(double{bias});
      norms[i].bias_error = std::abs(double{bias} - double{widen(first)} - double{widen(second)});
    }
  });
  return out;
}

// The f32 operands' distance from the scores, and the errors above. A sum of `width` products is within width 2^-23 of the sum
// of their magnitudes (gemm_bf16.h), and loses at most the smallest normal number at each step.
float TopKBf16::slack(int64_t q) const {
  const Norms &n = query_norms_[q], &x = largest_;
  const double terms = static_cast<double>(width_);
  const double magnitudes = (n.whole + 2 * n.low + n.error) * (x.whole + 2 * x.low + x.error) + 2 * (n.bias + x.bias);
  constexpr double kSafe = 1e37;  // below it no partial sum of a product can overflow
  if (!(magnitudes < kSafe)) return std::numeric_limits<float>::infinity();
  const double rounding =
      n.error * x.whole + (n.whole + n.error) * x.error + n.low * x.low + n.bias_error + x.bias_error;
  return f32_.slack(q) + static_cast<float>(1.01 * (rounding + terms * 0x1p-23 * magnitudes) + 4 * terms * 0x1p-126);
}

AlignedVector<bf16> TopKBf16::gather(const std::vector<int64_t>& queries) const {
  AlignedVector<bf16> out;
  for (const int64_t q : queries) out.insert(out.end(), query(q), query(q) + width_);
  return out;
}

}  // namespace kith::kernels::cpu
