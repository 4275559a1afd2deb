#include "scan/train/statistics.h"

#include <algorithm>

#include "data/formats/npy.h"
#include "scan/stages/models.h"
#include "scan/train/checkpoint.h"
#include "scan/train/inference.h"
#include "scan/train/sampler.h"
#include "tests/scan/stages/stages_support.h"
#include "tests/support/compare.h"

namespace kith {
namespace {

using namespace test;

bool is_statistic(const std::string& name) { return name.find(".running_") != std::string::npos; }

bool same_arrays(const SafeTensors& a, const SafeTensors& b) {
  return std::ranges::equal(a.arrays, b.arrays, [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.bytes == y.second.bytes;
  });
}

// Of the arrays of both: the names of those that differ.
std::vector<std::string> changed(const SafeTensors& a, const SafeTensors& b) {
  std::vector<std::string> names;
  for (const auto& [name, array] : a.arrays)
    if (const auto other = b.arrays.find(name); other != b.arrays.end() && other->second.bytes != array.bytes)
      names.push_back(name);
  return names;
}

bool any_statistic(const std::vector<std::string>& names) { return std::ranges::any_of(names, is_statistic); }
bool any_weight(const std::vector<std::string>& names) {
  return std::ranges::any_of(names, [](const std::string& n) { return n.ends_with("weight"); });
}

constexpr Statistics kAll[] = {Statistics::moving, Statistics::reestimate, Statistics::frozen, Statistics::weak};

// A run directory in which stages are repeated with other configurations.
struct Stages {
  explicit Stages(const std::string& name, int64_t images = 70)
      : folder(name), data(striped_data(1, images)), config(tiny_config()) {}
  Folder folder;
  Context ctx{{.threads = 1}};
  data::Dataset data;
  RunConfig config;
  Recorder report;

