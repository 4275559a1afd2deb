// Predictions for benchmarks: what a name stands for, the file, and that the committed one is of this tree.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "bench/study/simt/predict.h"

namespace kith::study {
namespace {

const std::string kCommitted = std::string(KITH_CUDA_SOURCES) + "/../../bench/gpu_prediction.json";

nlohmann::json parsed(const std::string& file) {
  std::ifstream in(file);
  return nlohmann::json::parse(in);
}

class BenchmarkPredictions : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  const std::filesystem::path folder_ =
      std::filesystem::path(testing::TempDir()) / fmt::format("predictions-{}", ::getpid());
  const std::string file_ = (folder_ / "p.json").string();

  static std::pair<int, std::string> kith_simt(const std::vector<std::string>& arguments) {
    std::ostringstream out, err;
    const int status = command(arguments, out, err);
    return {status, out.str() + err.str()};
  }
};

TEST_F(BenchmarkPredictions, NamesStandForEntriesAndSizes) {
  const auto text = [](const std::string& benchmark) {
    const Timed timed = timed_by(benchmark);
    std::string all = timed.program;
    for (const auto& [study, sizes] : timed.calls) all += fmt::format(" {} {}", study->name, sizes.text());
    return all;
  };
  EXPECT_EQ(text("ntxent_forward/4096/128/1"), "ntxent ntxent_forward rows=4096,dim=128,bf16=1");
  EXPECT_EQ(text("ntxent_forward_backward/64/32/0"),
            "ntxent ntxent_forward rows=64,dim=32,bf16=0 ntxent_backward rows=64,dim=32,bf16=0");
  EXPECT_EQ(text("topk/100/64/5"), "topk topk queries=100,database=100,dim=64,k=5");
  EXPECT_EQ(text("batch_norm_backward_bf16/70/24/1"),
            "batch_norm batch_norm_backward rows=70,channels=24,residual=1,mask=1,from_x=1,bf16=1");
  EXPECT_EQ(text("elementwise_gather_rows/5"), "elementwise gather_rows rows=5,cols=512");
  EXPECT_EQ(text("run/augment_strong/side:28/channels:1/bf16:1"),
            "augment augment images=4096,views=2,side=28,channels=1,policy=2,bf16=1");
  for (const char* wrong : {"ntxent_forward", "ntxent_forwards/4/8/1", "kmeans/500/32/5/2", ""})
    EXPECT_THROW((void)timed_by(wrong), Error) << wrong;
  for (const char* wrong : {"topk/100/64", "topk/100/64/5/6", "topk/100/64/x", "topk/100//5"})
    EXPECT_THROW((void)timed_by(wrong), Error) << wrong;
}

// 1,024 floats of two operands and a sum: one launch, whose time is the longest of what is predicted.
TEST_F(BenchmarkPredictions, FileIsWrittenAndItsOtherLinesStay) {
  const auto first =
      kith_simt({"--predictions", file_, "--benchmark", "elementwise_add/1024", "--benchmark", "softmax_xent/5/10"});
  EXPECT_EQ(first, std::pair(0, std::string("elementwise_add/1024\nsoftmax_xent/5/10\n")));
  nlohmann::json all = parsed(file_);
  EXPECT_EQ(all["cards"]["h200"], "NVIDIA H200 SXM 141 GB");
  ASSERT_EQ(all["benchmarks"].size(), 2u);
  const nlohmann::json add = all["benchmarks"][0];
  EXPECT_EQ(add["program"], "elementwise");
  EXPECT_EQ(add["calls"][0]["launches"], 1);
  EXPECT_EQ(add["calls"][0]["us"]["h200"]["launch"], 2.0);
  EXPECT_EQ(add["calls"][0]["us"]["h200"]["DRAM"], 0.003);  // 12 KiB at 4.8 TB/s
  EXPECT_EQ(add["calls"][0]["us"]["h100"]["DRAM"], 0.004);  // at 3.35
  EXPECT_EQ(all["benchmarks"][1]["calls"].size(), 2u);

  // Counted again the first is as it was, in its place; what stands beside it is not touched.
  all["benchmarks"][0]["calls"] = nlohmann::json::array();
  all["benchmarks"][1]["calls"] = "kept";
  std::ofstream(file_) << all;
  EXPECT_EQ(kith_simt({"--predictions", file_, "--benchmark", "elementwise_add/1024"}).first, 0);
  all = parsed(file_);
  EXPECT_EQ(all["benchmarks"][0], add);
  EXPECT_EQ(all["benchmarks"][1]["calls"], "kept");
  EXPECT_EQ(kith_simt({"--predictions", file_}).first, 0);
  EXPECT_EQ(parsed(file_)["benchmarks"][1]["calls"].size(), 2u);
}

TEST_F(BenchmarkPredictions, WrongFilesAndNamesAreErrorsThatWriteNothing) {
  EXPECT_EQ(kith_simt({"--predictions", file_}), std::pair(1, "kith_simt: cannot read " + file_ + "\n"));
  std::ofstream(file_) << "[]";
  EXPECT_EQ(kith_simt({"--predictions", file_, "--benchmark", "elementwise_add/1024"}),
            std::pair(1, "kith_simt: " + file_ + ": not a file of predictions\n"));
  EXPECT_EQ(parsed(file_), nlohmann::json::array());
  std::filesystem::remove(file_);
  const auto [status, text] =
      kith_simt({"--predictions", file_, "--benchmark", "elementwise_add/1024", "--benchmark", "nothing/1"});
  EXPECT_EQ(status, 1);
  EXPECT_NE(text.find("no entry does what benchmark 'nothing/1' does"), std::string::npos) << text;
  EXPECT_FALSE(std::filesystem::exists(file_));
  EXPECT_NE(kith_simt({"--benchmark", "elementwise_add/1024"}).first, 0);
  EXPECT_NE(kith_simt({"--predictions", file_, "--kernel", "add"}).first, 0);
}

// Those that are counted within a second are counted here; the rest are of entries and sizes as their names are read now.
TEST_F(BenchmarkPredictions, TheCommittedFileIsOfThisTree) {
  const nlohmann::json committed = parsed(kCommitted);
  const std::vector<std::string> quick = {"scan_loss/1/128/10",    "softmax_xent/1024/10", "elementwise_add/65536",
                                          "elementwise_sum/65536", "cosine_loss/256/256",  "l2_normalize/1024/128"};
  count_predictions(file_, quick, std::cout);
  const nlohmann::json now = parsed(file_);
  EXPECT_EQ(committed["note"], now["note"]);
  EXPECT_EQ(committed["cards"], now["cards"]);
  std::set<std::string> names;
  for (const nlohmann::json& row : committed["benchmarks"]) {
    const auto name = row["name"].get<std::string>();
    EXPECT_TRUE(names.insert(name).second) << name << " is there twice";
    const Timed timed = timed_by(name);
    EXPECT_EQ(row["program"], timed.program) << name;
    ASSERT_EQ(row["calls"].size(), timed.calls.size()) << name;
    for (size_t i = 0; i < timed.calls.size(); ++i) {
      EXPECT_EQ(row["calls"][i]["kernel"], timed.calls[i].first->name) << name;
      EXPECT_EQ(row["calls"][i]["sizes"], timed.calls[i].second.text()) << name;
    }
    for (const nlohmann::json& recounted : now["benchmarks"]) {
      if (recounted["name"] != name) continue;
      EXPECT_EQ(row, recounted) << "kith_simt --predictions bench/gpu_prediction.json counts it again";
    }
  }
  for (const std::string& name : quick) EXPECT_TRUE(names.contains(name)) << name;
}

}  // namespace
}  // namespace kith::study
