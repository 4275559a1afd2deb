// Refinement by ranks that normalise the whole batch: the step of one rank.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "nn/state/safetensors.h"
#include "tests/scan/stages/ranks_support.h"
#include "tests/scan/step_bounds.h"
#include "tests/support/lost_record.h"

namespace kith {
namespace {

using namespace test;

constexpr double kMovedBy = 0x1p-18;
constexpr int64_t kAll = 18;

// All images in one step at a rate of 1, all of them reliable: what is chosen does not hang on a rounding.
RunConfig refine_one_step() {
  RunConfig c = tiny_config();
  c.pretext.train.epochs = c.cluster.train.epochs = 4;
  c.pretext.knn_every = 0;
  c.selflabel.enabled = false;
  c.refine.enabled = true;
  c.refine.train.epochs = 1;
  c.refine.train.batch = kAll;
  c.refine.train.optimizer = {.kind = OptimizerKind::sgd, .momentum = 0, .weight_decay = 0};
  c.refine.train.schedule = {};
  c.refine.train.schedule.lr = 1;
  c.refine.labelled = 9;  // of 4 ranks: 2, 2, 2, 3
  c.refine.agreement = 0;
  c.refine.confidence = 0;
  c.refine.threshold = 0;
  c.refine.ema = 0;
  c.refine.statistics = Statistics::moving;
  return c;
}

std::map<std::string, std::vector<float>> arrays_of(const SafeTensors& file) {
  std::map<std::string, std::vector<float>> out;
  for (const auto& [name, a] : file.arrays)
    if (a.dtype == "F32") out[name] = {a.as<float>(), a.as<float>() + a.count()};
  return out;
}

class RanksRefine : public testing::Test {
 protected:
  RanksRefine() : tiny_("ranks_refine", refine_one_step(), striped_data(1, kAll, 8)) {
    on_ranks_of(tiny_, 1, [](Session& s) {
      pretext(s);
      mine(s);
      cluster(s);
    });
    begun_ = read_safetensors(tiny_.file("cluster.safetensors"));
    lose_record(tiny_.file("").parent_path(), "cluster");  // whose weights are moved
  }

  // The loss of the step, and what it did to the weights; `moved` as of step_bounds.
  StepTaken step(int count, Collective::BatchNorm by, uint64_t moved = 0) {
    SafeTensors from = begun_;
    uint64_t at = 0;
    for (auto& [name, a] : from.arrays)
      for (int64_t i = 0; moved != 0 && a.dtype == "F32" && i < a.count(); ++i, ++at)
        reinterpret_cast<float*>(a.bytes.data())[i] *=
            1 + static_cast<float>(Random(moved, 0, at, 0).below(2) == 0 ? kMovedBy : -kMovedBy);
    write_safetensors(tiny_.file("cluster.safetensors"), from);
    tiny_.report = {};
    on_ranks_of(tiny_, count, [&](Session& s) {
      s.ctx.collective().batch_norm = by;
      refine(s);
    });
    StepTaken out{.gradient = arrays_of(from), .after = arrays_of(read_safetensors(tiny_.file("refine.safetensors")))};
    for (auto& [name, values] : out.gradient)
      for (size_t i = 0; i < values.size(); ++i) values[i] -= out.after.at(name)[i];
    for (const nlohmann::json& line : tiny_.report.lines) {
      if (line.contains("labelled_loss")) out.loss = line.at("loss"), kept_ = line.at("kept");
      if (line.contains("reliable")) reliable_ = line.at("reliable_per_cluster");
    }
    return out;
  }

  TinyRun tiny_;
  SafeTensors begun_;
  double kept_ = 0;
  nlohmann::json reliable_;
};

TEST_F(RanksRefine, WithStatisticsOfTheWholeBatchIsTheStepOfOneRank) {
  const auto whole = Collective::BatchNorm::whole;
  const StepTaken one = step(1, whole);
  const nlohmann::json reliable = reliable_;
  EXPECT_GT(one.loss, 0);
  const StepBounds bounds = step_bounds(one, static_cast<double>(kAll * 9 * 8), kMovedBy,
                                        [&](uint64_t seed) { return step(1, whole, seed); });
  for (const int ranks : {2, 3, 4}) {
    SCOPED_TRACE(ranks);
    const StepTaken several = step(ranks, whole);
    EXPECT_EQ(reliable_, reliable);  // chosen before any step: the same bits
    EXPECT_EQ(kept_, 1);
    EXPECT_LE(std::abs(several.loss - one.loss), bounds.loss);
    for (const auto& [name, gradient] : one.gradient)
      EXPECT_LE(largest_difference(several.gradient.at(name), gradient), bounds.gradient.at(name)) << name;
  }
  // Of a share's own statistics it is another step.
  EXPECT_GT(largest_difference(step(2, Collective::BatchNorm::own).gradient.at("backbone.conv1.weight"),
                               one.gradient.at("backbone.conv1.weight")),
            10 * bounds.gradient.at("backbone.conv1.weight"));
}

}  // namespace
}  // namespace kith
