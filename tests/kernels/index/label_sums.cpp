#include "kernels/index/label_sums.h"

#include <omp.h>

#include "kernels/core/check.h"
#include "kernels/core/philox.h"
#include "tests/support/compare.h"

namespace kith::test {
namespace {

using namespace kernels;

struct Totals {
  std::vector<double> sums;
  std::vector<int64_t> counts;
  bool operator==(const Totals&) const = default;
};

struct Problem {
  HostMatrix<float> x;
  std::vector<int32_t> labels;
  int64_t groups;

  // Most rows have the last label.
  Problem(int64_t rows, int64_t dim, int64_t labels_wanted)
      : x(normal_rows(rows, dim, Seed{11})), groups(labels_wanted) {
    Random random(12, 0, 0, 0);
    for (int64_t i = 0; i < rows; ++i)
      labels.push_back(random.below(3) > 0 ? static_cast<int32_t>(groups - 1)
                                           : static_cast<int32_t>(random.below(static_cast<uint32_t>(groups))));
  }

  // Sums begin at values of which the last bits count.
  Totals start() const {
    Totals t{.sums = std::vector<double>(static_cast<size_t>(groups * x.cols)),
             .counts = std::vector<int64_t>(static_cast<size_t>(groups), 5)};
    for (size_t i = 0; i < t.sums.size(); ++i) t.sums[i] = 1 / (3 + static_cast<double>(i));
    return t;
  }
  void add(Totals& t, int64_t first, int64_t rows) const {
    add_label_sums({.x = {x.values.data() + first * x.cols, rows, x.cols},
                    .labels = std::span(labels).subspan(static_cast<size_t>(first), static_cast<size_t>(rows)),
                    .sums = {t.sums.data(), groups, x.cols},
                    .counts = t.counts},
                   Queue{});
  }
  Totals got() const {
    Totals t = start();
    add(t, 0, x.rows);
    return t;
  }
  Totals want() const {
    Totals t = start();
    for (int64_t i = 0; i < x.rows; ++i) {
      ++t.counts[labels[i]];
      for (int64_t j = 0; j < x.cols; ++j) t.sums[labels[i] * x.cols + j] += x.values[i * x.cols + j];
    }
    return t;
  }
};

// Bits: the order of a plain loop is part of the contract. Columns around a tile of 64.
TEST(LabelSums, AreThoseOfAPlainLoop) {
  for (const int64_t rows : {0, 1, 2, 300, 5000})
    for (const int64_t dim : {1, 63, 64, 65, 200})
      for (const int64_t groups : {1, 3, 40}) {
        const Problem p(rows, dim, groups);
        EXPECT_EQ(p.got(), p.want()) << rows << " x " << dim << ", " << groups << " labels";
      }
}

TEST(LabelSums, OfPiecesAreThoseOfTheWhole) {
  const Problem p(700, 65, 4);
  Totals t = p.start();
  for (const int64_t first : {0, 1, 300}) p.add(t, first, first == 0 ? 1 : first == 1 ? 299 : 400);
  EXPECT_EQ(t, p.want());
}

TEST(LabelSums, SameBitsForAnyNumberOfThreads) {
  const Problem p(3000, 130, 5);
  const int threads = omp_get_max_threads();
  for (const int n : {1, 2, 3, 8}) {
    omp_set_num_threads(n);
    EXPECT_EQ(p.got(), p.want()) << n << " threads";
  }
  omp_set_num_threads(threads);
}

TEST(LabelSums, BadInputIsNamed) {
  Problem p(3, 2, 2);
  Totals t = p.start();
  p.labels[1] = 2;
  EXPECT_THROW(p.add(t, 0, 3), Error);
  p.labels[1] = -1;
  EXPECT_THROW(p.add(t, 0, 3), Error);
  EXPECT_EQ(t, p.start());
  t.counts.pop_back();
  p.labels[1] = 0;
  EXPECT_THROW(p.add(t, 0, 3), Error);
}

}  // namespace
}  // namespace kith::test
