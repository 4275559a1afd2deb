// Stages by two ranks on a card each, under the SIMT runner: a stand-in for NCCL (tests/nn/device/fake_nccl.cpp) moves what lies
// on the devices. Against two ranks on the CPU.
#include "tests/nn/device/ranks.h"

#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "nn/device/ranks/nccl_ranks.h"
#include "nn/tensor/buffer.h"
#include "scan/pretext/task.h"
#include "scan/run/alike.h"
#include "scan/stages/baselines.h"
#include "scan/stages/shared_kmeans.h"
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

using Stages = std::vector<void (*)(Session&)>;
constexpr int64_t kNoStop = std::numeric_limits<int64_t>::max();

struct Ranks {
  int count = 2;
  Device device = Device::cuda;
  float disturbed = 0;           // channels are scaled by 1 + this
  int64_t stop_after = kNoStop;  // steps
};

// Those stages by each rank, in `folder`; use(session, lines of the log) of rank 0 behind them.
void on_cards(const Ranks& ranks, const RunConfig& config, const data::Dataset& images,
              const std::filesystem::path& folder, const Stages& stages,
              const std::function<void(Session&, const std::vector<nlohmann::json>&)>& use) {
  on_thread_ranks(ranks.count, [&](const std::shared_ptr<Collective>& own) {
    data::Dataset data = images;
    ContextOptions options = on_cuda();
    options.device = ranks.device;
    options.graphs = false;  // the stand-in is not captured
    const auto cards = std::make_shared<NcclRanks>(own, stand_in());
    options.collective = cards;
    Context ctx(options);
    if (ranks.device == Device::cuda) cards->connect(ctx.make_pool());
    Recorder report;
    report.stop_after = ranks.stop_after;
    Session session{ctx, config, data, folder, report};
    session.ledger.origin("pretext");  // what the folder holds was made from images that are not disturbed
    for (float& std : data.std) std *= 1 + ranks.disturbed;
    for (const auto stage : stages) stage(session);
    if (own->rank() == 0) use(session, report.lines);
  });
}

std::vector<double> losses_in(const std::vector<nlohmann::json>& lines) {
  std::vector<double> losses;
  for (const nlohmann::json& line : lines)
    if (line.contains("loss") && line.contains("epoch_end")) losses.push_back(line.at("loss"));
  return losses;
}

std::vector<double> losses_of_ranks(const RunConfig& config, const Stages& stages, const Ranks& ranks) {
  const Folder folder("ranks_on_cards");
  std::vector<double> losses;
  on_cards(ranks, config, striped_data(3, 8, 8), folder.path(), stages,
           [&](Session&, const auto& lines) { losses = losses_in(lines); });
  return losses;
}

constexpr float kDisturbances[] = {0x1p-20f, -0x1p-20f};

// How far rounding carries a run: bounds as in pipeline.cpp.
void expect_same_course(const std::vector<double>& got, const std::vector<double>& want,
                        const std::vector<std::vector<double>>& disturbed) {
  ASSERT_EQ(got.size(), want.size());
  double worst = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    for (const auto& other : disturbed) worst = std::max(worst, std::abs(other.at(i) - want[i]));
    EXPECT_LE(std::abs(got[i] - want[i]), 8 * worst + 100 * 0x1p-24 * std::abs(want[i])) << "loss " << i;
  }
}

class RanksOnCards : public OnCuda {};

TEST_F(RanksOnCards, TrainAsThoseOfTheCpu) {
  for (const PretextKind kind : {PretextKind::simclr, PretextKind::byol, PretextKind::rotnet}) {
    SCOPED_TRACE(pretext_task(kind).name);
    const RunConfig config = two_steps(kind);
    Stages stages = {pretext};
    if (kind == PretextKind::simclr) stages = {pretext, mine, cluster, selflabel};  // what follows is the same for each
    const std::vector<double> want = losses_of_ranks(config, stages, {.device = Device::cpu});
    ASSERT_EQ(want.size(), kind == PretextKind::simclr ? 6u : 2u);
    std::vector<std::vector<double>> disturbed;
    for (const float by : kDisturbances)
      disturbed.push_back(losses_of_ranks(config, stages, {.device = Device::cpu, .disturbed = by}));
    expect_same_course(losses_of_ranks(config, stages, {}), want, disturbed);
  }
}

// On a device, too, as many ranks give the same bits.
TEST_F(RanksOnCards, GiveTheSameBitsAgain) {
  const RunConfig config = two_steps(PretextKind::simclr);
  EXPECT_EQ(losses_of_ranks(config, {pretext}, {}), losses_of_ranks(config, {pretext}, {}));
}

struct Refined {
  std::vector<double> losses;
  nlohmann::json reliable;
  double kept = 0;
  std::string weights;
};

