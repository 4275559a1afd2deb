#include "kernels/cpu/topk_operands.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/core/check.h"
#include "kernels/core/parallel.h"

namespace kith::kernels::cpu {
namespace {

// The mean of up to 1,024 rows: any vector near the rows serves.
std::vector<float> mean_of(Matrix<const float> m) {
  const int64_t step = ceil_div(m.rows, 1024);
  std::vector<double> sum(m.cols);
  for (int64_t i = 0; i < m.rows; i += step)
    for (int64_t d = 0; d < m.cols; ++d) sum[d] += double{m.row(i)[d]};
  const double rows = static_cast<double>(ceil_div(m.rows, step));
  std::vector<float> mean(m.cols);
  for (int64_t d = 0; d < m.cols; ++d) mean[d] = static_cast<float>(sum[d] / rows);
  return mean;
}

// Rows [x - m, 1, b] or, of queries, [x - m, b, 1].
std::vector<float> without_mean(Matrix<const float> rows, const std::vector<float>& mean, int64_t bias_at) {
  const int64_t dim = rows.cols;
  std::vector<float> out(static_cast<size_t>(rows.rows * (dim + 2)));
  parallel_for(rows.rows, 1024, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* x = rows.data + i * dim;
      float* to = out.data() + i * (dim + 2);
      double bias = 0;
      for (int64_t d = 0; d < dim; ++d) {
        const double rest = double{x[d]} - double{mean[d]};
        to[d] = static_cast<float>(rest);
        bias += double{mean[d]} * rest;
      }
      to[dim] = to[dim + 1] = 1;
      to[dim + bias_at] = static_cast<float>(bias);
    }
  });
  return out;
}

}  // namespace

TopKOperands::Norms TopKOperands::larger(const Norms& a, const Norms& b) {
  return {std::max(a.whole, b.whole), std::max(a.rest, b.rest), std::max(a.bias, b.bias)};
}

TopKOperands::TopKOperands(const TopK<float>& a)
    : queries(a.queries), database(a.database), mean_(mean_of(a.database)) {
  const auto norms = [&](Matrix<const float> m, const char* what) {
    std::vector<Norms> out(static_cast<size_t>(m.rows));
    parallel_for(m.rows, 1024, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const float *x = m.data + i * m.cols, *mean = mean_.data();
        double whole = 0, rest = 0, bias = 0;
#pragma omp simd reduction(+ : whole, rest, bias)
        for (int64_t d = 0; d < m.cols; ++d) {
          const double v = x[d], r = v - double{mean[d]};
          whole += v * v;
          rest += r * r;
          bias += double{mean[d]} * r;
        }
        if (!std::isfinite(whole))
          throw Error(fmt::format("topk: {} row {} holds a value that is not finite", what, i));
        out[i] = {std::sqrt(whole), std::sqrt(rest), std::abs(bias)};
      }
    });
    return out;
  };
  query_norms_ = norms(a.queries, "query");
  for (const Norms& n : norms(a.database, "database")) largest_ = larger(largest_, n);
  centre(a);
}

void TopKOperands::centre(const TopK<float>& a) {
  const double whole = largest_.whole * largest_.whole, rest = largest_.rest * largest_.rest + 2 * largest_.bias;
  if (!(rest < whole / 4)) {  // also where the mean is not finite
    mean_.clear();
    largest_.rest = largest_.whole, largest_.bias = 0;
    for (Norms& n : query_norms_) n.rest = n.whole, n.bias = 0;
    return;
  }
  for (const float m : mean_) offset += double{m} * double{m};
  mean_norm_ = std::sqrt(offset);
  query_copy_ = without_mean(a.queries, mean_, 0);
  database_copy_ = without_mean(a.database, mean_, 1);
  queries = {query_copy_.data(), a.queries.rows, a.queries.cols + 2};
  database = {database_copy_.data(), a.database.rows, a.database.cols + 2};
}

// In any order of summation |product - dot| <= terms u sum |a_d b_d| (Higham, Accuracy and Stability, 3.1), u = 2^-24, and the
// operands are rounded to f32: three u more. Underflow, of operands or products, loses at most the smallest normal number for
// each. The score, the offset and the biases are sums of terms in double.
float TopKOperands::slack(int64_t q) const {
  const Norms &n = query_norms_[q], &x = largest_;
  const double terms = static_cast<double>(queries.cols), product = n.rest * x.rest + n.bias + x.bias;
  constexpr double kSafe = 1e37;  // below it no partial sum of a product can overflow
  if (!(product < kSafe)) return std::numeric_limits<float>::infinity();
  const double in_double = n.whole * x.whole + mean_norm_ * (n.rest + x.rest + mean_norm_);
  return static_cast<float>(1.01 * ((terms + 4) * 0x1p-24 * product + 2 * (terms + 8) * 0x1p-53 * in_double) +
                            terms * 0x1p-126 * (1 + n.rest + x.rest));
}

}  // namespace kith::kernels::cpu
