// Predictions: what a launch holds of a card, and the time of counts that are chosen, by hand.
#include "bench/study/simt/predict.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>

namespace kith::study {
namespace {

simt::LaunchRecord launch_of(unsigned blocks, unsigned threads, size_t shared) {
  simt::LaunchRecord l;
  l.kernel = "k";
  l.grid = {blocks, 1, 1};
  l.block = {threads, 1, 1};
  l.dynamic_shared = shared;
  return l;
}

TEST(Predict, BlocksOfAMultiprocessor) {
  const Card& c = card("h100");
  EXPECT_EQ(resident_blocks(c, launch_of(1, 128, 0), 0), 16);        // 2,048 threads
  EXPECT_EQ(resident_blocks(c, launch_of(1, 32, 0), 0), 32);         // blocks
  EXPECT_EQ(resident_blocks(c, launch_of(1, 128, 0), 248), 2);       // 65,536 / (248 x 128) = 2.06
  EXPECT_EQ(resident_blocks(c, launch_of(1, 128, 0), 161), 3);       // given eight at a time: 168 x 128
  EXPECT_EQ(resident_blocks(c, launch_of(1, 128, 75 << 10), 0), 3);  // 76 KiB each of 228
  EXPECT_EQ(resident_blocks(c, launch_of(1, 128, (75 << 10) + 1), 0), 2);
}

TEST(Predict, FillOfWaves) {
  const Card& c = card("h100");
  EXPECT_DOUBLE_EQ(fill_of(c, 1, 2), 1. / 132);
  EXPECT_DOUBLE_EQ(fill_of(c, 132, 2), 1);
  EXPECT_DOUBLE_EQ(fill_of(c, 133, 2), 133. / 264);
  EXPECT_DOUBLE_EQ(fill_of(c, 264, 2), 1);
  EXPECT_DOUBLE_EQ(fill_of(c, 320, 2), 320. / 528);
}

// 132 blocks, one to each multiprocessor: no rate is lost.
TEST(Predict, TimesByHand) {
  const Card& c = card("h200");
  Result r{.kernel = "x", .sizes = {{"n", 1}}, .cost = {.flops = 67e6, .bytes = 9.6e6}, .launches = {}};
  r.launches.assign(2, launch_of(132, 128, 0));
  simt::Counts& n = r.launches[0].counts;
  n.global_load_sectors = 11'000'000 / 32;
  n.shared_wavefronts = static_cast<uint64_t>(3 * 132 * 1830);
  n.special = static_cast<uint64_t>(4 * 16 * 132 * 1830);
  Prediction p = predict(r, c, {});
  EXPECT_NEAR(p.us[kDram], 2, 1e-9);  // 9.6 MB at 4.8 TB/s
  EXPECT_NEAR(p.us[kL2], 2, 1e-4);    // 11 MB at 5.5 TB/s
  EXPECT_NEAR(p.us[kShared], 3, 1e-9);
  EXPECT_NEAR(p.us[kFp32], 1, 1e-9);
  EXPECT_NEAR(p.us[kSpecial], 4, 1e-9);
  EXPECT_EQ(p.us[kMatrix], 0);
  EXPECT_NEAR(p.us[kLaunch], 4, 1e-9);  // two
  EXPECT_EQ(p.launches, 2u);
  EXPECT_EQ(p.largest(), kSpecial);
  EXPECT_EQ(p.blocks, 132u);
  EXPECT_EQ(prediction_row(r, p),
            "| x | n=1 | 2 | 132 | 16 | 1.00 | 2.00 | 2.00 | 3.00 | | 1.00 | **4.00** | 4.00 | special |\n");

  // With matrix instructions the contract's flop are theirs.
  n.mma = 1;
  n.mma_flops = static_cast<uint64_t>(5 * 989e6 * 0.62);
  p = predict(r, c, {});
  EXPECT_NEAR(p.us[kMatrix], 5, 1e-6);
  EXPECT_EQ(p.us[kFp32], 0);
  EXPECT_EQ(p.largest(), kMatrix);

  // Of warpgroups likewise, at a share of their own.
  n.wgmma_flops = static_cast<uint64_t>(2 * 989e6 * 0.8);
  EXPECT_NEAR(predict(r, c, {}).us[kMatrix], 7, 1e-6);
  n.wgmma_flops = 0;

  // 264 blocks of which a multiprocessor holds one by its registers are two waves, and 140 more than one and a half.
  r.launches[0].grid.x = 140;
  p = predict(r, c, {{"k", 255}});
  EXPECT_EQ(p.resident, 2);
  EXPECT_NEAR(p.us[kShared], 3 * 264. / 140, 1e-9);

  // One block reads no faster than its multiprocessor's port.
  r.launches[0].grid.x = 1;
  EXPECT_NEAR(predict(r, c, {}).us[kL2], 11e6 / (64 * 1.83e3), 1e-2);
}

TEST(Predict, KnowsTheRegistersOfLaunches) {
  const Registers registers = registers_of_launches(KITH_CUDA_SOURCES);
  EXPECT_GE(registers.size(), 50u);
  for (const char* name : {"ntxent_forward_mma", "ntxent_backward_mma", "topk_scan", "topk_scan_sm90",
                           "batch_norm_apply", "augment_simclr"}) {
    ASSERT_TRUE(registers.contains(name)) << name;
    EXPECT_GT(registers.at(name), 0) << name;
    EXPECT_EQ(registers.at(name) % 8, 0) << name;
  }
  EXPECT_THROW(registers_of_launches("/nonexistent"), Error);
}

TEST(Predict, EveryFactOfACardSaysWhereItIsFrom) {
  ASSERT_GE(cards().size(), 2u);
  for (const Card& c : cards())
    for (const auto& [what, fact] : c.facts()) {
      EXPECT_GT(fact->value, 0) << c.name << ' ' << what;
      EXPECT_GT(std::string(fact->source).size(), 10u) << c.name << ' ' << what;
    }
  EXPECT_THROW(card("h300"), Error);
}

TEST(Predict, PrintsOneKernelAndRefusesTheRest) {
  const auto kith_simt = [](const std::vector<std::string>& arguments) {
    std::ostringstream out, err;
    const int status = command(arguments, out, err);
    return std::pair(status == 0, status == 0 ? out.str() : out.str() + err.str());
  };
  const auto [ok, text] = kith_simt({"--predict", "h100", "--kernel", "ema_step", "--size", "tensors=1,weights=2048"});
  ASSERT_TRUE(ok) << text;
  EXPECT_NE(text.find("**PREDICTION for one NVIDIA H100 SXM 80 GB, not a measurement.**"), std::string::npos) << text;
  EXPECT_NE(text.find("| ema_step | tensors=1,weights=2048 | 1 | 1 |"), std::string::npos) << text;
  EXPECT_NE(text.find("| DRAM | 3.35 TB/s | published |"), std::string::npos) << text;
  EXPECT_EQ(kith_simt({"--predict", "h300"}),
            std::pair(false, std::string("kith_simt: there is no card 'h300'; the cards are h100, h200\n")));
  EXPECT_EQ(kith_simt({"--predict", "h100", "--size", "rows=4"}),
            std::pair(false, std::string("kith_simt: --size is of one kernel: --kernel names it\n")));
  EXPECT_FALSE(kith_simt({"--predict", "h100", "--list"}).first);
}

// The page shows every entry at every size, as the command writes them.
TEST(Predict, ThePageHasEveryRow) {
  std::ifstream in(std::string(KITH_CUDA_SOURCES) + "/../../bench/README.md");
  ASSERT_TRUE(in.good());
  const std::string page{std::istreambuf_iterator<char>(in), {}};
  EXPECT_NE(page.find(prediction_head(card("h200"))), std::string::npos) << prediction_head(card("h200"));
  EXPECT_NE(page.find(card_facts(card("h200"))), std::string::npos) << card_facts(card("h200"));
  for (const Study& s : studies())
    for (const Sizes& sizes : sizes_of_runs(s))
      EXPECT_NE(page.find(fmt::format("| {} | {} |", s.name, sizes.text())), std::string::npos)
          << s.name << ' ' << sizes.text();
}

}  // namespace
}  // namespace kith::study
