// Ranks that have other data or other weights than rank 0.
#include "scan/run/alike.h"

#include <functional>
#include <string>

#include "scan/run/ranks.h"
#include "scan/stages/pretext.h"
#include "scan/train/trainer.h"
#include "tests/scan/stages/ranks_support.h"

namespace kith {
namespace {

using namespace test;

// What a rank says as f ends all; of the others "-".
std::string said_by_rank(const std::function<void()>& f) {
  try {
    f();
  } catch (const ErrorOfAll& e) {
    return e.what();
  } catch (const SaidByAnother&) {
    return "-";
  }
  return "";
}

TEST(RanksAlike, TheLowestThatDiffersSaysSo) {
  on_thread_ranks(4, [](const std::shared_ptr<Collective>& ranks) {
    const int rank = ranks->rank();
    const auto said = [&](const std::string& own) {
      return said_by_rank([&] { expect_alike(*ranks, own, [&](const std::string& first) { return own + first; }); });
    };
    EXPECT_EQ(said("same"), "");
    EXPECT_EQ(said(std::to_string(rank / 2)), rank == 2 ? "rank 2: 10" : "-");
  });
}

TEST(RanksAlike, DataSetsAreComparedByTheirContent) {
  on_thread_ranks(3, [](const std::shared_ptr<Collective>& ranks) {
    data::Dataset data = striped_data();
    EXPECT_EQ(said_by_rank([&] { expect_same_data(*ranks, data); }), "");
    if (ranks->rank() == 1) flip_pixel(data.splits[0].images, 7), data.mean[1] = 0.5f;
    EXPECT_EQ(said_by_rank([&] { expect_same_data(*ranks, data); }),
              ranks->rank() == 1 ? "rank 1: striped:nowhere: not rank 0's: normalisation, train images; expected the "
                                   "same data set on every machine"
                                 : "-");
  });
}

// As a processor that rounds otherwise would have it: one weight of one rank, in the second epoch.
TEST(RanksAlike, WeightsThatDriftApartEndTheStage) {
  TinyRun tiny("ranks_drift");
  on_ranks_of(tiny, 3, [](Session& s) {
    const ImageSource& images = s.images.of(s.data.pretext_images());
    const auto task = pretext_task(s.config.pretext.task).make(s.config, s.data, images);
    Optimizer optimizer(s.ctx, task->state().parameters, {});
    const bool drifts = s.ctx.collective().rank() == 2;
    int64_t steps = 0;
    Training t;
    t.stage = "pretext";
    t.samples = 24;
    t.config.epochs = 3;
    t.config.batch = 8;
    t.optimizer = &optimizer;
    t.step = [&](const Step&) {
      const Tensor one = optimizer.flat().values().part(5, 1);
      if (++steps == 5 && drifts) one.copy_from(std::vector<float>{one.to_host()[0] + 0x1p-20f});
      return StepMetrics{{.name = "loss", .value = s.ctx.full({}, 1)}};
    };
    t.save = [](Checkpoint&) {};
    t.load = [](const Checkpoint&) {};
    EXPECT_EQ(said_by_rank([&] { train(s, std::move(t)); }),
              drifts ? "rank 2: pretext: the weights after epoch 2 are not those of rank 0: they train one network no "
                       "more; expected one build of the program on processors of one kind, and memory without faults"
                     : "-");
    EXPECT_EQ(steps, 6);
  });
}

}  // namespace
}  // namespace kith
