#include "scan/metrics/evaluation.h"

#include <fmt/format.h>

#include "kernels/core/check.h"
#include "scan/text/table.h"
#include "tests/support/compare.h"

namespace kith::test {
namespace {

using Ints = std::vector<int32_t>;

const Ints kAssignments = {0, 0, 0, 1, 1, 3}, kLabels = {1, 1, 0, 0, 0, 2};

HostMatrix<float> probabilities() {
  HostMatrix<float> p(6, 4, 0.1f);
  for (int64_t i = 0; i < 6; ++i) p.view().row(i)[kAssignments[i]] = 0.7f;
  for (int64_t c = 0; c < 4; ++c) p.view().row(5)[c] = c == 3 ? 1.f : 0.f;
  return p;
}

std::string message(const EvaluationInput& in) {
  try {
    evaluate_clustering(in);
    return "";
  } catch (const Error& e) {
    return e.what();
  }
}

TEST(Evaluation, JsonHoldsEveryScore) {
  const HostMatrix<float> p = probabilities();
  const Evaluation e = evaluate_clustering({.assignments = kAssignments,
                                            .labels = kLabels,
                                            .probabilities = p.view(),
                                            .class_names = {"a", "b, \"c\"", "d"}});
  const nlohmann::json j = to_json(e);
  EXPECT_EQ(j["n"], 6);
  EXPECT_EQ(j["clusters"], 4);  // the columns of the probabilities
  EXPECT_EQ(j["classes"], 3);
  EXPECT_DOUBLE_EQ(j["acc"], 5.0 / 6);
  EXPECT_DOUBLE_EQ(j["acc_many_to_one"], 5.0 / 6);
  const Scores s = score(contingency(kAssignments, kLabels));
  EXPECT_DOUBLE_EQ(j["nmi"], s.nmi);
  EXPECT_DOUBLE_EQ(j["ari"], s.ari);
  EXPECT_DOUBLE_EQ(j["ami"], s.ami);
  EXPECT_EQ(j["top5"], 1.0);
  EXPECT_EQ(j["matching"].dump(), "[1,0,null,2]");
  EXPECT_EQ(j["confusion"].dump(), "[[1,2,0],[2,0,0],[0,0,0],[0,0,1]]");
  EXPECT_EQ(j["empty_clusters"].dump(), "[2]");
  EXPECT_EQ(j["per_cluster"][0]["size"], 3);
  EXPECT_DOUBLE_EQ(j["per_cluster"][0]["purity"], 2.0 / 3);
  EXPECT_EQ(j["per_cluster"][0]["most_frequent"], 1);
  for (const char* key : {"class_share", "most_frequent", "purity"})
    EXPECT_TRUE(j["per_cluster"][2][key].is_null()) << key;  // of no sample
  EXPECT_NEAR(j["per_cluster"][0]["mean_confidence"], 0.7, kUnit);
  EXPECT_EQ(j["per_cluster"][3]["mean_confidence"], 1.0);
  EXPECT_EQ(j["per_cluster"][2]["mean_confidence"], 0.0);
  EXPECT_EQ(confusion_csv(e),
            "cluster,class,size,a,\"b, \"\"c\"\"\",d\n"
            "0,\"b, \"\"c\"\"\",3,1,2,0\n1,a,2,2,0,0\n2,,0,0,0,0\n3,d,1,0,0,1\n");
}

// Cluster 1 is matched to class 0, which cluster 0 leaves, though most of it is of class 1.
TEST(Evaluation, TheMatchedClassNeedNotBeTheMostFrequent) {
  const Ints assignments = {0, 0, 0, 1, 1, 1}, labels = {1, 1, 1, 1, 1, 0};
  const nlohmann::json c =
      to_json(evaluate_clustering({.assignments = assignments, .labels = labels}))["per_cluster"][1];
  EXPECT_EQ(c["class"], 0);
  EXPECT_DOUBLE_EQ(c["class_share"], 1.0 / 3);
  EXPECT_EQ(c["most_frequent"], 1);
  EXPECT_DOUBLE_EQ(c["purity"], 2.0 / 3);
}

TEST(Evaluation, WithoutProbabilitiesNeitherTopFiveNorConfidence) {
  const nlohmann::json j = to_json(evaluate_clustering({.assignments = kAssignments, .labels = kLabels}));
  EXPECT_FALSE(j.contains("top5"));
  EXPECT_FALSE(j["per_cluster"][0].contains("mean_confidence"));
  EXPECT_EQ(j["class_names"].dump(), R"(["0","1","2"])");
}

// One sample, samples of one class, a clustering that has collapsed on them: every score would be 1 or 0 of nothing.
TEST(Evaluation, LabelsOfOneClassGiveNoScores) {
  const Ints zero = {0}, collapsed = {0, 0, 0, 0, 0, 0}, constant = {3, 3, 3, 3, 3, 3};
  for (const auto& [assignments, labels] : {std::pair{zero, zero}, {collapsed, constant}, {kAssignments, constant}}) {
    HostMatrix<float> p(static_cast<int64_t>(labels.size()), 4, 0.25f);
    const Evaluation e = evaluate_clustering({.assignments = assignments, .labels = labels, .probabilities = p.view()});
    EXPECT_FALSE(e.scores);
    const nlohmann::json j = to_json(e);
    EXPECT_EQ(j["labelled"], false);
    for (const char* key : {"acc", "acc_many_to_one", "nmi", "ari", "ami", "top5", "matching", "confusion"})
      EXPECT_FALSE(j.contains(key)) << key;
    for (const auto& cluster : j["per_cluster"]) {
      EXPECT_FALSE(cluster.contains("purity") || cluster.contains("class"));
      EXPECT_TRUE(cluster.contains("size") && cluster.contains("mean_confidence"));
    }
    ASSERT_EQ(e.warnings.size(), 1u);
    EXPECT_EQ(e.warnings[0],
              fmt::format("all {} labels are {}: there is nothing to compare a clustering with, and scores "
                          "are left out",
                          labels.size(), labels[0]));
  }
  EXPECT_EQ(to_text(evaluate_clustering({.assignments = kAssignments, .labels = constant, .class_ids = {0, 1, 2, 3}})),
            "6 samples, 4 clusters, 4 classes\n\n"
            "  cluster  size\n"
            "  -------------\n"
            "  0           3\n"
            "  1           2\n"
            "  2           0\n"
            "  3           1\n\n"
            "1 of 4 clusters is empty: 2\n");
  const Ints two = {0, 0, 0, 0, 0, 1};  // the collapsed clustering against labels: scores, and poor ones
  const Evaluation scored = evaluate_clustering({.assignments = collapsed, .labels = two});
  ASSERT_TRUE(scored.scores);
  EXPECT_EQ(scored.scores->nmi, 0);
  EXPECT_EQ(scored.scores->ari, 0);
  EXPECT_TRUE(scored.warnings.empty());
}

// Ids as the caller's files have them, and samples that belong to no cluster.
TEST(Evaluation, ReportsIdsAndNoise) {
  const std::vector<int64_t> assignments = {-1, 40, 40, 1'000'000, -1, 40}, labels = {9, 3, 3, 9, 3, 9};
  const Numbered clusters = numbered(assignments), classes = numbered(labels);
  const Evaluation e = evaluate_clustering(
      {.assignments = clusters.of, .labels = classes.of, .cluster_ids = clusters.ids, .class_ids = classes.ids});
  const nlohmann::json j = to_json(e);
  EXPECT_EQ(j["clusters"], 2);
  EXPECT_EQ(j["classes"], 2);
  EXPECT_EQ(j["noise"], 2);
  EXPECT_EQ(j["cluster_ids"].dump(), "[-1,40,1000000]");
  EXPECT_EQ(j["class_names"].dump(), R"(["3","9"])");
  EXPECT_EQ(j["matching"].dump(), "[null,3,9]");
  EXPECT_DOUBLE_EQ(j["acc"], 3.0 / 6);
  EXPECT_DOUBLE_EQ(j["acc_many_to_one"], 3.0 / 6);
  EXPECT_EQ(j["per_cluster"][2]["cluster"], 1'000'000);
  EXPECT_EQ(j["per_cluster"][2]["class"], 9);
  EXPECT_EQ(j["empty_clusters"].dump(), "[]");
  EXPECT_EQ(confusion_csv(e), "cluster,class,size,3,9\n-1,,2,1,1\n40,3,3,2,1\n1000000,9,1,0,1\n");
  const std::string text = to_text(e);
  EXPECT_TRUE(text.starts_with("6 samples, 2 clusters, 2 classes; 2 samples are noise, in no cluster\n")) << text;
  EXPECT_NE(
      text.find("  -1 noise      2    50.0  1  1\n  40 3          3    66.7  2  1\n  1000000 9     1   100.0  0  1\n"),
      std::string::npos)
      << text;
}

TEST(Evaluation, DoubtfulProbabilitiesAreWarnedOf) {
  HostMatrix<float> p(6, 4, 0.1f);
  for (int64_t i = 0; i < 6; ++i) p.view().row(i)[kAssignments[i]] = 0.7f;
  const EvaluationInput in{.assignments = kAssignments, .labels = kLabels, .probabilities = p.view()};
  EXPECT_TRUE(evaluate_clustering(in).warnings.empty());
  p.values[1] = -0x1p-7f, p.values[0] = 0.8f + 0x1p-7f;  // the slack of the values; the sum is 1
  p.values[4] = 0.7f - 0x1p-8f;                          // half of the slack of a sum
  EXPECT_TRUE(evaluate_clustering(in).warnings.empty());
  p.values[4] = 0.72f;
  std::vector<std::string> warnings = evaluate_clustering(in).warnings;
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("1 of 6 rows of probabilities do not sum to 1 (row 1: 1.02)"), std::string::npos)
      << warnings[0];
  p.values[4] = 0.7f;
  std::swap(p.values[5 * 4 + 3], p.values[5 * 4 + 0]);
  warnings = evaluate_clustering(in).warnings;
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("in 1 of 6 rows of probabilities another cluster than the assigned one is the most "
                             "probable (row 5: cluster 0 has 0.7, the assigned 3 has 0.1)"),
            std::string::npos)
      << warnings[0];
  p.values[9] = 1 + 0x1p-6f;
  EXPECT_EQ(message(in), "probabilities[2, 1] is 1.015625; expected 0..1");
  p.values[9] = -0x1p-6f;
  EXPECT_EQ(message(in), "probabilities[2, 1] is -0.015625; expected 0..1");
}

