#include "scan/metrics/contingency.h"

#include "scan/metrics/information.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"

namespace kith::test {
namespace {

using Ints = std::vector<int32_t>;

// The label arrays that give this table of counts.
void expand(std::span<const int64_t> counts, int64_t classes, Ints& assignments, Ints& labels) {
  for (size_t cell = 0; cell < counts.size(); ++cell) {
    assignments.insert(assignments.end(), counts[cell], static_cast<int32_t>(cell / classes));
    labels.insert(labels.end(), counts[cell], static_cast<int32_t>(cell % classes));
  }
}

TEST(Metrics, ScoresEqualScikitLearns) {
  const SafeTensors file = golden("metrics");
  int cases = 0;
  for (const auto& [key, array] : file.arrays) {
    if (!key.starts_with("table/")) continue;
    ++cases;
    const std::string name = key.substr(6);
    const double clusters = static_cast<double>(array.shape[0]), classes = static_cast<double>(array.shape[1]);
    Ints assignments, labels;
    expand(values<int64_t>(file, key), array.shape[1], assignments, labels);
    const Contingency table = contingency(assignments, labels, static_cast<int>(clusters), static_cast<int>(classes));
    const Scores got = score(table);
    const auto want = values<double>(file, "scores/" + name);
    const double u = 0x1p-53, n = static_cast<double>(labels.size());
    EXPECT_EQ(got.acc, want[0]) << name;
    EXPECT_EQ(got.acc_many_to_one, want[1]) << name;
    EXPECT_NEAR(got.ari, want[3], 8 * u) << name;
    // Both sides sum logarithms of at most log n with weights that sum to 1, and divide by the mean entropy.
    const auto scale = values<double>(file, "scale/" + name);
    const double entropy = std::max(scale[0], u), expected = scale[1];
    const double information_error = 4 * u * (clusters * classes + std::log(n));
    EXPECT_NEAR(got.nmi, want[2], information_error / entropy) << name;
    // scikit-learn's expectation exponentiates a sum of nine lgammas, each of at most n log n.
    const double expected_error = 9 * u * n * std::log(n) * expected;
    EXPECT_NEAR(got.ami, want[4], 2 * (information_error + expected_error) / std::max(entropy - expected, u)) << name;
    EXPECT_EQ(want[3] == 1, got.nmi == 1 && got.ari == 1 && got.ami == 1) << name;  // equal partitions: exactly 1
  }
  EXPECT_EQ(cases, 19);
}

TEST(Metrics, ScoresDoNotDependOnNamesOrEmptyClusters) {
  const Ints a = {0, 0, 1, 1, 2, 2, 2, 0}, y = {1, 1, 0, 0, 0, 2, 2, 2};
  const Ints renamed = {5, 5, 3, 3, 0, 0, 0, 5};
  const Scores want = score(contingency(a, y)), got = score(contingency(renamed, y, 9, 7));
  EXPECT_EQ(got.acc, want.acc);
  EXPECT_EQ(got.acc_many_to_one, want.acc_many_to_one);
  EXPECT_NEAR(got.nmi, want.nmi, 1e-15);
  EXPECT_NEAR(got.ami, want.ami, 1e-15);
  EXPECT_EQ(got.ari, want.ari);
}

TEST(Metrics, NumbersWithGapsBecomeRanks) {
  const std::vector<int64_t> ids = {7, -1, int64_t{1} << 40, 7, 0};
  const Numbered n = numbered(ids);
  EXPECT_EQ(n.ids, (std::vector<int64_t>{-1, 0, 7, int64_t{1} << 40}));
  EXPECT_EQ(n.of, (Ints{2, 0, 3, 2, 1}));
  EXPECT_TRUE(numbered({}).ids.empty());
}

// Noise is a cluster where partitions are compared, and wrong where clusters are matched to classes.
TEST(Metrics, NoiseIsMatchedToNoClass) {
  for (const int clusters : {2, 4}) {  // beside the noise, with fewer and with more than the three classes
    Contingency table{.clusters = clusters + 1, .classes = 3, .counts = {0, 9, 0}};  // most of class 1 is noise
    for (int c = 0; c < clusters; ++c)
      for (int k = 0; k < 3; ++k) table.counts.push_back(c % 3 == k ? 5 : 1);
    const Contingency all = table;
    table.noise = 0;
    const Contingency rest{
        .clusters = clusters, .classes = 3, .counts = {table.counts.begin() + 3, table.counts.end()}};
    const double share = static_cast<double>(rest.total()) / static_cast<double>(table.total());
    for (const auto match : {match_one_to_one, match_majority}) {
      std::vector<int> want = match(rest).class_of;
      want.insert(want.begin(), -1);
      EXPECT_EQ(match(table).class_of, want) << clusters;
      EXPECT_DOUBLE_EQ(match(table).accuracy, match(rest).accuracy * share) << clusters;
    }
    EXPECT_EQ(score(table).nmi, score(all).nmi);
    EXPECT_EQ(score(table).ari, score(all).ari);
    EXPECT_EQ(score(table).ami, score(all).ami);
  }
  // A cluster that shares no sample with the class left over comes before noise.
  const Contingency tie{.clusters = 3, .classes = 2, .counts = {1, 9, 5, 0, 3, 0}, .noise = 0};
  EXPECT_EQ(match_one_to_one(tie).class_of, (std::vector<int>{-1, 0, 1}));
}

TEST(Metrics, ExpectedInformationOfTwoHalvesByHand) {
  // Two clusters of 2 in n = 4: overlap 0, 1, 2 with probabilities 1/6, 4/6, 1/6; E[MI] = 4 (1/6) (2/4) log 2 = log(2)
  // / 3. MI of the opposed table is 0, both entropies are log 2: AMI = -(1/3) / (2/3).
  const Ints a = {0, 0, 1, 1}, y = {0, 1, 0, 1};
  EXPECT_NEAR(adjusted_mutual_information(contingency(a, y)), -0.5, 4 * 0x1p-53);
  EXPECT_EQ(normalized_mutual_information(contingency(a, y)), 0);
  EXPECT_NEAR(adjusted_rand_index(contingency(a, y)), -0.5, 0x1p-53);
}

TEST(Metrics, NoSamplesIsAPerfectMatchOfNothing) {
  const Contingency none = contingency({}, {}, 3, 2);
  EXPECT_EQ(score(none).nmi, 1);  // scikit-learn's convention
  EXPECT_EQ(score(none).ari, 1);
  EXPECT_EQ(score(none).ami, 1);
  EXPECT_EQ(score(none).acc, 0);
}

TEST(Metrics, RandIndexOfAHugeTableDoesNotOverflow) {
  // n = 2e9: pair counts near 2^62, their products near 2^124. Two blocks that agree but for one sample in a million.
  const int64_t half = 1'000'000'000, off = 1000;
  const Contingency table{2, 2, {half - off, off, off, half - off}};
  const double e =
      static_cast<double>(off) / static_cast<double>(half);  // share of errors: ARI = (1 - 2e)^2, n -> infinity
  EXPECT_NEAR(adjusted_rand_index(table), (1 - 2 * e) * (1 - 2 * e), 4 / (2.0 * static_cast<double>(half)));
}

TEST(Metrics, MatchingMoreAndFewerClustersThanClasses) {
  const Contingency more = contingency(Ints{0, 0, 1, 2, 2, 3}, Ints{0, 0, 0, 1, 1, 1}, 5);
  const Matching one = match_one_to_one(more), many = match_majority(more);
  EXPECT_EQ(one.class_of, (std::vector<int>{0, -1, 1, -1, -1}));
  EXPECT_DOUBLE_EQ(one.accuracy, 4.0 / 6);
  EXPECT_EQ(many.class_of, (std::vector<int>{0, 0, 1, 1, -1}));
  EXPECT_EQ(many.accuracy, 1);
  const Contingency fewer = contingency(Ints{0, 0, 0}, Ints{0, 1, 1});
  EXPECT_EQ(match_one_to_one(fewer).class_of, (std::vector<int>{1}));
  EXPECT_DOUBLE_EQ(match_one_to_one(fewer).accuracy, 2.0 / 3);
}

TEST(Metrics, TopKCountsRanksAndBreaksTiesByIndex) {
  const HostMatrix<float> p = [] {
    HostMatrix<float> m(4, 3);
    m.values = {0.5f, 0.3f, 0.2f, 0.2f, 0.5f, 0.3f, 0.4f, 0.4f, 0.2f, 0.f, 0.5f, 0.5f};
    return m;
  }();
  const Matching matching{.class_of = {2, 0, 1}};
  const Ints labels = {2, 1, 0, 1};  // ranks 0, 1, 1 (tie with a lower index), 1 (tie)
  EXPECT_DOUBLE_EQ(top_k_accuracy(p.view(), labels, matching, 1), 0.25);
  EXPECT_DOUBLE_EQ(top_k_accuracy(p.view(), labels, matching, 2), 1);
  EXPECT_DOUBLE_EQ(top_k_accuracy(p.view(), labels, matching, 5), 1);  // fewer clusters than k
  EXPECT_DOUBLE_EQ(top_k_accuracy(p.view(), Ints{7, 7, 7, 7}, matching, 5), 0);
  EXPECT_THROW(top_k_accuracy(p.view(), Ints{0}, matching, 1), Error);
  EXPECT_THROW(top_k_accuracy(p.view(), labels, Matching{.class_of = {0}}, 1), Error);
}

TEST(Metrics, ClusterReport) {
  const Contingency table = contingency(Ints{0, 0, 0, 2}, Ints{1, 1, 0, 0}, 3);
  const auto report = cluster_report(table, match_one_to_one(table));
  EXPECT_EQ(report[0].size, 3);
  EXPECT_EQ(report[0].cls, 1);
  EXPECT_DOUBLE_EQ(report[0].purity, 2.0 / 3);
  EXPECT_EQ(report[0].most, 1);
  EXPECT_DOUBLE_EQ(report[0].share, 2.0 / 3);
  EXPECT_EQ(report[1].size, 0);
  EXPECT_EQ(report[1].most, -1);
  EXPECT_EQ(report[1].purity, 0);
  EXPECT_EQ(report[2].cls, 0);
}

TEST(Metrics, BadInputIsNamed) {
  const auto message = [](const Ints& a, const Ints& y, int clusters = 0, int classes = 0) -> std::string {
    try {
      contingency(a, y, clusters, classes);
      return "";
    } catch (const Error& e) {
      return e.what();
    }
  };
  EXPECT_EQ(message({0, 1}, {0}), "2 assignments but 1 labels");
  EXPECT_EQ(message({0, 1}, {0, -3}), "labels[1] is -3; expected 0 or more");
  EXPECT_EQ(message({0, 4}, {0, 0}, 3), "assignments[1] is 4; expected less than 3");
  EXPECT_EQ(message({2000000000}, {2000000000}), "a table of 2000000001 clusters x 2000000001 classes is too large");
}

}  // namespace
}  // namespace kith::test
