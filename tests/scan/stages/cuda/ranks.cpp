// Stages by two ranks on a card each, under the SIMT runner: a stand-in for NCCL (tests/nn/device/fake_nccl.cpp) moves what lies
// on the devices. Against two ranks on the CPU.
#include "tests/nn/device/ranks.h"

#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "nn/device/ranks/nccl_ranks.h"
#include "nn/tensor/buffer.h"
#include "scan/pretext/task.h"
#include "tests/scan/stages/cuda/support.h"

namespace kith::test {
namespace {

const Nccl& stand_in() {
  static const Nccl library(KITH_FAKE_NCCL, {});
  *library.library.symbol<void (**)(void*, const void*, size_t)>("kith_fake_nccl_copy") =
      [](void* to, const void* from, size_t bytes) { cudaMemcpy(to, from, bytes, cudaMemcpyDefault); };
  return library;
}

// Two epochs of one step each, of every stage that trains.
RunConfig two_steps(PretextKind kind) {
  RunConfig c = tiny_config();
  c.pretext.task = kind;
  c.pretext.augment.size = 8;
  c.pretext.byol = {.hidden = 12, .momentum = 0.5f};
  for (TrainConfig* t : {&c.pretext.train, &c.cluster.train, &c.selflabel.train}) t->batch = 8, t->epochs = 2;
  c.pretext.knn_every = 0;
  c.cluster.heads = 2;
  c.cluster.selection = Selection::last;
  return c;
}

// The losses of rank 0 in the pretext stage, or in all, one after another; channels scaled by 1 + `disturbed`.
std::vector<double> losses_of_ranks(const RunConfig& config, Device device, bool all_stages, float disturbed = 0) {
  const Folder folder("ranks_on_cards");
  std::vector<double> losses;
  on_thread_ranks(2, [&](const std::shared_ptr<Collective>& own) {
    data::Dataset data = striped_data(3, 8, 8);
    for (float& std : data.std) std *= 1 + disturbed;
    ContextOptions options = on_cuda();
    options.device = device;
    options.graphs = false;  // the stand-in is not captured
    const auto cards = std::make_shared<NcclRanks>(own, stand_in());
    options.collective = cards;
    Context ctx(options);
    if (device == Device::cuda) cards->connect(ctx.make_pool());
    Recorder report;
    Session session{ctx, config, data, folder.path(), report};
    pretext(session);
    if (all_stages) {
      mine(session);
      cluster(session);
      selflabel(session);
    }
    if (own->rank() != 0) return;
    for (const nlohmann::json& line : report.lines)
      if (line.contains("loss") && line.contains("epoch_end")) losses.push_back(line.at("loss"));
  });
  return losses;
}

class RanksOnCards : public OnCuda {};

TEST_F(RanksOnCards, TrainAsThoseOfTheCpu) {
  for (const PretextKind kind : {PretextKind::simclr, PretextKind::byol, PretextKind::rotnet}) {
    SCOPED_TRACE(pretext_task(kind).name);
    const RunConfig config = two_steps(kind);
    const bool all = kind == PretextKind::simclr;  // what follows is the same for each
    const std::vector<double> want = losses_of_ranks(config, Device::cpu, all),
                              got = losses_of_ranks(config, Device::cuda, all);
    ASSERT_EQ(want.size(), all ? 6u : 2u);
    ASSERT_EQ(got.size(), want.size());
    // How far rounding carries a run: bounds as in pipeline.cpp.
    double worst = 0;
    std::vector<std::vector<double>> disturbed;
    for (const float by : {0x1p-20f, -0x1p-20f}) disturbed.push_back(losses_of_ranks(config, Device::cpu, all, by));
    for (size_t i = 0; i < want.size(); ++i) {
      for (const auto& other : disturbed) worst = std::max(worst, std::abs(other[i] - want[i]));
      EXPECT_LE(std::abs(got[i] - want[i]), 8 * worst + 100 * 0x1p-24 * std::abs(want[i])) << "loss " << i;
    }
  }
}

// On a device, too, as many ranks give the same bits.
TEST_F(RanksOnCards, GiveTheSameBitsAgain) {
  const RunConfig config = two_steps(PretextKind::simclr);
  EXPECT_EQ(losses_of_ranks(config, Device::cuda, false), losses_of_ranks(config, Device::cuda, false));
}

}  // namespace
}  // namespace kith::test
