// Whole runs by several ranks, as threads of this process: the same bits again, stopped and resumed or not.
#include "scan/run/ranks.h"

#include <functional>
#include <memory>
#include <mutex>

#include "nn/state/safetensors.h"
#include "scan/stages/pretext.h"
#include "scan/train/inference.h"
#include "scan/train/trainer.h"
#include "tests/scan/stages/ranks_support.h"

namespace kith {
namespace {

using namespace test;

RunConfig all_stages(bool frozen = false) {
  RunConfig c = tiny_config();
  c.pretext.knn_every = 2;
  c.pretext.train.batch = 15;  // not to be divided by 2
  c.cluster.frozen = frozen;
  c.cluster.init = frozen ? HeadStart::random : HeadStart::kmeans;
  c.selflabel.train.batch = 17;
  c.refine.enabled = true;
  c.refine.train.batch = 17;
  c.refine.labelled = 7;
  c.refine.ema = 0.5f;
  return c;
}

TEST(RanksRun, AsManyRanksGiveTheSameBitsStoppedOrNot) {
  for (const bool frozen : {false, true}) {
    TinyRun whole("ranks_whole", all_stages(frozen)), stopped("ranks_stopped", all_stages(frozen));
    on_ranks_of(whole, 3, [](Session& s) { run(s); });
    int64_t stops = 0;
    // A rank asks, whichever: all stop there.
    for (bool done = false; !done; ++stops) {
      std::vector<int64_t> after(3, kNever);
      after[static_cast<size_t>(stops % 3)] = 3;
      stopped.report = {};
      try {
        on_ranks_of(
            stopped, 3, [](Session& s) { run(s); }, after);
        done = true;
      } catch (const Interrupted&) {
      }
      ASSERT_LT(stops, 40);
    }
    EXPECT_GE(stops, 5);
    expect_same_results(whole, stopped);
    EXPECT_TRUE(bytes_of(whole.file("refine.safetensors")) == bytes_of(stopped.file("refine.safetensors")));
    EXPECT_TRUE(std::filesystem::exists(stopped.file("report.html")));
  }
}

// MoCo's queue is state of its own.
TEST(RanksRun, AQueueOfKeysIsTheSameStoppedOrNot) {
  RunConfig config = tiny_config();
  config.pretext.task = PretextKind::moco;
  config.pretext.augment.size = 8;
  config.pretext.train.batch = 18;
  config.pretext.moco = {.queue = 24, .momentum = 0.9f, .shards = 3};
  TinyRun whole("ranks_queue_whole", config), stopped("ranks_queue_stopped", config);
  on_ranks_of(whole, 3, [](Session& s) { pretext(s); });
  EXPECT_THROW(on_ranks_of(stopped, 3, [](Session& s) { pretext(s); }, {kNever, 5, kNever}), Interrupted);
  stopped.report = {};
  on_ranks_of(stopped, 3, [](Session& s) { pretext(s); });
  for (const char* file : {"pretext.safetensors", "features_train.npy"})
    EXPECT_TRUE(bytes_of(stopped.file(file)) == bytes_of(whole.file(file))) << file;
}

TEST(RanksRun, ImagesPassANetworkAsOnOneRank) {
  RunConfig config = tiny_config();
  config.pretext.train.epochs = 0;
  const data::Dataset data = striped_data(1, 600, 40);  // three batches, the last not full; and one
  const auto stages = [](Session& s) {
    pretext(s);
    mine(s);
  };
  TinyRun one("ranks_one", config, data);
  on_ranks_of(one, 1, stages);
  for (const int count : {2, 3, 4}) {
    TinyRun several("ranks_several", config, data);
    on_ranks_of(several, count, stages);
    for (const char* file : {"features_train.npy", "features_test.npy", "neighbours_train.npy"})
      EXPECT_TRUE(bytes_of(several.file(file)) == bytes_of(one.file(file))) << file << " of " << count << " ranks";
  }
}

TEST(RanksRun, EveryTaskLeavesTheSameStateOnAllRanks) {
  for (const PretextTaskInfo& info : pretext_tasks()) {
    RunConfig config = tiny_config();
    config.pretext.task = info.kind;
    config.pretext.augment.size = 8;
    config.pretext.byol.hidden = 8;
    config.pretext.train.batch = 18;
    config.pretext.moco = {.queue = 24, .shards = 3};
    TinyRun tiny("ranks_state", config);
    std::mutex mutex;
    std::vector<SafeTensors> states;
    on_ranks_of(tiny, 3, [&](Session& s) {
      const ImageSource& images = s.images.of(s.data.pretext_images());
      const auto task = info.make(s.config, s.data, images);
      const SafeTensors before = save_state(task->state());
      train_pretext(s, *task, images);
      const std::lock_guard lock(mutex);
      states.push_back(save_state(task->state()));
      if (info.kind == PretextKind::moco) {
        SafeTensors own;
        task->save(own);
        states.back().arrays["queue"] = own.arrays.at("queue");
      }
      EXPECT_NE(before.arrays.at("backbone.conv1.weight").bytes,
                states.back().arrays.at("backbone.conv1.weight").bytes);
      EXPECT_NE(before.arrays.at("backbone.bn1.running_mean").bytes,
                states.back().arrays.at("backbone.bn1.running_mean").bytes);
    });
    ASSERT_EQ(states.size(), 3u);
    for (const auto& [name, array] : states[0].arrays)
      for (const size_t other : {1, 2})
        EXPECT_TRUE(states[other].arrays.at(name).bytes == array.bytes) << name << " differs between ranks";
  }
}

// A model that notes which samples it was given.
struct Seen {
  std::vector<std::vector<int64_t>> batches, drawn, wholes, drawn_wholes;
};
Seen seen_by(Session& s, int64_t drawn_for = 0) {
  Seen seen;
  Training t;
  t.stage = "pretext";
  t.samples = 23;
  t.config.epochs = 2;
  t.config.batch = 7;
  t.draws = 1;
  t.drawn_for = drawn_for;
  t.draw = [](int64_t epoch, int64_t sample, int64_t* out) { *out = 100 * (epoch + 1) + sample; };
  t.step = [&](const Step& at) {
    seen.batches.emplace_back(at.batch.index.begin(), at.batch.index.end());
    seen.drawn.emplace_back(at.drawn[0].index.begin(), at.drawn[0].index.end());
    seen.wholes.emplace_back(at.whole.begin(), at.whole.end());
    seen.drawn_wholes.emplace_back(at.drawn_whole[0].begin(), at.drawn_whole[0].end());
    return StepMetrics{{.name = "loss", .value = s.ctx.full({}, 1)}};
  };
  t.save = [](Checkpoint&) {};
  t.load = [](const Checkpoint&) {};
  train(s, t);
  return seen;
}

TEST(RanksRun, TheNumberOfRanksChangesNoBatchAndNoDraw) {
  for (const int64_t drawn_for : {0, 6}) {  // for all of a batch; for its first alone, which are shares of their own
    TinyRun tiny("ranks_batches");
    Seen one;
    on_ranks_of(tiny, 1, [&](Session& s) { one = seen_by(s, drawn_for); });
    EXPECT_EQ(one.batches, one.wholes);
    EXPECT_EQ(one.drawn, one.drawn_wholes);
    for (const int count : {2, 3}) {
      std::vector<Seen> parts(static_cast<size_t>(count));
      on_ranks_of(tiny, count,
                  [&](Session& s) { parts[static_cast<size_t>(s.ctx.collective().rank())] = seen_by(s, drawn_for); });
      for (size_t step = 0; step < one.batches.size(); ++step) {
        std::vector<int64_t> batch, drawn;
        for (const Seen& part : parts) {
          batch.insert(batch.end(), part.batches.at(step).begin(), part.batches.at(step).end());
          drawn.insert(drawn.end(), part.drawn.at(step).begin(), part.drawn.at(step).end());
          EXPECT_EQ(part.wholes.at(step), one.batches[step]);
          EXPECT_EQ(part.drawn_wholes.at(step), one.drawn[step]);
          EXPECT_GE(part.drawn.at(step).size(), 2u);
        }
        EXPECT_EQ(batch, one.batches[step]);
        EXPECT_EQ(drawn, one.drawn[step]);
        for (size_t i = 0; i < drawn.size(); ++i) EXPECT_EQ(drawn[i] % 100, batch[i]);
      }
    }
  }
}

TEST(RanksRun, ABatchTooSmallForTheRanksIsAnError) {
  TinyRun tiny("ranks_small");
  EXPECT_EQ(
      error_of([&] { on_ranks_of(tiny, 4, [](Session& s) { seen_by(s); }); }),
      "pretext: a batch of 7 images leaves a rank of 4 with fewer than 2; take fewer ranks, or a larger batch with "
      "--set pretext.batch=N");
  EXPECT_EQ(error_of([&] { on_ranks_of(tiny, 3, [](Session& s) { seen_by(s, 5); }); }),
            "pretext: 5 images drawn for a batch leave a rank of 3 with fewer than 2; take fewer ranks");
}

TEST(RanksRun, GoesOnWithAnotherNumberOfRanksAndSaysSo) {
  TinyRun tiny("ranks_changed");
  EXPECT_THROW(on_ranks_of(tiny, 2, [](Session& s) { run(s); }, {2, 2}), Interrupted);
  tiny.report = {};
  on_ranks_of(tiny, 1, [](Session& s) { run(s); });
  EXPECT_NE(std::ranges::find_if(
                tiny.report.notes,
                [](const std::string& n) { return n.starts_with("pretext: goes on with 1 rank, saved by 2: "); }),
            tiny.report.notes.end());
}

TEST(RanksRun, GoesOnWithOtherStatisticsOfBatchNormAndSaysSo) {
  TinyRun tiny("ranks_norm");
  EXPECT_THROW(on_ranks_of(tiny, 2, [](Session& s) { run(s); }, {2, 2}), Interrupted);
  tiny.report = {};
  on_ranks_of(tiny, 2, [](Session& s) {
    s.ctx.collective().batch_norm = Collective::BatchNorm::whole;
    run(s);
  });
  EXPECT_EQ(std::ranges::count(tiny.report.notes,
                               "pretext: goes on with --sync-bn, saved without it: another run from here on"),
            1);
}

}  // namespace
}  // namespace kith
