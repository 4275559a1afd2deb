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

namespace kith {
namespace {

using namespace test;
using Norm = Collective::BatchNorm;

constexpr double kU = 0x1p-24, kMoved = 0x1p-18;

// Of all images in one step at a rate of 1, without momentum or decay: weights less what they became are the gradient.
struct StepTaken {
  double loss = 0;
  std::map<std::string, std::vector<float>> gradient, after;
  std::vector<float> queue;  // of MoCo
};

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

double largest(const std::vector<float>& a) {
  double most = 0;
  for (const float v : a) most = std::max(most, std::abs(double{v}));
  return most;
}
double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(double{a[i]} - b[i]));
  return most;
}

// What other orders of summation may change. Ranks compute the same sums in another order; of n numbers a sum then moves by about
// sqrt(n) u of its terms (Higham & Mary 2019), n at most the rows of a layer: views times pixels. What becomes of such moves, in
// every layer, in the loss and the gradient is measured: all weights are moved by kMoved of themselves, with random signs, three
// times, and with them the values of every layer. That does not show sums whose terms cancel whatever the weights, as those of a
// bias before a batch norm: their terms are taken to be as large as the largest gradient. A weight at a rate of 1 is
// rounded twice.
struct StepBounds {
  double loss = 0, queue = 0;
  std::map<std::string, double> gradient;
};
StepBounds bounds_of(const RunConfig& config, const StepTaken& one, int views) {
  const double sum = std::sqrt(static_cast<double>(views * config.pretext.train.batch * 8 * 8)) * kU;
  double most = 0;
  for (const auto& [name, gradient] : one.gradient) most = std::max(most, largest(gradient));
  StepBounds out;
  for (const auto& [name, gradient] : one.gradient)
    out.gradient[name] = sum * most + 2 * kU * (largest(one.after.at(name)) + largest(gradient));
  std::map<std::string, double> moves;
  double loss = 0, queue = 0;
  for (const uint64_t seed : {1, 2, 3}) {
    const StepTaken moved = step_of(config, 1, Norm::own, seed);
    loss = std::max(loss, std::abs(moved.loss - one.loss));
    queue = std::max(queue, largest_difference(moved.queue, one.queue));
    for (const auto& [name, gradient] : one.gradient)
      moves[name] = std::max(moves[name], largest_difference(moved.gradient.at(name), gradient));
  }
  out.loss = sum / kMoved * loss + 2 * kU * std::abs(one.loss);
  out.queue = sum / kMoved * queue + 2 * kU;
  for (const auto& [name, move] : moves) out.gradient[name] += sum / kMoved * move;
  return out;
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
