#include "scan/metrics/agreement.h"

#include <cmath>
#include <map>

#include "kernels/core/philox.h"
#include "tests/support/compare.h"

namespace kith::test {
namespace {

using Answer = std::vector<int32_t>;

template <class K>
double entropy_of(const std::map<K, double>& counts, double n) {
  double h = 0;
  for (const auto& [key, count] : counts) h -= count / n * std::log(count / n);
  return h;
}

// 2 (H(a) + H(b) - H(a, b)) / (H(a) + H(b)), from counts.
double nmi_of(const Answer& a, const Answer& b) {
  std::map<int32_t, double> of_a, of_b;
  std::map<std::pair<int32_t, int32_t>, double> of_both;
  for (size_t i = 0; i < a.size(); ++i) ++of_a[a[i]], ++of_b[b[i]], ++of_both[{a[i], b[i]}];
  const double n = static_cast<double>(a.size()), ha = entropy_of(of_a, n), hb = entropy_of(of_b, n);
  return 2 * (ha + hb - entropy_of(of_both, n)) / (ha + hb);
}

TEST(AgreementOfAnswers, IsTheMeanOverPairs) {
  std::vector<Answer> answers(3);
  for (int i = 0; i < 60; ++i) {
    Random random(5, 0, static_cast<uint64_t>(i), 0);
    const auto c = static_cast<int32_t>(random.below(4));
    answers[0].push_back(c);
    answers[1].push_back(random.below(3) == 0 ? 2 : c);
    answers[2].push_back(static_cast<int32_t>(random.below(5)));
  }
  const double want =
      (nmi_of(answers[0], answers[1]) + nmi_of(answers[0], answers[2]) + nmi_of(answers[1], answers[2])) / 3;
  EXPECT_NEAR(*mean_pairwise_nmi(answers), want, 1e-13);  // sums of at most 20 terms below 2 in f64
  EXPECT_GT(want, 0.1);
  EXPECT_LT(want, 0.9);
}

TEST(AgreementOfAnswers, NamesOfClustersDoNotMatter) {
  const Answer a = {0, 0, 1, 1, 2, 2}, renamed = {2, 2, 0, 0, 1, 1}, crossed = {0, 1, 0, 1, 0, 1};
  EXPECT_NEAR(*mean_pairwise_nmi({a, renamed}), 1, 1e-15);
  EXPECT_NEAR(*mean_pairwise_nmi({a, crossed}), 0, 1e-15);
  EXPECT_FALSE(mean_pairwise_nmi({a}));
  EXPECT_FALSE(mean_pairwise_nmi({}));
}

}  // namespace
}  // namespace kith::test
