#include "scan/train/trainer.h"

#include <cmath>
#include <set>

#include "kernels/core/check.h"
#include "scan/run/timing.h"
#include "scan/train/lower_rate.h"
#include "scan/train/step_readback.h"
#include "tests/scan/stages/stages_support.h"
#include "tests/support/flipped.h"

namespace kith {
namespace {

using namespace test;

// A "model" of one number that every sample changes in an order-dependent way.
struct Fake {
  explicit Fake(const std::string& name) : folder(name) {}
  Folder folder;
  Recorder report;
  Context ctx{{.threads = 1}};
  RunConfig config = tiny_config();
  data::Dataset data = striped_data();
  double value = 1;
  int64_t counter = 0;  // of passes, as layers of batch norm have it
  std::vector<int64_t> seen;
  std::vector<int64_t> begun;
  // The loss of a step, and whether it learned anything.
  struct Outcome {
    double loss;
    bool kept = true;
  };
  std::function<Outcome(double)> outcome = [](double v) { return Outcome{v}; };
  std::function<void(int64_t)> begins, ends;  // passes of an epoch

  Session session() { return {ctx, config, data, folder.path(), report}; }
  Training training(int64_t samples, int64_t epochs, int64_t batch) {
    Training t;
    t.stage = "pretext";
    t.samples = samples;
    t.config.epochs = epochs;
    t.config.batch = batch;
    t.step = [this](const Step& at) {
      for (const int64_t i : at.batch.index) value = value * 1.0000001 + static_cast<double>(i % 7), seen.push_back(i);
      const Outcome o = outcome(value);
      const std::vector<int32_t> kept{o.kept ? 1 : 0};
      return StepMetrics{{.name = "loss", .value = ctx.full({}, static_cast<float>(o.loss))},
                         {.name = "", .value = {}, .count = Array<int32_t>(ctx, kept), .skipped_if_zero = true}};
    };
    t.begin_epoch = [this](int64_t epoch) {
      if (begins) begins(epoch);
      begun.push_back(epoch);
    };
    t.end_epoch = [this](int64_t epoch) {
      if (ends) ends(epoch);
      return nlohmann::json{{"value", value}};
    };
    t.counters = {&counter};
    t.save = [this](Checkpoint& c) { c.state["value"] = value, c.state["counter"] = counter; };
    t.load = [this](const Checkpoint& c) {
      c.state.at("value").get_to(value);
      c.state.at("counter").get_to(counter);
    };
    return t;
  }
};

TEST(Trainer, EpochsSeeWholeBatchesOfDistinctSamples) {
  Fake fake("trainer_whole");
  train(fake.session(), fake.training(23, 2, 5));
  ASSERT_EQ(fake.seen.size(), 40u);  // the last 3 of 23 are dropped
  for (int epoch = 0; epoch < 2; ++epoch)
    EXPECT_EQ(std::set<int64_t>(fake.seen.begin() + epoch * 20, fake.seen.begin() + epoch * 20 + 20).size(), 20u);
  EXPECT_EQ(fake.report.steps, 8);
  ASSERT_EQ(fake.report.lines.size(), 2u);
  EXPECT_EQ(fake.report.lines[1].at("epoch"), 2);
  EXPECT_EQ(fake.report.lines[1].at("value"), fake.value);
  EXPECT_TRUE(recorded_seconds(fake.session()).contains("pretext"));
}

TEST(Trainer, ResumesAtEveryStepWithTheSameNumbers) {
  Fake whole("trainer_uninterrupted");
  train(whole.session(), whole.training(23, 3, 5));
  for (int64_t stop = 0; stop <= 12; ++stop) {
    Fake first("trainer_interrupted");
    first.report.stop_after = stop;
    // Zero: asked to stop before the first step. Twelve: after the last, but before the end of the last epoch.
    EXPECT_THROW(train(first.session(), first.training(23, 3, 5)), Interrupted);
    Recorder again;
    Session session{first.ctx, first.config, first.data, first.folder.path(), again};
    first.value = -1;
    train(session, first.training(23, 3, 5));
    EXPECT_EQ(first.value, whole.value) << "stopped after step " << stop;
    EXPECT_EQ(first.seen, whole.seen);
    EXPECT_EQ(first.begun, whole.begun);
    EXPECT_EQ(again.lines.back().at("loss"), whole.report.lines.back().at("loss"));
  }
}

// The passes over images before and after an epoch's steps end where a stop is asked for: no step is lost, or made twice.
TEST(Trainer, StoppedInThePassesAroundAnEpochItSavesAsBetweenSteps) {
  Fake whole("trainer_passes_whole");
  whole.begins = whole.ends = [&](int64_t) { ++whole.counter; };
  train(whole.session(), whole.training(23, 3, 5));
  for (const bool at_end : {false, true}) {
    Fake cut("trainer_passes_cut");
    Training t = cut.training(23, 3, 5);
    const auto counts = [&](int64_t) { ++cut.counter; };
    cut.begins = cut.ends = counts;
    auto& passes = at_end ? cut.ends : cut.begins;
    passes = [&](int64_t epoch) {
      ++cut.counter;
      if (epoch == 1) throw Interrupted{};
    };
    EXPECT_THROW(train(cut.session(), std::move(t)), Interrupted);
    ASSERT_FALSE(cut.report.notes.empty());
    EXPECT_NE(cut.report.notes.back().find("saved, the same command continues"), std::string::npos);
    passes = counts;
    Recorder again;
    Session session{cut.ctx, cut.config, cut.data, cut.folder.path(), again};
    cut.value = -1;
    train(session, cut.training(23, 3, 5));
    EXPECT_EQ(cut.value, whole.value);
    EXPECT_EQ(cut.counter, 6);
    EXPECT_EQ(whole.counter, 6);
    EXPECT_EQ(cut.seen, whole.seen);
    ASSERT_EQ(again.lines.size(), 2u);  // of the second and third epoch
    EXPECT_EQ(again.lines[0].at("loss"), whole.report.lines[1].at("loss"));
  }
}

// Keeps its lines over a crash, as metrics.jsonl does.
struct Log : Recorder {
  int64_t log_position() override { return static_cast<int64_t>(lines.size()); }
  void rewind_log(int64_t position) override { lines.resize(static_cast<size_t>(position)); }
};

TEST(Trainer, AfterACrashTheLogGoesBackToTheCheckpoint) {
  Fake whole("trainer_log_whole"), crashed("trainer_log_crashed");
  train(whole.session(), whole.training(23, 3, 5));
  crashed.config.checkpoint_seconds = 0;
  Log log;
  Session session{crashed.ctx, crashed.config, crashed.data, crashed.folder.path(), log};
  int calls = 0;
  crashed.outcome = [&](double v) {
    if (++calls == 5) throw std::runtime_error("power cut");  // epoch 1 is logged, its checkpoint is from just before
    return Fake::Outcome{v};
  };
  EXPECT_THROW(train(session, crashed.training(23, 3, 5)), std::runtime_error);
  EXPECT_EQ(log.lines.size(), 1u);
  train(session, crashed.training(23, 3, 5));
  ASSERT_EQ(log.lines.size(), whole.report.lines.size());
  for (size_t i = 0; i < log.lines.size(); ++i) {
    EXPECT_EQ(log.lines[i].at("epoch"), whole.report.lines[i].at("epoch"));
    EXPECT_EQ(log.lines[i].at("loss"), whole.report.lines[i].at("loss"));
  }
}

TEST(Trainer, CheckpointsByTheClock) {
  Fake fake("trainer_clock");
  fake.config.checkpoint_seconds = 0;
  train(fake.session(), fake.training(10, 1, 5));
  EXPECT_TRUE(read_checkpoint(fake.session(), "pretext"));
  remove_checkpoint(fake.session(), "pretext");
  EXPECT_FALSE(read_checkpoint(fake.session(), "pretext"));
}

TEST(Trainer, SkippedBatchesAreCountedAndLeaveTheAverageAlone) {
  Fake fake("trainer_skip");
  int calls = 0;
  fake.outcome = [&](double) { return Fake::Outcome{2.0, ++calls % 2 == 0}; };
  train(fake.session(), fake.training(20, 1, 5));
  EXPECT_EQ(fake.report.lines.back().at("skipped_batches"), 2);
  EXPECT_EQ(fake.report.lines.back().at("loss"), 2.0);
}

TEST(Trainer, AnEpochOfSkippedBatchesHasNoLoss) {
  Fake fake("trainer_skip_all");
  fake.outcome = [](double) { return Fake::Outcome{2.0, false}; };
  train(fake.session(), fake.training(20, 1, 5));
  EXPECT_FALSE(fake.report.lines.back().contains("loss"));
}

TEST(Trainer, DivergenceNamesStageEpochAndStep) {
  Fake fake("trainer_nan");
  int calls = 0;
  fake.outcome = [&](double) { return Fake::Outcome{++calls == 6 ? std::nan("") : 1.5}; };
  const std::string error = error_of([&] { train(fake.session(), fake.training(20, 2, 5)); });
  for (const char* part : {"pretext", "loss became nan", "epoch 2", "step 2", "1.5", "pretext.schedule.lr="})
    EXPECT_NE(error.find(part), std::string::npos) << error;
}

TEST(Trainer, TheLowerRateThatIsAdvisedIsWorthATry) {
  const auto hint = [](OptimizerKind kind, double lr) {
    TrainConfig t;
    t.optimizer.kind = kind, t.schedule.lr = lr;
    return lower_rate_hint("cluster", t);
  };
  const std::string begin = "; try a lower learning rate, --set cluster.schedule.lr=";
  EXPECT_EQ(hint(OptimizerKind::sgd, 0.4), begin + "0.1");
  EXPECT_EQ(hint(OptimizerKind::sgd, 1e30), begin + "1");
  EXPECT_EQ(hint(OptimizerKind::adamw, 2e-3), begin + "0.0005");
  EXPECT_EQ(hint(OptimizerKind::adam, 1e30), begin + "0.002");
  EXPECT_EQ(hint(OptimizerKind::adam, 1e-20), "") << "it is not the rate";
}

TEST(Trainer, SmallDataSetsCutTheBatch) {
  Fake fake("trainer_small");
  train(fake.session(), fake.training(7, 1, 64));
  EXPECT_EQ(fake.seen.size(), 7u);
  EXPECT_NE(error_of([&] { train(fake.session(), fake.training(1, 1, 64)); }).find("at least 2"), std::string::npos);
}

TEST(Checkpoint, BelongsToOneConfiguration) {
  Fake fake("checkpoint_hash");
  write_checkpoint(fake.session(), "pretext", {.arrays = {}, .state = {{"third", 1.0 / 3}}});
  fake.config.threads = 3;
  fake.config.checkpoint_seconds = 7;
  fake.config.precision = Precision::bf16;  // a run is finished on another device
  fake.config.tf32 = true;
  fake.config.data.spec = "striped:elsewhere";
  fake.config.cluster.heads = 9;  // of a later stage
  fake.config.evaluate.knn_k = 3;
  EXPECT_EQ(read_checkpoint(fake.session(), "pretext")->state.at("third"), 1.0 / 3);
  fake.config.pretext.tau *= 2;
  EXPECT_NE(error_of([&] {
              read_checkpoint(fake.session(), "pretext");
            }).find("begun with other inputs (pretext.tau was 0.2, now 0.4)"),
            std::string::npos);
}

TEST(Checkpoint, ResultsAreStampedAndRequired) {
  Fake fake("checkpoint_result");
  EXPECT_NE(error_of([&] { read_result(fake.session(), "pretext"); }).find("run the pretext stage first"),
            std::string::npos);
  write_result(fake.session(), "pretext", {});
  read_result(fake.session(), "pretext");
  fake.config.seed = 6;
  EXPECT_NE(
      error_of([&] { read_result(fake.session(), "pretext"); }).find("made from other inputs (seed was 5, now 6)"),
      std::string::npos);
}

// Whatever bit of the file it is: one of a tensor, of the state, of the origin.
TEST(Checkpoint, OtherBytesThanWereSavedAreRefused) {
  Fake fake("checkpoint_bits");
  SafeTensors tensors;
  tensors.arrays["w"] = {.dtype = "U8", .shape = {4}, .bytes = std::vector<std::byte>(4, std::byte{7})};
  const auto save = [&] {
    write_checkpoint(fake.session(), "pretext", {.arrays = tensors, .state = {{"loss", 0.4375}}});
  };
  const std::filesystem::path file = fake.folder.path() / "checkpoint_pretext.safetensors";
  save();
  const std::string bytes = bytes_of(file),
                    line = file.string() +
                           ": damaged: not the bytes that were saved; remove it, and the stage pretext begins anew";
  for (const size_t at : {bytes.size() - 1, bytes.size() - 4, bytes.find("0.4375") + 2, bytes.find("\\\"seed") + 2}) {
    ASSERT_LT(at, bytes.size());
    flip_bit(file, static_cast<int>(bytes.size() - at));
    EXPECT_EQ(error_of([&] { read_checkpoint(fake.session(), "pretext"); }), line) << at;
    EXPECT_EQ(error_of([&] { expect_whole_checkpoint(fake.folder.path(), "pretext"); }), line) << at;
    save();
  }
  std::filesystem::resize_file(file, bytes.size() - 2);
  const std::string cut = error_of([&] { read_checkpoint(fake.session(), "pretext"); });
  EXPECT_TRUE(cut.starts_with(file.string() + ": ")) << cut;
  EXPECT_TRUE(cut.ends_with("; remove it, and the stage pretext begins anew")) << cut;
  save();
  EXPECT_EQ(read_checkpoint(fake.session(), "pretext")->state.at("loss"), 0.4375);
  expect_whole_checkpoint(fake.folder.path(), "pretext");
  expect_whole_checkpoint(fake.folder.path(), "cluster");  // none
}

TEST(Checkpoint, OneOfAnEarlierKithHasNoDigestAndIsRead) {
  Fake fake("checkpoint_earlier");
  write_checkpoint(fake.session(), "pretext", {.arrays = {}, .state = {{"third", 1.0 / 3}}});
  const std::filesystem::path file = fake.folder.path() / "checkpoint_pretext.safetensors";
  SafeTensors earlier = read_safetensors(file);
  ASSERT_EQ(earlier.metadata.erase("kith.digest"), 1u);
  write_safetensors(file, earlier);
  EXPECT_EQ(read_checkpoint(fake.session(), "pretext")->state.at("third"), 1.0 / 3);
  expect_whole_checkpoint(fake.folder.path(), "pretext");
}

TEST(Checkpoint, SectionsKeepTheirNames) {
  SafeTensors part, file;
  part.arrays["a.weight"] = {.dtype = "U8", .shape = {1}, .bytes = {std::byte{7}}};
  part.metadata["note"] = "text";
  put_section(file, "model", part);
  put_section(file, "model2", {});
  EXPECT_EQ(file.arrays.begin()->first, "model/a.weight");
  const SafeTensors back = take_section(file, "model");
  EXPECT_EQ(back.arrays.at("a.weight").bytes, part.arrays["a.weight"].bytes);
  EXPECT_EQ(back.metadata, part.metadata);
  EXPECT_TRUE(take_section(file, "mod").arrays.empty());
}

}  // namespace
}  // namespace kith