TEST(Evaluation, TextShowsScoresMatrixAndEmptyClusters) {
  const Evaluation e =
      evaluate_clustering({.assignments = kAssignments, .labels = kLabels, .class_names = {"cat", "dog", "frog"}});
  EXPECT_EQ(to_text(e),
            "6 samples, 4 clusters, 3 classes\n"
            "\n"
            "  ACC   ACC many-to-one   NMI   ARI   AMI\n"
            "  ---------------------------------------\n"
            "  83.3             83.3  68.5  31.8  41.2\n"
            "\n"
            "  cluster      size  purity  cat  dog  frog\n"
            "  -----------------------------------------\n"
            "  0 dog           3    66.7    1    2     0\n"
            "  1 cat           2   100.0    2    0     0\n"
            "  2 unmatched     0       -    0    0     0\n"
            "  3 frog          1   100.0    0    0     1\n"
            "\n"
            "1 of 4 clusters is empty: 2\n");
}

TEST(Evaluation, BadInputGivesOneLine) {
  HostMatrix<float> p = probabilities();
  const EvaluationInput good{.assignments = kAssignments, .labels = kLabels, .probabilities = p.view()};
  EXPECT_EQ(message(good), "");
  EvaluationInput bad = good;
  bad.labels = std::span(kLabels).first(5);
  EXPECT_EQ(message(bad), "6 assignments but 5 labels");
  bad = good, bad.probabilities.rows = 5;
  EXPECT_EQ(message(bad), "5 rows of probabilities but 6 assignments");
  bad = good, bad.probabilities = {p.values.data(), 6, 3};
  EXPECT_EQ(message(bad), "assignments[5] is 3; expected less than 3");
  bad = good, bad.clusters = 5;
  EXPECT_EQ(message(bad), "4 columns of probabilities but 5 clusters");
  bad = good, bad.class_names = {"only one"};
  EXPECT_EQ(message(bad), "labels[0] is 1; expected less than 1");
  const Ints negative = {0, 0, -1, 1, 1, 3};
  bad = good, bad.assignments = negative;
  EXPECT_EQ(message(bad), "assignments[2] is -1; expected 0 or more");
  EXPECT_EQ(message({}), "no samples to evaluate");
  p.values[9] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(message(good), "probabilities[2, 1] is nan; expected 0..1");
  p.values[9] = -3;  // logits
  EXPECT_EQ(message(good), "probabilities[2, 1] is -3; expected 0..1");
}

