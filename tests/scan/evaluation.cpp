#include "scan/evaluation.h"

#include "kernels/core/check.h"
#include "scan/table.h"
#include "tests/support/compare.h"

namespace kith::test {
namespace {

using Ints = std::vector<int32_t>;

const Ints kAssignments = {0, 0, 0, 1, 1, 3}, kLabels = {1, 1, 0, 0, 0, 2};

HostMatrix<float> probabilities() {
  HostMatrix<float> p(6, 4, 0.1f);
  for (int64_t i = 0; i < 6; ++i) p.view().row(i)[kAssignments[i]] = 0.7f;
  p.view().row(5)[3] = 1.f;
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
  EXPECT_NEAR(j["per_cluster"][0]["mean_confidence"], 0.7, kUnit);
  EXPECT_EQ(j["per_cluster"][3]["mean_confidence"], 1.0);
  EXPECT_EQ(j["per_cluster"][2]["mean_confidence"], 0.0);
  EXPECT_EQ(confusion_csv(e),
            "cluster,class,size,a,\"b, \"\"c\"\"\",d\n"
            "0,\"b, \"\"c\"\"\",3,1,2,0\n1,a,2,2,0,0\n2,,0,0,0,0\n3,d,1,0,0,1\n");
}

TEST(Evaluation, WithoutProbabilitiesNeitherTopFiveNorConfidence) {
  const nlohmann::json j = to_json(evaluate_clustering({.assignments = kAssignments, .labels = kLabels}));
  EXPECT_FALSE(j.contains("top5"));
  EXPECT_FALSE(j["per_cluster"][0].contains("mean_confidence"));
  EXPECT_EQ(j["class_names"].dump(), R"(["0","1","2"])");
}

TEST(Evaluation, OneSample) {
  const Ints zero = {0};
  const nlohmann::json j = to_json(evaluate_clustering({.assignments = zero, .labels = zero}));
  for (const char* key : {"acc", "acc_many_to_one", "nmi", "ari", "ami"}) EXPECT_EQ(j[key], 1.0) << key;
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
            "  2 unmatched     0     0.0    0    0     0\n"
            "  3 frog          1   100.0    0    0     1\n"
            "\n"
            "1 of 4 clusters are empty: 2\n");
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
  EXPECT_THROW(to_text(Table{.header = {"m", "x"}, .rows = {{"a"}}}), Error);
  EXPECT_EQ(scores_text({{"k-means, raw pixels", {.acc = 0.5449, .nmi = 0.5, .ari = 0.123}}, {"SCAN", {.acc = 1}}}),
            "  method                 ACC   NMI   ARI\n"
            "  --------------------------------------\n"
            "  k-means, raw pixels   54.5  50.0  12.3\n"
            "  SCAN                 100.0   0.0   0.0\n");
}

}  // namespace
}  // namespace kith::test
