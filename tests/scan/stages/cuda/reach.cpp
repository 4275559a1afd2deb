// What is built is plugged in: whole runs on a CUDA device, of images and of features, reach every kernel that is launched anywhere, but for a list that
// says why.
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <map>
#include <regex>
#include <set>

#include "kernels/core/philox.h"
#include "scan/features/cluster_features.h"
#include "scan/pretext/task.h"
#include "tests/scan/stages/cuda/support.h"

namespace kith::test {
namespace {

// The names of kernels: what launch() is called with in kernels/cuda, or a function there that takes a name and passes it on.
std::set<std::string> launched_anywhere() {
  std::set<std::string> names;
  const std::regex passes_on("\\b(\\w+)\\(const char\\* name,");
  for (const auto& entry : std::filesystem::directory_iterator(KITH_SOURCE_DIR "/kernels/cuda")) {
    if (!entry.is_regular_file()) continue;
    const std::string text = bytes_of(entry.path());
    std::string functions = "launch";
    for (std::sregex_iterator at(text.begin(), text.end(), passes_on), end; at != end; ++at)
      functions += "|" + (*at)[1].str();
    const std::regex call("\\b(?:" + functions + ")(?:<[^(]*>)?\\(\\s*\"(\\w+)\"");
    for (std::sregex_iterator at(text.begin(), text.end(), call), end; at != end; ++at) names.insert((*at)[1].str());
  }
  return names;
}

// Not reached by a run, and why that is right.
const std::map<std::string, std::string> kAllowed = {
    {"average_pool_backward", "an operation of nn that ResNet for small images does not use"},
    {"average_pool_forward", "likewise"},
    {"kmeans_fill_empty", "only where k-means loses a cluster"},
    {"log_softmax_backward", "an operation of nn: the losses of the stages hold their own softmax"},
    {"max_pool_backward", "the stem of large images"},
    {"max_pool_forward", "likewise"},
    {"ntxent_add_positives", "gradients of keys with given positives: several ranks"},
    {"ntxent_add_splits", "batches of more than 2,048 rows"},
    {"ntxent_backward_sm90", "compute capability 9.0, batches of 1,024 rows and more"},
    {"ntxent_finish_sm90", "compute capability 9.0, batches of 2,048 rows and more"},
    {"ntxent_forward_sm90", "likewise"},
    {"ntxent_prepare", "batches of more than 2,048 rows"},
    {"ntxent_prepare_sm90", "compute capability 9.0, batches of 1,024 rows and more"},
    {"topk_merge", "databases searched in several parts"},
};

RunConfig small_config() {
  RunConfig config = tiny_config();
  for (TrainConfig* t : {&config.pretext.train, &config.cluster.train, &config.selflabel.train})
    t->batch = 4, t->epochs = 1;
  config.cluster.heads = 2;
  config.evaluate.kmeans_restarts = 1;
  return config;
}

void collect(
    const std::string& name, const RunConfig& config, DType precision, std::set<std::string>& reached,
    const std::function<void(Session&)>& stages = [](Session& s) { run(s); }) {
  Folder folder("reach_" + name);
  const data::Dataset data = striped_data(3, 20, 8);
  Recorder report;
  simt::options().ranges = true;
  ContextOptions options = on_cuda(precision);
  Context ctx(options);
  Session session{ctx, config, data, folder.path(), report};
  stages(session);
  for (const std::string& path : std::exchange(simt::range_log(), {}))
    reached.insert(path.substr(path.find_last_of('/') + 1));
}

// kith cluster --features, with each of these methods.
void collect_rows(const std::vector<std::string>& methods, std::set<std::string>& reached) {
  std::vector<float> values;
  Random random(3, 0, 0, 0);
  for (int64_t i = 0; i < 24; ++i)
    for (int64_t d = 0; d < 6; ++d) values.push_back((d == i % 3 ? 2.f : 0.f) + random.uniform(0, 1));
  const std::map<std::string, std::vector<std::string>> small = {
      {"kmeans", {"restarts=1"}},
      {"scan", {"epochs=1", "heads=2", "neighbours=3", "batch=8"}},
      {"turtle", {"steps=2", "inner_steps=2", "batch=8", "tries=1", "folds=2"}},
      {"temi", {"epochs=2", "heads=2", "neighbours=3", "batch=8", "hidden=8", "bottleneck=4"}}};
  for (const std::string& method : methods) {
    SCOPED_TRACE(method);
    Folder folder("reach_rows_" + method);
    Recorder report;
    simt::options().ranges = true;
    Context ctx(on_cuda(DType::f32));
    const RowClustering rows{
        .spaces = {FeatureMatrix::of({values.data(), 24, 6})},
        .settings =
            resolve({.method = method, .clusters = "3", .unit = {}, .standardised = {}, .overrides = small.at(method)}),
        .dir = folder.path()};
    const nlohmann::json summary = cluster_features(ctx, report, rows, expect_clusterable(rows));
    EXPECT_EQ(summary.at("clusters"), 3) << summary;
    for (const std::string& path : std::exchange(simt::range_log(), {}))
      reached.insert(path.substr(path.find_last_of('/') + 1));
  }
}

TEST_F(OnCuda, ARunReachesEveryKernel) {
  std::set<std::string> reached;
  RunConfig tuned = small_config();
  tuned.pretext.train.optimizer.kind = OptimizerKind::lars;
  tuned.cluster.train.optimizer.kind = OptimizerKind::sgd;
  tuned.selflabel.share = 0;
  tuned.selflabel.threshold = 0.3f;
  tuned.selflabel.ema = 0.9f;
  tuned.refine.enabled = true;
  tuned.refine.train = tuned.selflabel.train;
  tuned.refine.labelled = 2;
  tuned.refine.neighbours = 4;
  collect("f32_tuned", tuned, DType::f32, reached);
  tuned.refine.enabled = false;
  collect("bf16_tuned", tuned, DType::bf16, reached);
  RunConfig frozen = small_config();
  frozen.cluster.frozen = true;
  frozen.pretext.form = NtXentForm::one_sided;
  collect("f32_frozen", frozen, DType::f32, reached);
  collect("bf16_frozen", frozen, DType::bf16, reached);
  RunConfig task = small_config();
  task.pretext.augment.size = 8;  // square, for RotNet
  task.pretext.moco = {.queue = 8, .momentum = 0.9f, .shards = 2};
  task.pretext.byol.hidden = 12;
  for (const PretextTaskInfo& info : pretext_tasks()) {
    if (info.kind == PretextKind::simclr) continue;
    task.pretext.task = info.kind;
    collect(std::string(info.name), task, info.kind == PretextKind::moco ? DType::bf16 : DType::f32, reached,
            [](Session& s) { pretext(s); });
  }
  collect_rows({"kmeans", "scan", "turtle", "temi"}, reached);
  simt::describe(simt::kH100);  // kernels for such a device alone
  collect_rows({"scan"}, reached);
  simt::describe(simt::kA100);
  const std::set<std::string> all = launched_anywhere();
  ASSERT_GT(all.size(), 60u);
  for (const std::string& name : all) {
    if (kAllowed.contains(name))
      EXPECT_FALSE(reached.contains(name)) << name << " is reached: take it off the list";
    else
      EXPECT_TRUE(reached.contains(name)) << name << " is launched by no stage of a run";
  }
  for (const auto& [name, why] : kAllowed) EXPECT_TRUE(all.contains(name)) << name << " is no kernel";
}

}  // namespace
}  // namespace kith::test
