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

TopKBf16::TopKBf16(const TopKOperands& f32, int64_t block_rows) : f32_(f32) {
  constexpr int64_t kStep = 32;  // elements that a matrix instruction takes from a row
  width_ = ceil_div(f32.database.cols + (f32.centred() ? 2 : 0), kStep) * kStep;
  queries_ = round(f32.queries, f32.centred() ? 0 : -1, query_norms_);
  std::vector<Norms> norms;
  database_ = round(f32.database, f32.centred() ? 1 : -1, norms);
  for (const Norms& n : norms)
    largest_ = {std::max(largest_.whole, n.whole), std::max(largest_.error, n.error), std::max(largest_.bias, n.bias),
                std::max(largest_.bias_error, n.bias_error)};
  blocks_ = Bf16Blocks({database_.data(), f32.database.rows, width_}, block_rows);
}

AlignedVector<bf16> TopKBf16::round(Matrix<const float> m, int64_t bias_at, std::vector<Norms>& norms) const {
  AlignedVector<bf16> out(static_cast<size_t>(m.rows * width_));
  norms.resize(static_cast<size_t>(m.rows));
  const int64_t dim = m.cols - (bias_at < 0 ? 0 : 2);
  parallel_for(m.rows, 256, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* x = m.data + i * m.cols;
      bf16* to = out.data() + i * width_;
      for (int64_t d = 0; d < dim; ++d) to[d] = rounded(x[d]);
      double whole = 0, error = 0;
#pragma omp simd reduction(+ : whole, error)
      for (int64_t d = 0; d < dim; ++d) {
        const double v = x[d], e = x[d] - widen(to[d]);  // exact in f32
        whole += v * v;
        error += e * e;
      }
      norms[i] = {.whole = std::sqrt(whole), .error = std::sqrt(error)};
      if (bias_at < 0) continue;
      const float bias = x[dim + bias_at];
      const bf16 high = rounded(bias), low = rounded(bias - widen(high));
      for (int64_t n = 0; n < 4; ++n) to[dim + n] = narrow(1);
      to[dim + 2 * bias_at] = high, to[dim + 2 * bias_at + 1] = low;
      norms[i].bias = std::abs(double{bias});
      norms[i].bias_error = std::abs(double{bias} - double{widen(high)} - double{widen(low)});
    }
  });
  return out;
}

// The f32 operands' distance from the scores, and the errors above. A sum of `width` products is within width 2^-23 of the sum
// of their magnitudes (gemm_bf16.h), and loses at most the smallest normal number at each step.
float TopKBf16::slack(int64_t q) const {
  const Norms &n = query_norms_[q], &x = largest_;
  const double terms = static_cast<double>(width_);
  const double magnitudes = (n.whole + n.error) * (x.whole + x.error) + 2 * (n.bias + x.bias);
  constexpr double kSafe = 1e37;  // below it no partial sum of a product can overflow
  if (!(magnitudes < kSafe)) return std::numeric_limits<float>::infinity();
  const double rounding = n.error * x.whole + (n.whole + n.error) * x.error + n.bias_error + x.bias_error;
  return f32_.slack(q) + static_cast<float>(1.01 * (rounding + terms * 0x1p-23 * magnitudes) + 4 * terms * 0x1p-126);
}

AlignedVector<bf16> TopKBf16::gather(const std::vector<int64_t>& queries) const {
  AlignedVector<bf16> out;
  for (const int64_t q : queries) out.insert(out.end(), query(q), query(q) + width_);
  return out;
}

}  // namespace kith::kernels::cpu
