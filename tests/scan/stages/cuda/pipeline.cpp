// Every stage on a CUDA device against the CPU: the same seed, tiny data.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>
#include <set>

#include "nn/device/replay.h"
#include "scan/pretext/task.h"
#include "tests/scan/stages/cuda/support.h"

namespace kith::test {
namespace {

constexpr int kSteps = 20;

// One batch is the whole data set: an epoch is a step, and its line in the log the step's loss.
RunConfig one_step_epochs() {
  RunConfig c = tiny_config();
  for (TrainConfig* t : {&c.pretext.train, &c.cluster.train, &c.selflabel.train}) t->batch = 8, t->epochs = kSteps;
  c.cluster.heads = 2;
  c.cluster.selection = Selection::last;
  c.selflabel.train.optimizer.kind = OptimizerKind::sgd;
  c.selflabel.train.schedule.lr = 0.01;
  c.selflabel.ema = 0.9f;
  c.refine.enabled = true;
  c.refine.train = c.selflabel.train;
  c.refine.augment = c.selflabel.augment;
  c.refine.labelled = 4;
  c.refine.neighbours = 3;
  c.refine.threshold = 0.3f;
  c.refine.least = 2;
  return c;
}

using Stage = std::function<void(Session&)>;

// Relative changes of the three channels of the input, of a few roundings. Rounding pushes a run in many directions, so these
// differ in direction, too: all channels alike, and each against another.
using Disturbance = std::array<float, 3>;
constexpr float kFew = 0x1p-20f;
constexpr Disturbance kDisturbances[] = {{kFew, kFew, kFew}, {kFew, -kFew, 0}, {0, kFew, -kFew}, {-kFew, 0, kFew}};

// The losses that `stage` logs, run in `folder`; channels scaled by 1 + `disturbed`. On a device each step must have become a
// graph in which nothing is allocated.
std::vector<double> losses(const ContextOptions& options, const RunConfig& config, const std::filesystem::path& folder,
                           const Stage& stage, const Disturbance& disturbed = {}) {
  data::Dataset data = striped_data(3, 8, 8);
  Recorder report;
  Context ctx(options);
  Session session{ctx, config, data, folder, report};
  session.ledger.origin("pretext");  // what the folder holds was made from images that are not disturbed
  for (size_t c = 0; c < 3; ++c) data.std[c] *= 1 + disturbed[c];
  stage(session);
  std::vector<double> values;
  std::set<std::string> trained, captured;
  for (const nlohmann::json& line : report.lines)
    if (line.contains("loss") && line.contains("epoch_end")) {
      values.push_back(line.at("loss"));
      trained.insert(line.at("stage"));
    }
  for (const std::string& note : report.notes)
    if (note.find(": a step is one graph of ") != std::string::npos) {
      EXPECT_NE(note.find(" copies, 0 allocations"), std::string::npos) << note;
      captured.insert(note.substr(0, note.find(':')));
    }
  EXPECT_EQ(captured, ctx.on_cpu() ? std::set<std::string>() : trained);
  return values;
}

ContextOptions on_cpu() {
  ContextOptions options;
  options.threads = 1;
  return options;
}

class PipelineCuda : public OnCuda {
 protected:
  // How far rounding may carry a run: as far as inputs that differ in their last bits carry the CPU's, eight times over
  // (a device rounds in every operation, the disturbance only in the first), and never less than a hundred roundings.
  static std::vector<double> bounds(const std::vector<double>& run, const std::vector<std::vector<double>>& disturbed) {
    std::vector<double> out;
    double worst = 0;
    for (size_t i = 0; i < run.size(); ++i) {
      for (const auto& other : disturbed) worst = std::max(worst, std::abs(other[i] - run[i]));
      out.push_back(8 * worst + 100 * 0x1p-24 * std::abs(run[i]));
    }
    return out;
  }

  void expect_same_course(const std::vector<double>& got, const std::vector<double>& want,
                          const std::vector<double>& bound) {
    ASSERT_EQ(want.size(), static_cast<size_t>(kSteps));
    ASSERT_EQ(got.size(), want.size());
    for (size_t i = 0; i < want.size(); ++i)
      EXPECT_TRUE(std::abs(got[i] - want[i]) <= bound[i])
          << "step " << i + 1 << ": " << got[i] << " on CUDA, " << want[i] << " on the CPU, bound " << bound[i];
  }