TEST(Table, AlignsByCharactersAndRefusesRaggedRows) {
  EXPECT_EQ(to_text(Table{.header = {"m", "x"}, .rows = {{"né", "1"}, {"b", "12.5"}}}, 0),
            "m      x\n--------\nné     1\nb   12.5\n");
  EXPECT_EQ(to_text(Table{.header = {"m"}, .rows = {{"a\nb"}}}, 0), "m\n------\na\\x0ab\n");
  EXPECT_THROW(to_text(Table{.header = {"m", "x"}, .rows = {{"a"}}}), Error);
  EXPECT_EQ(scores_text({{"k-means, raw pixels", {.acc = 0.5449, .nmi = 0.5, .ari = 0.123}}, {"SCAN", {.acc = 1}}}),
            "  method                 ACC   NMI   ARI\n"
            "  --------------------------------------\n"
            "  k-means, raw pixels   54.5  50.0  12.3\n"
            "  SCAN                 100.0   0.0   0.0\n");
  EXPECT_EQ(scores_text({{"SCAN", {.acc = 0.5, .nmi = 0.25, .ari = 0.125, .acc_many_to_one = 0.75}}}, true),
            "  method   ACC  ACC many-to-one   NMI   ARI\n"
            "  -----------------------------------------\n"
            "  SCAN    50.0             75.0  25.0  12.5\n");
}

}  // namespace
}  // namespace kith::test
