// One step of the pretext by ranks that normalise the whole batch: the step of one rank.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "nn/state/state.h"
#include "scan/stages/pretext.h"
#include "tests/nn/device/ranks.h"
#include "tests/scan/stages/stages_support.h"
#include "tests/scan/step_bounds.h"

namespace kith {
namespace {

using namespace test;
using Norm = Collective::BatchNorm;

constexpr double kMoved = 0x1p-18;

RunConfig one_step(PretextKind kind, int64_t images) {
  RunConfig c = tiny_config();
  c.pretext.task = kind;
  c.pretext.augment.size = 8;
  c.pretext.byol.hidden = 8;
  c.pretext.moco = {.queue = 7, .momentum = 0.5f, .shards = 1};
  c.pretext.train.epochs = 1;
  c.pretext.train.batch = images;
  c.pretext.train.optimizer = {.kind = OptimizerKind::sgd, .momentum = 0, .weight_decay = 0};
  c.pretext.train.schedule = {};
  c.pretext.train.schedule.lr = 1;
  c.pretext.knn_every = 0;
  return c;
}

std::map<std::string, std::vector<float>> weights_of(const StateView& view) {
  std::map<std::string, std::vector<float>> out;
  for (const NamedParameter& p : view.parameters) out[p.name] = p.parameter->value.to_host();
  return out;
}

// Every weight by a share of kMoved of itself, up or down.
void move_weights(const StateView& view, uint64_t seed) {
  uint64_t at = 0;
  for (const NamedParameter& p : view.parameters) {
    std::vector<float> values = p.parameter->value.to_host();
    for (float& v : values) v *= 1 + static_cast<float>(Random(seed, 0, at++, 0).below(2) == 0 ? kMoved : -kMoved);
    p.parameter->value.copy_from(values);
  }
}

std::vector<float> queue_of(const PretextTask& task) {
  SafeTensors file;
  task.save(file);
  const HostArray& a = file.arrays.at("queue");
  return {a.as<float>(), a.as<float>() + a.count()};
}

StepTaken step_of(const RunConfig& config, int count, Norm by, uint64_t moved = 0) {
  TinyRun tiny("ranks_step", config, striped_data(1, config.pretext.train.batch, 8));
  std::mutex mutex;
  std::vector<StepTaken> taken(static_cast<size_t>(count));
  on_thread_ranks(count, [&](const std::shared_ptr<Collective>& own) {
    own->batch_norm = by;
    Context ctx({.threads = 1, .collective = own});
    Recorder report;
    Session s{ctx, tiny.config, tiny.data, tiny.folder.path(), report};
    const ImageSource& images = s.images.of(s.data.pretext_images());
    const auto task = pretext_task(config.pretext.task).make(s.config, s.data, images);
    if (moved != 0) move_weights(task->state(), moved), task->follow();
    StepTaken& to = taken[static_cast<size_t>(own->rank())];
    to.gradient = weights_of(task->state());
    train_pretext(s, *task, images);
    to.after = weights_of(task->state());
    for (auto& [name, values] : to.gradient)
      for (size_t i = 0; i < values.size(); ++i) values[i] -= to.after.at(name)[i];
    for (const nlohmann::json& line : report.lines)
      if (line.contains("loss")) to.loss = line.at("loss");
    if (config.pretext.task == PretextKind::moco) to.queue = queue_of(*task);
    for (const NamedBuffer& b : task->state().buffers) to.after[b.name] = b.tensor->to_host();
  });
  for (const StepTaken& of : taken) {  // the same bits on every rank
    EXPECT_EQ(of.after, taken[0].after);
    EXPECT_EQ(of.queue, taken[0].queue);
  }
  return taken[0];
}

StepBounds bounds_of(const RunConfig& config, const StepTaken& one, int views) {
  return step_bounds(one, static_cast<double>(views * config.pretext.train.batch * 8 * 8), kMoved,
                     [&](uint64_t seed) { return step_of(config, 1, Norm::own, seed); });
}

void expect_step_of_one_rank(const StepTaken& several, const StepTaken& one, const StepBounds& bounds) {
  EXPECT_LE(std::abs(several.loss - one.loss), bounds.loss);
  for (const auto& [name, gradient] : one.gradient)
    EXPECT_LE(largest_difference(several.gradient.at(name), gradient), bounds.gradient.at(name)) << name;
  ASSERT_EQ(several.queue.size(), one.queue.size());
  EXPECT_LE(largest_difference(several.queue, one.queue), bounds.queue);
}

TEST(RanksStep, WithStatisticsOfTheWholeBatchIsThatOfOneRank) {
  for (const auto& [kind, views] :
       {std::pair(PretextKind::simclr, 2), {PretextKind::moco, 1}, {PretextKind::byol, 2}, {PretextKind::rotnet, 4}})
    for (const int64_t images : {15, 5}) {  // of 4 ranks: 3, 4, 4, 4; and 1, 1, 1, 2
      SCOPED_TRACE(testing::Message() << pretext_task(kind).name << ", " << images << " images");
      const RunConfig config = one_step(kind, images);
      const StepTaken one = step_of(config, 1, Norm::whole);
      const StepBounds bounds = bounds_of(config, one, views);
      for (const int ranks : {2, 3, 4}) {
        SCOPED_TRACE(ranks);
        expect_step_of_one_rank(step_of(config, ranks, Norm::whole), one, bounds);
      }
      if (images == 5 || kind == PretextKind::moco) continue;  // of a share's own statistics it is another step
      const StepTaken own = step_of(config, 2, Norm::own);
      EXPECT_GT(largest_difference(own.gradient.at("backbone.conv1.weight"), one.gradient.at("backbone.conv1.weight")),
                10 * bounds.gradient.at("backbone.conv1.weight"));
    }
}

// Shards keep the statistics of their own: those of one rank, whoever has them.
TEST(RanksStep, OfMocoInShardsIsThatOfOneRank) {
  RunConfig config = one_step(PretextKind::moco, 18);
  config.pretext.moco.shards = 6;
  const StepTaken one = step_of(config, 1, Norm::own);
  const StepBounds bounds = bounds_of(config, one, 1);
  for (const int ranks : {2, 3}) {
    SCOPED_TRACE(ranks);
    expect_step_of_one_rank(step_of(config, ranks, Norm::own), one, bounds);
  }
}

}  // namespace
}  // namespace kith
