#include "scan/metrics/silhouette.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/core/check.h"
#include "kernels/core/parallel.h"
#include "kernels/gemm.h"

namespace kith {
namespace {

constexpr int64_t kRowsAtATime = 64, kColumns = 1024;  // of one product

// Where a squared distance is less than this share of the two squared lengths, the product's rounding is too much of it: it is
// taken from the rows themselves.
constexpr double kCancelled = 0x1p-10;

double squared_distance(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t d = 0; d < a.size(); ++d) sum += (double{a[d]} - b[d]) * (double{a[d]} - b[d]);
  return sum;
}

std::vector<float> centred(const Matrix<const float>& rows) {
  std::vector<double> mean(static_cast<size_t>(rows.cols));
  for (int64_t i = 0; i < rows.rows; ++i)
    for (int64_t c = 0; c < rows.cols; ++c) mean[c] += rows.row(i)[c] / static_cast<double>(rows.rows);
  std::vector<float> out(static_cast<size_t>(rows.size()));
  for (int64_t i = 0; i < rows.size(); ++i) out[i] = static_cast<float>(rows.data[i] - mean[i % rows.cols]);
  return out;
}

struct Problem {
  Matrix<const float> x;
  std::vector<double> square;  // of each row's length
  std::span<const int32_t> labels;
  std::vector<int64_t> sizes;
};

// s_i of rows begin .. end - 1.
void silhouettes_of(const Problem& p, int64_t begin, int64_t end, double* out) {
  const size_t clusters = p.sizes.size();
  std::vector<double> sums(static_cast<size_t>(end - begin) * clusters);  // of distances, to each cluster
  std::vector<float> products(static_cast<size_t>((end - begin) * kColumns));
  for (int64_t first = 0; first < p.x.rows; first += kColumns) {
    const int64_t count = std::min(kColumns, p.x.rows - first);
    kernels::gemm(kernels::Op::none, kernels::Op::transpose, end - begin, count, p.x.cols, 1, p.x.row(begin).data(),
                  p.x.cols, p.x.row(first).data(), p.x.cols, 0, products.data(), count);
    for (int64_t i = begin; i < end; ++i)
      for (int64_t j = first; j < first + count; ++j) {
        if (i == j) continue;
        const double lengths = p.square[i] + p.square[j];
        double d2 = lengths - 2 * double{products[(i - begin) * count + j - first]};
        if (d2 < kCancelled * lengths) d2 = squared_distance(p.x.row(i), p.x.row(j));
        sums[static_cast<size_t>(i - begin) * clusters + p.labels[j]] += std::sqrt(d2);
      }
  }
  for (int64_t i = begin; i < end; ++i) {
    const double* of = sums.data() + static_cast<size_t>(i - begin) * clusters;
    const auto own = static_cast<size_t>(p.labels[i]);
    double b = std::numeric_limits<double>::infinity();
    for (size_t k = 0; k < clusters; ++k)
      if (k != own && p.sizes[k] > 0) b = std::min(b, of[k] / static_cast<double>(p.sizes[k]));
    const double a = of[own] / static_cast<double>(std::max<int64_t>(p.sizes[own] - 1, 1));
    out[i] = p.sizes[own] == 1 || std::max(a, b) == 0 ? 0 : (b - a) / std::max(a, b);
  }
}

}  // namespace

std::optional<Silhouette> silhouette(const Matrix<const float>& rows, std::span<const int32_t> labels, int clusters) {
  check(rows.rows == static_cast<int64_t>(labels.size()), "silhouette: one label per row expected");
  const std::vector<float> values = centred(rows);
  Problem p{.x = {values.data(), rows.rows, rows.cols}, .square = {}, .labels = labels, .sizes = {}};
  p.sizes.resize(static_cast<size_t>(clusters));
  for (const int32_t label : labels) {
    check(label >= 0 && label < clusters, "silhouette: a label out of range");
    ++p.sizes[label];
  }
  const auto used = std::ranges::count_if(p.sizes, [](int64_t n) { return n > 0; });
  if (used < 2 || used == rows.rows) return std::nullopt;
  for (int64_t i = 0; i < rows.rows; ++i) {
    double square = 0;
    for (const float v : p.x.row(i)) square += double{v} * v;
    p.square.push_back(square);
  }
  std::vector<double> each(labels.size());
  parallel_for(rows.rows, kRowsAtATime,
               [&](int64_t begin, int64_t end) { silhouettes_of(p, begin, end, each.data()); });
  Silhouette out;
  std::vector<double> sums(p.sizes.size());
  for (size_t i = 0; i < each.size(); ++i) {
    out.mean += each[i] / static_cast<double>(each.size());
    sums[labels[i]] += each[i];
  }
  for (size_t k = 0; k < sums.size(); ++k)
    out.per_cluster.push_back(p.sizes[k] > 0 ? std::optional(sums[k] / static_cast<double>(p.sizes[k])) : std::nullopt);
  return out;
}

}  // namespace kith