// In a copy of the folder `before`; with `stop_after` stopped there, and gone on with.
Refined refined(const std::filesystem::path& before, const RunConfig& config, const Ranks& ranks) {
  const Folder folder("ranks_refined");
  std::filesystem::copy(before, folder.path(), std::filesystem::copy_options::recursive);
  const data::Dataset data = striped_data(3, 8, 8);
  Refined out;
  if (ranks.stop_after != kNoStop) {
    EXPECT_THROW(on_cards(ranks, config, data, folder.path(), {refine}, [](Session&, const auto&) {}), Interrupted);
  }
  Ranks rest = ranks;
  rest.stop_after = kNoStop;
  on_cards(rest, config, data, folder.path(), {refine}, [&](Session&, const std::vector<nlohmann::json>& lines) {
    out.losses = losses_in(lines);
    for (const nlohmann::json& line : lines) {
      if (line.contains("reliable_per_cluster")) out.reliable = line.at("reliable_per_cluster");
      if (line.contains("kept")) out.kept = line.at("kept");
    }
  });
  out.weights = bytes_of(folder.path() / "refine.safetensors");
  return out;
}

// From what two ranks on the CPU have left they choose the same labels and take the same course; a stop changes no bit of it.
TEST_F(RanksOnCards, RefineAsThoseOfTheCpu) {
  RunConfig config = two_steps(PretextKind::simclr);
  config.selflabel.enabled = false;
  config.refine.enabled = true;
  config.refine.train = config.cluster.train;
  config.refine.labelled = 5;  // of the ranks 2 and 3
  config.refine.neighbours = 3;
  config.refine.agreement = config.refine.confidence = config.refine.threshold = 0;  // no choice hangs on a rounding
  config.refine.ema = 0.5f;
  const Folder before("ranks_before_refinement");
  on_cards({.device = Device::cpu}, config, striped_data(3, 8, 8), before.path(), {pretext, mine, cluster},
           [](Session&, const auto&) {});
  const Refined want = refined(before.path(), config, {.device = Device::cpu}),
                got = refined(before.path(), config, {}), stopped = refined(before.path(), config, {.stop_after = 1});
  std::vector<std::vector<double>> disturbed;
  for (const float by : kDisturbances)
    disturbed.push_back(refined(before.path(), config, {.device = Device::cpu, .disturbed = by}).losses);
  ASSERT_EQ(want.losses.size(), 2u);
  EXPECT_EQ(got.reliable, want.reliable);
  EXPECT_EQ(got.kept, 1);
  expect_same_course(got.losses, want.losses, disturbed);
  EXPECT_TRUE(stopped.weights == got.weights);
}

// Rank 0 has all rows, the other none, and gets the centroids.
void share_centroids(Session& s) {
  std::vector<float> values;
  for (int64_t i = 0; i < 90; ++i)
    values.push_back(static_cast<float>(Random(3, 0, static_cast<uint64_t>(i), 0).uniform53()));
  const RowsOfRank own = kmeans_rows(s.ctx, 30, 3, 4);
  EXPECT_EQ(own.count, s.ctx.collective().rank() == 0 ? 30 : 0);
  const Tensor rows = s.ctx.from({own.count, 3}, std::span(values).first(static_cast<size_t>(own.count * 3))),
               centroids = s.ctx.full({4, 3}, -1);
  const double mean = shared_kmeans(
      s.ctx, {.own = rows.matrix(), .rows = 30, .restarts = 2, .seed = 8, .centroids = centroids.matrix()});
  const auto compare = [&](const Tensor& x, const char* what) { expect_same_bits(s.ctx.collective(), x, what); };
  compare(centroids, "centroids");
  compare(s.ctx.full({1}, static_cast<float>(mean)), "distances");
  for (const float v : centroids.to_host()) EXPECT_GT(v, 0);
  s.report.metric({{"assigned", centroids.to_host()}});
}

void tell_baselines(Session& s) {
  for (const Baseline& b : kmeans_baselines(s, 3)) s.report.metric({{"assigned", b.assigned}});
}

// Baselines of the table, and prototypes that heads begin with, are those of one card to the bit.
TEST_F(RanksOnCards, KMeansIsThatOfOneCard) {
  RunConfig config = tiny_config();
  config.pretext.train.epochs = config.cluster.train.epochs = 0;
  config.pretext.knn_every = 0;
  config.cluster.init = HeadStart::kmeans;
  config.cluster.heads = 2;
  const auto found_by = [&](int count) {
    const Folder folder("ranks_kmeans_on_cards");
    std::vector<nlohmann::json> assigned;
    on_cards({.count = count}, config, striped_data(1, 30, 12), folder.path(),
             {pretext, mine, cluster, tell_baselines, share_centroids},
             [&](Session&, const std::vector<nlohmann::json>& lines) {
               for (const nlohmann::json& line : lines)
                 if (line.contains("assigned")) assigned.push_back(line.at("assigned"));
             });
    return std::pair(assigned, bytes_of(folder.path() / "cluster.safetensors"));
  };
  const auto [one, of_one] = found_by(1);
  const auto [two, of_two] = found_by(2);
  ASSERT_EQ(one.size(), 3u);
  EXPECT_EQ(one[0].size(), 12u);
  EXPECT_EQ(two, one);
  EXPECT_TRUE(of_two == of_one);
}

}  // namespace
}  // namespace kith::test
