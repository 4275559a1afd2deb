#include "tests/apps/commands/arrays.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace kith::test {
namespace {

TEST_F(Arrays, EvaluatePrintsJsonOrTablesAndWritesTheConfusion) {
  EvaluateArrays options{.assignments = write<int64_t>("A.npy", {0, 0, 1, 1}, {4}),
                         .labels = write<uint8_t>("L.npy", {1, 1, 0, 1}, {4}),
                         .probabilities = write<float>("P.npy", {1, 0, .75f, .25f, 0, 1, .5f, .5f}, {4, 2}),
                         .confusion = dir / "C.csv",
                         .json = true};
  const auto json = nlohmann::json::parse(printed([&] { return evaluate_arrays(options); }));
  EXPECT_EQ(json["acc"], 0.75);
  EXPECT_EQ(json["top5"], 1.0);
  EXPECT_EQ(json["matching"].dump(), "[1,0]");
  EXPECT_EQ(json["per_cluster"][1]["mean_confidence"], 0.75);
  std::stringstream csv;
  csv << std::ifstream(dir / "C.csv").rdbuf();
  EXPECT_EQ(csv.str(), "cluster,class,size,0,1\n0,1,2,0,2\n1,0,2,1,1\n");
  options.json = false;
  EXPECT_NE(printed([&] { return evaluate_arrays(options); }).find("4 samples, 2 clusters, 2 classes\n"),
            std::string::npos);
}

TEST_F(Arrays, EvaluateReplacesNoFileOfARun) {
  EvaluateArrays options{.assignments = write<int64_t>("A.npy", {0, 0, 1, 1}, {4}),
                         .labels = write<uint8_t>("L.npy", {1, 1, 0, 1}, {4}),
                         .probabilities = {},
                         .confusion = dir / "run" / "confusion.csv",
                         .json = true};
  const auto refusal = [&] { return message([&] { evaluate_arrays(options); }); };
  EXPECT_NE(refusal().find("cannot create: no such folder: "), std::string::npos) << refusal();
  std::filesystem::create_directory(dir / "run");
  std::ofstream(dir / "run" / "config.toml") << "";
  std::ofstream(dir / "run" / "confusion.csv") << "of the run";
  EXPECT_NE(refusal().find("is a file of a run, which is only read"), std::string::npos) << refusal();
  options.confusion = dir / "run" / "selflabel.safetensors";
  EXPECT_NE(refusal().find("expected a name ending in .csv"), std::string::npos) << refusal();
  EXPECT_EQ(std::filesystem::file_size(dir / "run" / "confusion.csv"), 10u);
}

// Identifiers: the numbers that are found count, not the largest.
TEST_F(Arrays, EvaluateTakesAnyNumbersForClustersAndClasses) {
  EvaluateArrays options{.assignments = write<int64_t>("A.npy", {0, int64_t{1} << 40, 5, -1}, {4}),
                         .labels = write<int32_t>("L.npy", {1, 2'000'000'000, 1, 1}, {4}),
                         .probabilities = {},
                         .confusion = {},
                         .json = true};
  const std::string out = printed([&] { return evaluate_arrays(options); });
  EXPECT_LT(out.size(), 2000u);
  const auto json = nlohmann::json::parse(out);
  EXPECT_EQ(json["clusters"], 3);
  EXPECT_EQ(json["classes"], 2);
  EXPECT_EQ(json["noise"], 1);
  EXPECT_EQ(json["cluster_ids"].dump(), "[-1,0,5,1099511627776]");
  EXPECT_EQ(json["acc"], 0.5);
}

TEST_F(Arrays, EvaluateTakesColumnsForLists) {
  const auto options = [&](const std::vector<int64_t>& shape) {
    return EvaluateArrays{.assignments = write<int64_t>("A.npy", {0, 0, 1, 1}, shape),
                          .labels = write<uint8_t>("L.npy", {1, 1, 0, 1}, shape),
                          .probabilities = {},
                          .confusion = {},
                          .json = true};
  };
  const std::string want = printed([&] { return evaluate_arrays(options({4})); });
  EXPECT_EQ(printed([&] { return evaluate_arrays(options({4, 1})); }), want);
  EXPECT_EQ(message([&] {
              evaluate_arrays(options({1, 4}));
            }),
            (dir / "A.npy").string() + ": shape [1, 4]; expected [n]");
}

TEST_F(Arrays, EvaluateWarnsOnStandardErrorAlone) {
  const path a = write<int32_t>("A.npy", {0, 0, 0}, {3}), l = write<int32_t>("L.npy", {4, 4, 4}, {3});
  const path ones = write<float>("P.npy", {1, 1, 1, 1, 1, 1}, {3, 2});
  const EvaluateArrays options{.assignments = a, .labels = l, .probabilities = ones, .confusion = {}, .json = true};
  testing::internal::CaptureStderr();
  const auto json = nlohmann::json::parse(printed([&] { return evaluate_arrays(options); }));
  EXPECT_FALSE(json.contains("acc"));
  EXPECT_EQ(
      testing::internal::GetCapturedStderr(),
      "kith: warning: all 3 labels are 4: there is nothing to compare a clustering with, and scores are left out\n"
      "kith: warning: 3 of 3 rows of probabilities do not sum to 1 (row 0: 2), so that mean_confidence and top5 say "
      "little\n");
}

TEST_F(Arrays, EvaluateRefusesWhatDoesNotFit) {
  const path a = write<int32_t>("A.npy", {0, 1, 1}, {3}), l = write<int32_t>("L.npy", {0, 1}, {2});
  const path halves = write<float>("halves.npy", {0, 0.5f, 1}, {3}), whole = write<float>("whole.npy", {0, 0, 1}, {3});
  const path p = write<float>("P.npy", {1, 0, 1, 0}, {2, 2});
  const auto error = [&](const path& assignments, const path& labels, const path& probabilities,
                         const path& confusion) {
    return message([&] {
      evaluate_arrays(
          {.assignments = assignments, .labels = labels, .probabilities = probabilities, .confusion = confusion});
    });
  };
  EXPECT_EQ(error(a, l, {}, {}), "3 assignments but 2 labels");
  EXPECT_EQ(error(a, a, p, {}), "2 rows of probabilities but 3 assignments");
  EXPECT_EQ(error(p, a, {}, {}), p.string() + ": shape [2, 2]; expected [n]");
  const path noise = write<int32_t>("noise.npy", {0, -1, -2}, {3}),
             p3 = write<float>("P3.npy", {1, 0, 1, 0, 1, 0}, {3, 2});
  const path high = write<int32_t>("high.npy", {0, 2, 1}, {3});
  EXPECT_EQ(error(noise, a, {}, {}), noise.string() + ": value [2] is -2; expected a cluster, or -1 for noise");
  EXPECT_EQ(error(noise, a, p3, {}), noise.string() + ": value [1] is -1; expected a column of the probabilities");
  EXPECT_EQ(error(a, noise, {}, {}),
            noise.string() + ": value [1] is -1; expected a class; leave samples without one out of every file");
  EXPECT_EQ(error(high, a, p3, {}),
            high.string() + ": value [1] is 2; expected less than the 2 columns of the probabilities");
  EXPECT_NE(error(halves, a, {}, {}).find("halves.npy"), std::string::npos);
  const EvaluateArrays whole_numbers{.assignments = whole, .labels = a, .probabilities = {}, .confusion = {}};
  EXPECT_NE(printed([&] { return evaluate_arrays(whole_numbers); }), "");  // whatever their type
  EXPECT_EQ(error(a, a, {}, dir / "no" / "C.csv"),
            (dir / "no" / "C.csv").string() + ": cannot create: no such folder: " + (dir / "no").string());
}

}  // namespace
}  // namespace kith::test
