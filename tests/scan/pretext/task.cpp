#include "scan/pretext/task.h"

#include "scan/config/config_fields.h"
#include "scan/stages/pretext.h"
#include "tests/scan/stages/stages_support.h"

namespace kith {
namespace {

using namespace test;

TEST(PretextTasks, AreTheValuesOfTheField) {
  RunConfig config;
  for (const Field& field : fields(config)) {
    if (field.name != "pretext.task") continue;
    const auto& names = std::get<EnumField>(field.value).names;
    ASSERT_EQ(names.size(), pretext_tasks().size());
    for (size_t i = 0; i < names.size(); ++i) {
      EXPECT_EQ(names[i], pretext_tasks()[i].name);
      EXPECT_EQ(static_cast<size_t>(pretext_tasks()[i].kind), i);
    }
    return;
  }
  FAIL() << "no field pretext.task";
}

// What every task promises.
TEST(PretextTasks, HaveABackboneUnitFeaturesAndTheWeightsTheySay) {
  const data::Dataset data = striped_data(3);
  RunConfig config = tiny_config();
  config.pretext.augment.size = 8;  // square, for RotNet
  for (const PretextTaskInfo& info : pretext_tasks())
    for (const int projection : {8, 0}) {
      if (info.kind == PretextKind::byol && projection == 0) continue;  // which it refuses
      config.model.projection = projection;
      Context ctx({.threads = 1});
      const ImageSource images(ctx, data.pretext_images(), Residency::automatic);
      const auto task = info.make(config, data, images);
      int64_t backbone = 0, beside = 0;
      for (const NamedParameter& p : task->state().parameters)
        if (p.name.starts_with("backbone."))
          ++backbone;
        else if (p.is_matrix)
          beside += p.parameter->value.size();
      EXPECT_GT(backbone, 0) << info.name;
      EXPECT_EQ(static_cast<double>(beside), info.head_weights(config)) << info.name;
      Tape tape(ctx, Tape::Mode::inference);
      const Tensor rows = task->features(tape, tape.constant(ctx.full({2, 9, 8, 3}, 0.5f))).value();
      const std::vector<float> values = rows.to_host();
      ASSERT_EQ(rows.shape(), (Shape{2, info.columns_of(config)})) << info.name;
      double norm = 0;
      for (int64_t i = 0; i < rows.dim(1); ++i) norm += double{values[i]} * values[i];
      EXPECT_NEAR(norm, 1, 1e-5) << info.name;
    }
}

TEST(PretextTasks, LearnWithoutAProjectionHead) {
  TinyRun run("task_headless");
  run.config.model.projection = 0;
  Session s{run.ctx, run.config, run.data, run.folder.path(), run.report};
  pretext(s);
  const SafeTensors trained = read_safetensors(run.file("pretext.safetensors"));
  const auto fresh = make_simclr(run.config, run.data, s.images.of(run.data.train()));
  for (const NamedParameter& p : fresh->state().parameters)
    EXPECT_NE(trained.arrays.at(p.name).bytes, to_torch(p.parameter->value).bytes) << p.name;
}

// A task with one more number of its own: the steps it has seen.
class Counting : public PretextTask {
 public:
  explicit Counting(std::unique_ptr<PretextTask> of) : of_(std::move(of)) {}
  StateView state() override { return of_->state(); }
  ResNet& backbone() override { return of_->backbone(); }
  Var loss(Tape& tape, const Step& step) override { return of_->loss(tape, step); }
  void after_step(const Step& step, const int32_t* finite) override {
    of_->after_step(step, finite);
    seen += *finite;
  }
  Var features(Tape& tape, Var images) override { return of_->features(tape, images); }
  void save(SafeTensors& to) const override {
    of_->save(to);
    to.metadata["seen"] = std::to_string(seen);
  }
  void load(const SafeTensors& from) override {
    of_->load(from);
    seen = std::stol(from.metadata.at("seen"));
  }
  int64_t seen = 0;

 private:
  std::unique_ptr<PretextTask> of_;
};

// What a training of a task ends with, its own state included; stopped every few steps and continued, or not.
struct Outcome {
  int64_t seen = 0;
  std::map<std::string, HostArray> arrays;
};

Outcome trained(const PretextTaskInfo& info, int64_t stop_after) {
  RunConfig config = tiny_config();
  config.pretext.task = info.kind;
  config.pretext.augment.size = 8;
  config.pretext.moco = {.queue = 24, .momentum = 0.9f, .shards = 2};
  config.pretext.byol = {.hidden = 12, .momentum = 0.5f};
  TinyRun run("task", config);
  run.report.stop_after = stop_after;
  for (int attempt = 0; attempt < 9; ++attempt) {
    Session s{run.ctx, run.config, run.data, run.folder.path(), run.report};
    const ImageSource& images = s.images.of(run.data.pretext_images());
    Counting task(info.make(config, run.data, images));
    try {
      train_pretext(s, task, images);
      SafeTensors own;
      task.save(own);
      Outcome out{.seen = task.seen, .arrays = save_state(task.state()).arrays};
      out.arrays.merge(own.arrays);
      return out;
    } catch (const Interrupted&) {
      run.report.stop_after = run.report.steps + 5;
    }
  }
  ADD_FAILURE() << info.name << " does not come to its end";
  return {};
}

TEST(PretextTasks, KeepTheirOwnStateWhenTrainingIsCutShort) {
  for (const PretextTaskInfo& info : pretext_tasks()) {
    const Outcome whole = trained(info, std::numeric_limits<int64_t>::max()), cut = trained(info, 5);
    EXPECT_EQ(whole.seen, 3 * (70 / 16)) << info.name;
    EXPECT_EQ(cut.seen, whole.seen) << info.name;
    ASSERT_EQ(cut.arrays.size(), whole.arrays.size()) << info.name;
    for (const auto& [key, array] : whole.arrays)
      EXPECT_EQ(cut.arrays.at(key).bytes, array.bytes) << info.name << ' ' << key;
  }
}

}  // namespace
}  // namespace kith