  // Each stage in turn, from what the CPU left of the one before.
  void expect_stages_follow_the_cpu(const RunConfig& config, const std::vector<std::pair<const char*, Stage>>& stages) {
    const Folder cpu("pipeline_cpu"), cuda("pipeline_cuda"), spare("pipeline_spare");
    for (const auto& [name, stage] : stages) {
      SCOPED_TRACE(name);
      const auto from_cpu = [&](const Folder& to) {
        std::filesystem::remove_all(to.path());
        std::filesystem::copy(cpu.path(), to.path(), std::filesystem::copy_options::recursive);
      };
      std::vector<std::vector<double>> disturbed;
      for (const Disturbance& by : kDisturbances) {
        from_cpu(spare);
        disturbed.push_back(losses(on_cpu(), config, spare.path(), stage, by));
      }
      from_cpu(cuda);
      const std::vector<double> got = losses(on_cuda(), config, cuda.path(), stage);
      const std::vector<double> want = losses(on_cpu(), config, cpu.path(), stage);
      if (std::string_view(name) == "mine")
        EXPECT_EQ(bytes_of(cuda.path() / "neighbours_train.npy"), bytes_of(cpu.path() / "neighbours_train.npy"));
      else
        expect_same_course(got, want, bounds(want, disturbed));
    }
  }
};

TEST_F(PipelineCuda, TheFirstStepsOfEveryStageFollowTheCpu) {
  expect_stages_follow_the_cpu(
      one_step_epochs(),
      {{"pretext", pretext}, {"mine", mine}, {"cluster", cluster}, {"selflabel", selflabel}, {"refine", refine}});
}

TEST_F(PipelineCuda, TheFirstStepsOfEveryPretextTaskFollowTheCpu) {
  RunConfig config = one_step_epochs();
  config.pretext.augment.size = 8;  // square, for RotNet
  config.pretext.moco = {.queue = 12, .momentum = 0.9f, .shards = 2};
  config.pretext.byol = {.hidden = 12, .momentum = 0.5f};
  for (const PretextTaskInfo& info : pretext_tasks()) {
    if (info.kind == PretextKind::simclr) continue;
    config.pretext.task = info.kind;
    expect_stages_follow_the_cpu(config, {{info.name.data(), pretext}});
  }
}

TEST_F(PipelineCuda, ACheckpointMovesBetweenDevices) {
  const RunConfig config = one_step_epochs();
  const Folder whole("moves_whole"), spare("moves_spare"), moved("moves_moved");
  const std::vector<double> want = losses(on_cpu(), config, whole.path(), pretext);
  const auto bound = bounds(want, {losses(on_cpu(), config, spare.path(), pretext, kDisturbances[0])});
  std::vector<double> got;
  const data::Dataset data = striped_data(3, 8, 8);
  for (const ContextOptions& options : {on_cuda(), on_cpu()}) {
    Recorder report;
    report.stop_after = got.empty() ? kSteps / 2 : kSteps;
    Context ctx(options);
    Session session{ctx, config, data, moved.path(), report};
    try {
      pretext(session);
    } catch (const Interrupted&) {
    }
    for (const nlohmann::json& line : report.lines)
      if (line.contains("epoch_end")) got.push_back(line.at("loss"));
  }
  expect_same_course(got, want, bound);
}

TEST_F(PipelineCuda, AWholeRunInBf16) {
  RunConfig config = one_step_epochs();
  config.pretext.train.epochs = 8;
  config.cluster.train.epochs = config.selflabel.train.epochs = config.refine.train.epochs = Replay::kWarmUp + 1;
  config.cluster.frozen = true;
  config.cluster.views = 2;
  const Folder folder("pipeline_bf16"), f32("pipeline_f32");
  const std::vector<double> want = losses(on_cpu(), config, f32.path(), [](Session& s) { run(s); });
  const std::vector<double> got = losses(on_cuda(DType::bf16), config, folder.path(), [](Session& s) { run(s); });
  ASSERT_EQ(got.size(), want.size());
  ASSERT_EQ(got.size(), 17u);
  // Activations are rounded to 2^-8 in each of 20 layers, and embeddings once more for the products of the loss; that is what
  // the first loss, of equal weights, may differ by. The next ones come from weights that differ, and differ more: their mean stays close. Later stages choose (neighbours,
  // confident images), and so only have to end.
  const auto mean = [](const std::vector<double>& v) { return std::accumulate(v.begin(), v.begin() + 8, 0.) / 8; };
  const double tolerance = 0x1p-8 * std::sqrt(21.) * want[0];
  EXPECT_NEAR(got[0], want[0], tolerance);
  EXPECT_NEAR(mean(got), mean(want), 4 * tolerance);
  for (const double loss : got) EXPECT_TRUE(std::isfinite(loss));
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "report.html"));
}

#ifdef KITH_SIMT
TEST_F(PipelineCuda, AStageThatDoesNotFitSaysWhatToChange) {
  const Folder folder("pipeline_full");
  simt::options().memory_limit = 1'000'000;  // the model, not a step of it
  try {
    losses(on_cuda(), one_step_epochs(), folder.path(), pretext);
    FAIL() << "it fitted";
  } catch (const Error& e) {
    const std::string line = e.what();
    EXPECT_TRUE(line.starts_with("pretext: out of device memory: ")) << line;
    EXPECT_TRUE(line.ends_with(
        "; take a smaller batch, --set pretext.batch=4, or a narrower model, --set model.width=2, or leave "
        "the images (0.0 MiB) on the host, --stream yes"))
        << line;
  }
}
#endif

}  // namespace
}  // namespace kith::test
