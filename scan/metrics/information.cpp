// Scores of the agreement of two partitions: mutual information, adjusted mutual information, adjusted Rand index.
#include "scan/metrics/information.h"

#include <algorithm>
#include <cmath>

namespace kith {
namespace {

__extension__ using int128 = __int128;

// The table without its empty clusters and classes: partitions know no empty sets.
struct Partitions {
  int64_t n = 0;
  std::vector<int64_t> rows, cols;  // sizes, all positive
  struct Cell {
    size_t row, col;
    int64_t count;
  };
  std::vector<Cell> cells;  // count > 0

  explicit Partitions(const Contingency& table) {
    std::vector<int64_t> col_size(table.classes, 0);
    for (int c = 0; c < table.clusters; ++c)
      for (int k = 0; k < table.classes; ++k) col_size[k] += table.at(c, k);
    std::vector<size_t> col_index(table.classes, 0);
    for (int k = 0; k < table.classes; ++k) {
      col_index[k] = cols.size();
      if (col_size[k] > 0) cols.push_back(col_size[k]);
    }
    for (int c = 0; c < table.clusters; ++c) {
      int64_t size = 0;
      for (int k = 0; k < table.classes; ++k)
        if (const int64_t count = table.at(c, k); count > 0) {
          cells.push_back({rows.size(), col_index[k], count});
          size += count;
        }
      if (size > 0) rows.push_back(size);
      n += size;
    }
  }

  // The same sets on both sides (also when there are none).
  bool equal() const { return cells.size() == rows.size() && cells.size() == cols.size(); }
};

double entropy(const std::vector<int64_t>& sizes, int64_t n) {
  double h = 0;
  for (const int64_t size : sizes) {
    const double p = static_cast<double>(size) / static_cast<double>(n);
    h -= p * std::log(p);
  }
  return h;
}

double mutual_information(const Partitions& p) {
  const double n = static_cast<double>(p.n);
  double mi = 0;
  for (const auto& [row, col, count] : p.cells) {
    // Both products are exact integers up to 2^53: independent partitions give log(1), exactly 0.
    const double joint = n * static_cast<double>(count);
    const double product = static_cast<double>(p.rows[row]) * static_cast<double>(p.cols[col]);
    mi += static_cast<double>(count) / n * std::log(joint / product);
  }
  return std::max(mi, 0.0);
}

// Expectation of m / n log(n m / (a b)) for m hypergeometric: the overlap of a random a-set and a given b-set of n
// samples. Weights are walked from the mode both ways by their ratio and divided by their sum, which needs no
// factorial: lgamma loses n log(n) units of roundoff in the exponent, this loses one or two per step.
double expected_term(int64_t a, int64_t b, int64_t n) {
  const int64_t low = std::max<int64_t>(0, a + b - n), high = std::min(a, b);
  const auto mode_exact =
      static_cast<int64_t>((static_cast<double>(a) + 1) * (static_cast<double>(b) + 1) / (static_cast<double>(n) + 2));
  const int64_t mode = std::clamp(mode_exact, low, high);
  const double scale = static_cast<double>(n) / (static_cast<double>(a) * static_cast<double>(b));
  const auto value = [&](int64_t m) {
    return m == 0 ? 0 : static_cast<double>(m) * std::log(static_cast<double>(m) * scale);
  };
  // P(m + 1) / P(m)
  const auto ratio = [&](int64_t m) {
    return static_cast<double>(a - m) * static_cast<double>(b - m) /
           (static_cast<double>(m + 1) * static_cast<double>(n - a - b + m + 1));
  };
  constexpr double kNegligible = 1e-24;  // of the mode; what follows falls faster than geometrically
  double weights = 1, sum = value(mode);
  double w = 1;
  for (int64_t m = mode; m < high && w > kNegligible; ++m) {
    w *= ratio(m);
    weights += w;
    sum += w * value(m + 1);
  }
  w = 1;
  for (int64_t m = mode; m > low && w > kNegligible; --m) {
    w /= ratio(m - 1);
    weights += w;
    sum += w * value(m - 1);
  }
  return sum / weights / static_cast<double>(n);
}

// Vinh, Epps & Bailey 2010, Eq. 24a. Equal sizes are common (singletons, balanced classes): each pair is computed once.
double expected_mutual_information(const Partitions& p) {
  const auto distinct = [](std::vector<int64_t> sizes) {
    std::sort(sizes.begin(), sizes.end());
    std::vector<std::pair<int64_t, double>> runs;
    for (const int64_t size : sizes) {
      if (runs.empty() || runs.back().first != size) runs.emplace_back(size, 0);
      runs.back().second += 1;
    }
    return runs;
  };
  double sum = 0;
  const auto cols = distinct(p.cols);
  for (const auto& [a, times_a] : distinct(p.rows))
    for (const auto& [b, times_b] : cols) sum += times_a * times_b * expected_term(a, b, p.n);
  return sum;
}

}  // namespace

double normalized_mutual_information(const Contingency& table) {
  const Partitions p(table);
  if (p.equal()) return 1;
  const double mi = mutual_information(p);
  return mi == 0 ? 0 : mi / ((entropy(p.rows, p.n) + entropy(p.cols, p.n)) / 2);
}

double adjusted_mutual_information(const Contingency& table) {
  const Partitions p(table);
  if (p.equal()) return 1;
  if (p.rows.size() == 1 || p.cols.size() == 1) return 0;
  // E[MI] equals the mean entropy only when MI is always largest, that is between equal partitions, handled above.
  const double expected = expected_mutual_information(p);
  return (mutual_information(p) - expected) / ((entropy(p.rows, p.n) + entropy(p.cols, p.n)) / 2 - expected);
}

double adjusted_rand_index(const Contingency& table) {
  const Partitions p(table);
  if (p.equal()) return 1;
  // Ordered pairs of samples, as 128-bit integers: products of pair counts overflow 64 bits from n = 55,110 on.
  int128 both = 0, rows = 0, cols = 0;
  const auto pairs = [](int64_t size) { return static_cast<int128>(size) * (size - 1); };
  for (const auto& cell : p.cells) both += pairs(cell.count);
  for (const int64_t size : p.rows) rows += pairs(size);
  for (const int64_t size : p.cols) cols += pairs(size);
  const int128 all = pairs(p.n);
  // (both - rows cols / all) / ((rows + cols) / 2 - rows cols / all), times 2 all on both sides
  const int128 numerator = 2 * (both * all - rows * cols);
  const int128 denominator = (rows + cols) * all - 2 * rows * cols;
  return static_cast<double>(numerator) / static_cast<double>(denominator);
}

}  // namespace kith
