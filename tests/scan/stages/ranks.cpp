// Whole runs by several ranks, as threads of this process: the same bits again, stopped and resumed or not; what rank 0 does
// alone.
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

// What comes of an Error on one rank, or of a wish to stop: the same end on all.
enum class End : uint8_t { none, error_of_all, said_by_another, interrupted };
End end_of(const std::function<void()>& f, std::string* text = nullptr) {
  try {
    f();
  } catch (const ErrorOfAll& e) {
    if (text != nullptr) *text = e.what();
    return End::error_of_all;
  } catch (const SaidByAnother&) {
    return End::said_by_another;
  } catch (const Interrupted&) {
    return End::interrupted;
  }
  return End::none;
}

TEST(RanksTogether, OneSaysWhatEndsAll) {
  on_thread_ranks(3, [](const std::shared_ptr<Collective>& ranks) {
    const int rank = ranks->rank();
    std::string text;
    // Of two that fail the lower one speaks.
    EXPECT_EQ(end_of(
                  [&] {
                    together(*ranks, [&] {
                      if (rank > 0) throw Error("no room");
                    });
                  },
                  &text),
              rank == 1 ? End::error_of_all : End::said_by_another);
    EXPECT_EQ(text, rank == 1 ? "rank 1: no room" : "");
    EXPECT_EQ(end_of([&] { alone(*ranks, [] { throw Error("disk full"); }); }, &text),
              rank == 0 ? End::error_of_all : End::said_by_another);
    if (rank == 0) {
      EXPECT_EQ(text, "disk full");
    }
    EXPECT_EQ(end_of([&] { alone(*ranks, [] { throw Interrupted{}; }); }), End::interrupted);
    EXPECT_EQ(end_of([&] { together(*ranks, [] {}); }), End::none);
  });
}

TEST(RanksTogether, RankZeroIsOneRankWhileItIsAlone) {
  on_thread_ranks(2, [](const std::shared_ptr<Collective>& ranks) {
    int calls = 0;
    alone(*ranks, [&] {
      ++calls;
      EXPECT_EQ(ranks->size(), 1);
      EXPECT_EQ(ranks->highest(7), 7);
      alone(*ranks, [&] { ++calls; });
    });
    EXPECT_EQ(calls, ranks->rank() == 0 ? 2 : 0);
    EXPECT_EQ(ranks->size(), 2);
  });
}

TEST(RanksTogether, AllHaveWhatTheFirstReads) {
  on_thread_ranks(3, [](const std::shared_ptr<Collective>& ranks) {
    const int rank = ranks->rank();
    EXPECT_TRUE(answer_of_first(*ranks, [&] { return rank == 0; }));
    EXPECT_EQ(text_of_first(*ranks, [&] { return std::string(rank == 0 ? "a\0b" : "?", 3); }), std::string("a\0b", 3));
    SafeTensors file{.arrays = {}, .metadata = {{"key", "value"}}, .file = "there"};
    file.arrays["x"] = {.dtype = "F32", .shape = {1, 0, 2}, .bytes = {}};
    file.arrays["y"] = {.dtype = "U8", .shape = {2}, .bytes = {std::byte{1}, std::byte{255}}};
    const SafeTensors got = file_of_first(*ranks, [&] { return rank == 0 ? file : SafeTensors{}; });
    EXPECT_EQ(got.metadata, file.metadata);
    EXPECT_EQ(got.file, "there");
    ASSERT_EQ(got.arrays.size(), 2u);
    EXPECT_EQ(got.arrays.at("x").shape, file.arrays.at("x").shape);
    EXPECT_EQ(got.arrays.at("y").bytes, file.arrays.at("y").bytes);
    EXPECT_EQ(got.arrays.at("y").dtype, "U8");
  });
}

// 0.1 three times, and a seventh of their sum, is not 0.1 in f32: statistics that no step has moved must stay as they are.
TEST(RanksTogether, StatisticsBecomeTheirMeanAndEqualOnesStay) {
  on_thread_ranks(7, [](const std::shared_ptr<Collective>& ranks) {
    Context ctx({.threads = 1, .collective = ranks});
    Tensor same = ctx.full({3}, 0.1f), other = ctx.full({2}, static_cast<float>(ranks->rank()));
    StateView view{.parameters = {}, .buffers = {{"same", &same}, {"other", &other}}, .counters = {}};
    average_statistics(*ranks, view);
    EXPECT_EQ(same.to_host(), std::vector<float>(3, 0.1f));
    EXPECT_EQ(other.to_host(), std::vector<float>(2, 3.f));
    other.copy_from(std::vector<float>(2, static_cast<float>(ranks->rank() + 5)));
    take_statistics_of_first(*ranks, view);
    EXPECT_EQ(other.to_host(), std::vector<float>(2, 5.f));
  });
}

}  // namespace
}  // namespace kith
