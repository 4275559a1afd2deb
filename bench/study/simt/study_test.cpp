// kith_simt: every CUDA entry can be studied, and what is printed is what was done.
#include "bench/study/simt/study.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

namespace kith::study {
namespace {

struct Output {
  int status;
  std::string out, err;
};

Output kith_simt(const std::vector<std::string>& arguments) {
  std::ostringstream out, err;
  const int status = command(arguments, out, err);
  return {status, out.str(), err.str()};
}

TEST(Study, CoversEveryCudaEntry) {
  std::ifstream in(KITH_CUDA_ENTRIES);
  ASSERT_TRUE(in.good());
  int entries = 0;
  for (std::string line; std::getline(in, line);) {
    std::smatch name;
    if (!std::regex_search(line, name, std::regex("^\\S+ (\\w+)\\(const .*none\\("))) continue;
    ++entries;
    EXPECT_NO_THROW(study(name[1].str()));
  }
  EXPECT_GE(entries, 49);
}

// One chunk of 2,048 weights: 256 threads read average and weight and write the average, 8 of each.
TEST(Study, CountsAnAverageOfWeightsByHand) {
  const Output o = kith_simt({"--kernel", "ema_step", "--size", "tensors=1,weights=2048", "--json"});
  ASSERT_EQ(o.status, 0) << o.err;
  const auto json = nlohmann::json::parse(o.out);
  EXPECT_EQ(json["sizes"]["weights"], 2048);
  ASSERT_EQ(json["launches"].size(), 1u);
  const auto& launch = json["launches"][0];
  EXPECT_EQ(launch["grid"], nlohmann::json({1, 1, 1}));
  EXPECT_EQ(launch["block"], nlohmann::json({256, 1, 1}));
  EXPECT_EQ(launch["global_load_bytes"], 2 * 4 * 2048);
  EXPECT_EQ(launch["global_store_bytes"], 4 * 2048);
  EXPECT_EQ(launch["global_load_sectors"], 2 * 4 * 2048 / 32);
  EXPECT_EQ(launch["global_store_sectors"], 4 * 2048 / 32);
  EXPECT_EQ(launch["collectives"], 0);
  EXPECT_EQ(json["contract"]["bytes"], 12 * 2048);

  const std::string table = kith_simt({"--kernel", "ema_step", "--size", "tensors=1,weights=2048"}).out;
  EXPECT_TRUE(std::regex_search(table, std::regex("bytes +24,576 +24,576 in sectors +1\\.00\n"))) << table;
  EXPECT_TRUE(std::regex_search(table, std::regex("loads, bytes requested +16,384\n"))) << table;
}

// Two groups of 64 rows: of the four tiles of the contract's product the matrix instructions do three, as the scores are
// symmetric; ldmatrix meets no bank twice.
TEST(Study, CountsTheProductsOfNtXent) {
  const Output o = kith_simt({"--kernel", "ntxent_forward", "--size", "rows=128", "--size", "dim=64,bf16=1", "--json"});
  ASSERT_EQ(o.status, 0) << o.err;
  const auto json = nlohmann::json::parse(o.out);
  EXPECT_EQ(json["contract"]["flops"], 2 * 128 * 128 * 64);
  EXPECT_EQ(json["total"]["mma_flops"], 3 * 2 * 64 * 64 * 64);
  EXPECT_EQ(json["total"]["mma"], 3 * 64 * 64 * 64 / (16 * 8 * 16));
  EXPECT_GT(json["total"]["shared_accesses"], 0);
  EXPECT_EQ(json["total"]["shared_wavefronts"], json["total"]["shared_ideal"]);
}

// On an H100 one tile of 128 queries and 256 rows: two warpgroups, four products of 16 elements. An A100 has none.
TEST(Study, CountsTheProductsOfTheDeviceChosen) {
  const auto counts = [](const std::string& device) {
    const Output o =
        kith_simt({"--kernel", "topk", "--size", "queries=128,database=256,dim=64,k=5", "--device", device, "--json"});
    EXPECT_EQ(o.status, 0) << o.err;
    return nlohmann::json::parse(o.out)["total"];
  };
  const nlohmann::json h100 = counts("h100"), a100 = counts("a100");
  EXPECT_EQ(h100["wgmma"], 2 * 4);
  EXPECT_EQ(h100["wgmma_flops"], 2 * 128 * 256 * 64);
  EXPECT_EQ(h100["tensor_bytes"], (128 + 256) * 64 * 2);
  EXPECT_EQ(h100["mma_flops"], 0);
  EXPECT_EQ(a100["wgmma"], 0);
  EXPECT_EQ(a100["mma_flops"], 2 * 128 * 256 * 64);
}

// Tensors of more slots than one launch takes, in launches of one shape: one column.
TEST(Study, FoldsLaunchesOfOneShape) {
  const std::vector<std::string> arguments = {"--kernel", "ema_step", "--size", "tensors=500,weights=1"};
  const std::string table = kith_simt(arguments).out;
  std::vector<std::string> with_json = arguments;
  with_json.push_back("--json");
  const auto json = nlohmann::json::parse(kith_simt(with_json).out);
  const size_t launches = json["launches"].size();
  ASSERT_GT(launches, 2u);
  ASSERT_EQ(json["launches"][0]["grid"], json["launches"][1]["grid"]);
  EXPECT_TRUE(std::regex_search(table, std::regex(fmt::format("launches .* {}\\n", launches)))) << table;
  EXPECT_TRUE(std::regex_search(table, std::regex("loads, bytes requested .* 4,000\\n"))) << table;
}

// The whole of what the sources say of an entry, none wider than 110 columns.
TEST(Study, ListsEntriesByContract) {
  const Output o = kith_simt({"--list"});
  EXPECT_EQ(o.status, 0);
  const auto expect_lines = [&](const char* text) {
    EXPECT_TRUE(std::regex_search(o.out, std::regex(text))) << text << '\n' << o.out;
  };
  expect_lines(
      "\nkernels/agreement.h\n  cpu/   agreement.cpp\n  cuda/  agreement.cu\n"
      "  agreement +1  5\\.2 +0 +412k  rows=512,k=100\n");
  expect_lines("\n  bench/study/ladder  naive tiled tensor fused warpgroup_sm90 cluster_sm90\n");
  expect_lines("  cuda/  ntxent.cu [^/]*ntxent_sm90.cu\n");
  expect_lines("  ntxent_forward +1  2\\.1 \\+ rows/64 +67\\.1M +266k  rows=512,dim=128,bf16=1\n");
  expect_lines("  global_average_pool_backward +1  2 [^\n]*  images=8");
  expect_lines("\nkernels/softmax.h\n  cpu/   softmax.cpp\n");  // not softmax_xent.cpp
  std::istringstream in(o.out);
  for (std::string line; std::getline(in, line);) EXPECT_LE(line.size(), 110u) << line;

  const auto rows = nlohmann::json::parse(kith_simt({"--list", "--json"}).out);
  ASSERT_EQ(rows.size(), studies().size());
  for (const auto& row : rows) {
    EXPECT_FALSE(row["cpu"].empty() || row["cuda"].empty()) << row;
    EXPECT_GT(row["bytes"], 0) << row;
    EXPECT_NE(row["launches"], "") << row;
  }
  const auto is = [](const char* name) { return [=](const nlohmann::json& row) { return row["name"] == name; }; };
  const nlohmann::json row = *std::ranges::find_if(rows, is("ntxent_forward"));
  EXPECT_EQ(row["contract"], "kernels/ntxent.h");
  EXPECT_EQ(row["ladder"].size(), 6u);
  EXPECT_EQ(row["flops"], 2. * 512 * 512 * 128);
  EXPECT_EQ(row["sizes"]["rows"], 512);
  EXPECT_EQ((*std::ranges::find_if(rows, is("topk")))["ladder"].size(), 0u);
}

TEST(Study, RejectsWhatItDoesNotKnow) {
  const auto expect_line = [](const std::vector<std::string>& arguments, const std::string& text) {
    const Output o = kith_simt(arguments);
    EXPECT_NE(o.status, 0);
    EXPECT_EQ(o.out, "");
    EXPECT_NE(o.err.find(text), std::string::npos) << o.err;
  };
  expect_line({"--kernel", "ntxent"}, "kith_simt: there is no kernel 'ntxent'; --list names them\n");
  expect_line({"--kernel", "sgd_step", "--size", "rows=4"}, "there is no size 'rows'; the sizes are tensors=");
  for (const char* size : {"tensors", "tensors=", "tensors=x", "tensors=4k", "tensors=-1", "=4"})
    expect_line({"--kernel", "sgd_step", "--size", size}, fmt::format("'{}' is not of the form NAME=NUMBER\n", size));
  expect_line({"--kernel", "ntxent_forward", "--size", "rows=5"}, "5 rows, expected an even number");
  expect_line({}, "required");
}

}  // namespace
}  // namespace kith::study