  Session session() { return {ctx, config, data, folder.path(), report}; }
  void prepare() {
    Session s = session();
    pretext(s);
    mine(s);
  }
  SafeTensors cluster_again() {
    Session s = session();
    report.warnings.clear();
    cluster(s);
    return read_result(s, "cluster");
  }
  SafeTensors selflabel_again() {
    Session s = session();
    report.warnings.clear();
    selflabel(s);
    return read_result(s, "selflabel");
  }
  // The same weights with statistics of the train images.
  SafeTensors reestimated(const SafeTensors& state) {
    Session s = session();
    ClusterModel model(ctx, config, data, 1);
    load_state(model.state(), state);
    reestimate(s, model.backbone);
    return save_state(model.state());
  }
};

// 301 images: batches of 150 and 151.
TEST(Reestimate, IsTheMeanOfTheBatchesStatistics) {
  Stages t("mean", 301);
  const Session s = t.session();
  ClusterModel model(t.ctx, t.config, t.data, 1);
  const std::vector<int64_t> order = epoch_order(301, seed_of(t.config.seed, "statistics/order"), 0),
                             bounds = {0, 150, 301};
  std::vector<SafeTensors> of_batch;
  const ImageSource images(t.ctx, t.data.train(), Residency::automatic);
  for_each_batch(Views(images, t.data), t.report, order, bounds, 0, [&](const Tensor& images, int64_t) {
    Tape tape(t.ctx, Tape::Mode::inference);
    model.backbone(tape, tape.constant(images), true, 1.f);
    of_batch.push_back(save_state(model.state()));
  });
  ASSERT_EQ(of_batch.size(), 2u);
  reestimate(s, model.backbone);
  const SafeTensors got = save_state(model.state());
  int statistics = 0;
  for (const auto& [name, array] : got.arrays) {
    if (!is_statistic(name)) continue;
    ++statistics;
    for (int64_t c = 0; c < array.count(); ++c) {
      const double a = of_batch[0].arrays.at(name).as<float>()[c], b = of_batch[1].arrays.at(name).as<float>()[c];
      // The batch's own, the momentum and the result are each rounded once.
      EXPECT_NEAR(array.as<float>()[c], (150 * a + 151 * b) / 301, 3 * kUnit * (std::abs(a) + std::abs(b)))
          << name << " " << c;
    }
  }
  EXPECT_EQ(statistics, 2 * 20);
}

TEST(Reestimate, DependsOnTheWeightsAlone) {
  Stages t("weights", 301);
  const Session s = t.session();
  ClusterModel model(t.ctx, t.config, t.data, 1);
  SafeTensors other = save_state(model.state());
  for (auto& [name, array] : other.arrays)
    if (is_statistic(name))
      for (int64_t c = 0; c < array.count(); ++c) reinterpret_cast<float*>(array.bytes.data())[c] = 1e6f;
  const SafeTensors once = t.reestimated(save_state(model.state()));
  const std::vector<std::string> differing = changed(once, t.reestimated(other));
  EXPECT_EQ(differing, std::vector<std::string>());
  for (const std::string& name : changed(once, save_state(model.state())))
    EXPECT_TRUE(is_statistic(name) || name.ends_with("num_batches_tracked")) << name;
}

TEST(Reestimate, StopsWhenAskedTo) {
  Stages t("stop");
  t.report.stop_after = 0;
  ClusterModel model(t.ctx, t.config, t.data, 1);
  EXPECT_THROW(reestimate(t.session(), model.backbone), Interrupted);
}

TEST(Statistics, PretextMayTakeThemFromPlainImages) {
  Stages t("pretext");
  t.prepare();
  const SafeTensors moving = read_result(t.session(), "pretext");
  std::filesystem::remove_all(t.folder.path());
  std::filesystem::create_directories(t.folder.path());
  t.config.pretext.statistics = Statistics::reestimate;
  t.prepare();
  const SafeTensors plain = read_result(t.session(), "pretext");
  const std::vector<std::string> names = changed(moving, plain);
  EXPECT_TRUE(any_statistic(names));
  EXPECT_FALSE(any_weight(names));
}

// Whatever the statistics are said to do: where no step learned anything, the result is what the stage was given.
TEST(Statistics, SelfLabellingThatLearnsNothingChangesNothing) {
  Stages t("nothing");
  t.prepare();
  const SafeTensors input = t.cluster_again();
  const RunConfig plain = t.config;
  const std::pair<const char*, std::function<void(SelflabelConfig&)>> ways[] = {
      {"no confident image", [](SelflabelConfig& c) { c.share = 0, c.threshold = 1; }},
      {"rate 0", [](SelflabelConfig& c) { c.train.schedule.lr = 0; }},
      {"an average that keeps its start", [](SelflabelConfig& c) { c.ema = 1; }},
      {"no epochs", [](SelflabelConfig& c) { c.train.epochs = 0; }}};
  for (const Statistics statistics : kAll)
    for (const auto& [name, set] : ways) {
      SCOPED_TRACE(testing::Message() << name << ", statistics " << static_cast<int>(statistics));
      t.config = plain;
      t.config.selflabel.statistics = statistics;
      set(t.config.selflabel);
      EXPECT_TRUE(same_arrays(t.selflabel_again(), input));
      EXPECT_TRUE(t.report.warned("selflabel: nothing was learned in any step"));
    }
  t.config = plain;
  EXPECT_FALSE(same_arrays(t.selflabel_again(), input));
  EXPECT_FALSE(t.report.warned("nothing was learned"));
}

TEST(Statistics, SelfLabellingHandlesThemAsItIsTold) {
  Stages t("learning");
  t.prepare();
  const SafeTensors input = t.cluster_again();
  for (const float share : {0.5f, 0.f}) {
    t.config.selflabel.share = share;
    t.config.selflabel.threshold = 0.2f;  // below 1 / 3: every image is kept
    std::vector<SafeTensors> results;
    for (const Statistics statistics : kAll) {
      SCOPED_TRACE(testing::Message() << "share " << share << ", statistics " << static_cast<int>(statistics));
      t.config.selflabel.statistics = statistics;
      const SafeTensors& result = results.emplace_back(t.selflabel_again());
      const std::vector<std::string> names = changed(result, input);
      EXPECT_TRUE(any_weight(names));
      EXPECT_EQ(any_statistic(names), statistics != Statistics::frozen);
      EXPECT_EQ(!any_statistic(changed(t.reestimated(result), result)), statistics == Statistics::reestimate);
    }
    // Passes normalise with their batch in every way: moving and weak differ in the statistics that they leave, not in the weights
    // (the share's targets of a second epoch come from them).
    if (share == 0) {
      EXPECT_FALSE(any_weight(changed(results[0], results[3])));
      EXPECT_TRUE(any_statistic(changed(results[0], results[3])));
    }
  }
}

// The average of weights is judged with statistics of its own, not with those of the weights it averages.
TEST(Statistics, AnAverageGetsStatisticsOfItsOwn) {
  Stages t("average");
  t.prepare();
  t.cluster_again();
  t.config.selflabel.ema = 0.9f;
  const SafeTensors result = t.selflabel_again();
  EXPECT_EQ(changed(t.reestimated(result), result).size(), 20u);  // the counters of batches
  EXPECT_FALSE(any_statistic(changed(t.reestimated(result), result)));
}

TEST(Statistics, TheTunedClusterStageHandlesThemAsItIsTold) {
  Stages t("tuned");
  t.prepare();
  const SafeTensors input = read_result(t.session(), "pretext");
  const double lr = t.config.cluster.train.schedule.lr;
  for (const Statistics statistics : {Statistics::moving, Statistics::reestimate, Statistics::frozen}) {
    SCOPED_TRACE(static_cast<int>(statistics));
    t.config.cluster.statistics = statistics;
    t.config.cluster.train.schedule.lr = lr;
    const SafeTensors result = t.cluster_again();
    const std::vector<std::string> names = changed(result, input);
    EXPECT_TRUE(any_weight(names));
    EXPECT_EQ(any_statistic(names), statistics != Statistics::frozen);
    EXPECT_EQ(!any_statistic(changed(t.reestimated(result), result)), statistics == Statistics::reestimate);
    EXPECT_FALSE(t.report.warned("nothing was learned"));

    t.config.cluster.train.schedule.lr = 0;
    EXPECT_EQ(changed(t.cluster_again(), input), std::vector<std::string>());
    EXPECT_TRUE(t.report.warned("cluster: nothing was learned in any step"));
  }
}

// 64 images of an epoch name at most 64 of 100 clusters.
TEST(Statistics, ClustersWithoutAConfidentImageAreReported) {
  Stages t("silent");
  t.config.cluster.classes = 100;
  t.config.cluster.heads = 1;
  t.prepare();
  t.cluster_again();
  t.config.selflabel.train.batch = 64;
  t.config.selflabel.share = 1;
  t.selflabel_again();
  EXPECT_TRUE(t.report.warned(" of 100 clusters had no confident image in this epoch"));
  EXPECT_FALSE(t.report.warned("no image was confident"));
}

}  // namespace
}  // namespace kith
