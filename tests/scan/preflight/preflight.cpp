// What is refused before a run begins: every preset passes on every kind of data set, and one wrong thing does not.
#include "scan/preflight/preflight.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "kernels/core/check.h"
#include "scan/config/presets.h"
#include "tests/scan/preflight/preflight_support.h"
#include "tests/scan/stages/stages_support.h"

namespace kith {
namespace {

using test::error_of;
using test::kAll;
using test::kLarge;
using test::kRefined;
using test::tiny_config;

// The shape of a data set without its pixels, which no check looks at.
data::Dataset shaped(const std::string& spec, int64_t train, int64_t test, int side, int channels, int classes,
                     bool labelled = true) {
  data::Dataset data{.spec = spec + ":somewhere"};
  for (int c = 0; c < classes; ++c) data.class_names.push_back("class " + std::to_string(c));
  data.edit(data::Role::train) = {.count = train, .height = side, .width = side, .channels = channels};
  data.edit(data::Role::test) = {.count = test, .height = side, .width = side, .channels = channels};
  if (labelled) data.edit(data::Role::train).labels.resize(static_cast<size_t>(train));
  if (labelled) data.edit(data::Role::test).labels.resize(static_cast<size_t>(test));
  return data;
}

struct Kind {
  const char* name;
  data::Dataset data;
};

std::vector<Kind> kinds() {
  return {{"cifar10", shaped("cifar10", 50'000, 10'000, 32, 3, 10)},
          {"cifar100", shaped("cifar100", 50'000, 10'000, 32, 3, 100)},
          {"cifar20", shaped("cifar20", 50'000, 10'000, 32, 3, 20)},
          {"stl10", shaped("stl10", 5'000, 8'000, 96, 3, 10)},
          {"fashion-mnist", shaped("fashion-mnist", 60'000, 10'000, 28, 1, 10)},
          {"mnist", shaped("mnist", 60'000, 10'000, 28, 1, 10)},
          {"cifar-format", shaped("cifar-format", 5'000, 500, 32, 3, 4)},
          {"folder", shaped("folder", 64'000, 2'500, 64, 3, 50)},
          {"list", shaped("list", 5'000, 500, 64, 3, 12)}};
}

// 5,000 images are few for the epochs of the quick ones; those for large images enlarge what is always 32 x 32.
std::vector<std::string> expected_warnings(const std::string& preset, const std::string& kind) {
  const bool few = kind == "cifar-format" || kind == "list" || kind == "stl10";  // here without its unlabelled images
  std::vector<std::string> out;
  if (!few) return out;
  const auto expect = [&](const char* stage, int64_t epochs, int64_t batch, int64_t wanted) {
    const int64_t each = 5'000 / batch;
    out.push_back(
        fmt::format("{0}: {1} of 5000 images are {2} steps of {3}, and it wants {4} or more: --set "
                    "{0}.epochs={5}, or a smaller batch",
                    stage, epochs == 1 ? "1 epoch" : fmt::format("{} epochs", epochs), epochs * each, batch, wanted,
                    (wanted + each - 1) / each));
  };
  if (preset == "quick" || preset == "quick-20min") expect("pretext", preset == "quick" ? 14 : 16, 128, 1000);
  if (preset.starts_with("quick")) expect("cluster", 10, 512, 500), expect("selflabel", 1, 256, 150);
  if (preset.starts_with("fast-")) expect("cluster", 50, 512, 500);
  if (preset == "paper-imagenet100" || preset == "paper-imagenet200") expect("cluster", 100, 1024, 500);
  if (preset.starts_with("paper-imagenet") && kind == "cifar-format")
    out.push_back(
        fmt::format("preset: {} enlarges images of 32 x 32 to 224 x 224; those for any: quick, quick-20min", preset));
  return out;
}

TEST(Preflight, EveryPresetPassesOnEveryDataSet) {
  std::vector<std::string> names = data::dataset_names(), covered;
  for (const Kind& kind : kinds()) covered.emplace_back(kind.name);
  std::ranges::sort(names), std::ranges::sort(covered);
  EXPECT_EQ(names, covered) << "a kind of data set is missing here";
  for (const std::string& preset : preset_names())
    for (Kind& kind : kinds()) {
      const bool own = data::is_picture_kind(kind.data.spec) || std::string_view(kind.name) == "cifar-format";
      const std::vector<std::string> made = made_for(preset);
      if (!own && !made.empty() && std::ranges::find(made, kind.name) == made.end()) continue;  // a warning, below
      const RunConfig c = load_config(preset, {"data.spec=" + kind.data.spec});
      if (c.data.size > 0)
        for (data::Split& split : kind.data.splits) split.images.height = split.images.width = c.data.size;
      for (const Device device : {Device::cpu, Device::cuda}) {
        Resources machine = kLarge;
        machine.device = device;
        if (device == Device::cuda) machine.precision = DType::bf16, machine.device_bytes = int64_t{70} << 30;
        const Preflight found = preflight(c, kind.data, kAll, machine);
        EXPECT_TRUE(found.faults.empty()) << preset << " on " << kind.name << ": " << found.faults[0];
        EXPECT_EQ(found.warnings, expected_warnings(preset, kind.name)) << preset << " on " << kind.name;
      }
    }
}

// One thing is wrong at a time.
struct Wrong {
  std::string field;  // that the message begins with
  std::function<void(RunConfig&, data::Dataset&, Resources&)> make;
};

TEST(Preflight, OneWrongThingIsOneFaultThatNamesIt) {
  const std::vector<Wrong> wrong = {
      {"cluster.classes: striped:nowhere has 1 class",
       [](auto&, auto& data, auto&) {
         data.class_names = {"x"};
         data.edit(data::Role::train).labels.assign(70, 0), data.edit(data::Role::test).labels.assign(40, 0);
       }},
      {"cluster.classes: 71 clusters for 70 train images", [](auto& c, auto&, auto&) { c.cluster.classes = 71; }},
      {"cluster.classes: the picture of the prototypes of 60000 clusters would need ",
       [](auto& c, auto& data, auto&) {
         c.cluster.classes = 60'000;
         c.mine.k = c.mine.k_test = 5;
         data.edit(data::Role::train).count = data.edit(data::Role::test).count = 70'000;
       }},
      {"the test split of striped:nowhere has 1 image;",
       [](auto&, auto& data, auto&) { data.edit(data::Role::test).count = 1; }},
      {"the test split of striped:nowhere has 1 image by data.limit_test = 1;",
       [](auto& c, auto& data, auto&) { data.edit(data::Role::test).count = c.data.limit_test = 1; }},
      {"the train split of striped:nowhere has 1 image by data.limit_train = 1;",
       [](auto& c, auto& data, auto&) { data.edit(data::Role::train).count = c.data.limit_train = 1; }},
      {"the train split of striped:nowhere has no images;",
       [](auto&, auto& data, auto&) { data.edit(data::Role::train).count = 0; }},
      {"the images of the train split are 5000 x 8 pixels;",
       [](auto&, auto& data, auto&) { data.edit(data::Role::train).height = 5000; }},
      {"the images of the test split have 4 channels;",
       [](auto&, auto& data, auto&) { data.edit(data::Role::test).channels = 4; }},
      {"the unlabelled images of striped:nowhere are 5 x 8 x 1, the train images 9 x 8 x 1;",
       [](auto&, auto& data, auto&) {
         data.edit(data::Role::unlabelled) = data.train();
         data.edit(data::Role::unlabelled).height = 5;
       }},
      {"mine.k: expected at most 4095 beside the image itself; found 4096",
       [](auto& c, auto& data, auto&) {
         c.mine = {4096, 5, true}, data.edit(data::Role::train).count = 5000;
       }},
      {"mine.k_test: expected at most 4096; found 4097",
       [](auto& c, auto& data, auto&) { c.mine.k_test = 4097, data.edit(data::Role::test).count = 5000; }},
      {"evaluate.knn_k: expected at most 4096; found 4097",
       [](auto& c, auto& data, auto&) { c.evaluate.knn_k = 4097, data.edit(data::Role::train).count = 5000; }},
      {"model.projection: expected at most 256 on a CUDA device",
       [](auto& c, auto&, auto& machine) { c.model.projection = 257, machine.device = Device::cuda; }},
      {"pretext: needs at least ",
       [](auto& c, auto& data, auto&) {
         c.pretext.train.batch = data.edit(data::Role::train).count = int64_t{1} << 26;
       }},
      {"cluster: needs at least ", [](auto& c, auto&, auto&) { c.cluster.heads = 1 << 30; }},
      {"evaluate: needs at least ",
       [](auto&, auto& data, auto& machine) {
         data.edit(data::Role::train).count = 1'000'000, *machine.host_bytes = 500 << 20;
       }},
      {"pretext: needs at least ",
       [](auto&, auto&, auto& machine) { machine.device = Device::cuda, machine.device_bytes = 1 << 10; }},
      {"disk: the files of a run directory take about ",
       [](auto&, auto&, auto& machine) { machine.disk_bytes = 1000; }},
  };
  for (const Wrong& w : wrong) {
    RunConfig config = tiny_config();
    data::Dataset data = test::striped_data();
    Resources machine = kLarge;
    EXPECT_TRUE(preflight(config, data, kAll, machine).faults.empty());
    w.make(config, data, machine);
    const std::vector<std::string> faults = preflight(config, data, kAll, machine).faults;
    ASSERT_FALSE(faults.empty()) << w.field;
    EXPECT_TRUE(faults[0].starts_with(w.field)) << "expected " << w.field << "; found " << faults[0];
    EXPECT_NE(error_of([&] { expect_none(faults); }).find(w.field), std::string::npos);
  }
}

TEST(Preflight, WhatRunsOtherwiseThanMeantIsAWarning) {
  RunConfig config = tiny_config();
  config.data.limit_unlabelled = 5;
  config.mine.k = 70;
  config.evaluate.knn_k = 71;
  config.pretext.train.schedule.warmup_epochs = 4;
  config.cluster.train.epochs = 0;
  config.cluster.augment.strong.cutout = 9;
  config.selflabel.train.batch = 71;
  config.selflabel.train.schedule.kind = ScheduleKind::step;
  config.selflabel.train.schedule.milestones = {1, 2};
  const Preflight found = preflight(config, test::striped_data(), kAll, kLarge);
  EXPECT_TRUE(found.faults.empty());
  EXPECT_EQ(found.warnings, (std::vector<std::string>{
                                "data.limit_unlabelled: striped:nowhere has no unlabelled images",
                                "mine.k: 70 neighbours asked for, each train image has 69 others",
                                "evaluate.knn_k: 71 neighbours asked for, there are 70 train images",
                                "pretext.schedule.warmup_epochs: 4 of 3 epochs, the learning rate never gets to 0.003",
                                "cluster.epochs: 0, nothing is trained in this stage",
                                "selflabel.batch: 71 is cut to the 70 train images",
                                "selflabel.schedule.milestones: 2 is never reached in 2 epochs",
                                "cluster.augment.strong.cutout: squares of up to 9 pixels cover views of 9 x 8"}));
  RunConfig of_default = tiny_config();  // which nobody has asked for
  of_default.evaluate.knn_k = RunConfig{}.evaluate.knn_k;
  EXPECT_GT(of_default.evaluate.knn_k, 70);
  EXPECT_TRUE(preflight(of_default, test::striped_data(), kAll, kLarge).warnings.empty());
}

TEST(Preflight, RefinementAsksForNoMoreThanThereIs) {
  RunConfig config = tiny_config();
  config.refine.enabled = true;
  config.refine.train.batch = 32;
  config.refine.labelled = 33;
  config.refine.neighbours = 71;
  const Preflight found = preflight(config, test::striped_data(), kRefined, kLarge);
  EXPECT_TRUE(found.faults.empty());
  EXPECT_EQ(found.warnings, (std::vector<std::string>{"refine.neighbours: 71 asked for, there are 70 train images",
                                                      "refine.labelled: 33 is cut to the batch of 32"}));
  config.refine.neighbours = 4097;
  EXPECT_EQ(preflight(config, test::striped_data(), kRefined, kLarge).faults,
            (std::vector<std::string>{"refine.neighbours: expected at most 4096; found 4097"}));
}

TEST(Preflight, AStageThatIsNotEnabledIsRefusedBeforeItBegins) {
  RunConfig config = tiny_config();
  config.selflabel.enabled = false;
  const std::vector<std::string> both{"selflabel", "refine"};
  EXPECT_EQ(preflight(config, test::striped_data(), both, kLarge).faults,
            (std::vector<std::string>{"selflabel.enabled is false in this run; --set selflabel.enabled=true",
                                      "refine.enabled is false in this run; --set refine.enabled=true"}));
}

TEST(Preflight, WhatATaskCannotLearnFromIsSaidAtOnce) {
  RunConfig config = tiny_config();
  config.pretext.task = PretextKind::rotnet;
  EXPECT_EQ(
      preflight(config, test::striped_data(), kAll, kLarge).faults,
      (std::vector<std::string>{"pretext.task: rotnet turns images by 90 degrees; expected square views, found 9 x 8; "
                                "--set pretext.augment.size=N makes them square"}));
  config.pretext.task = PretextKind::moco;
  config.pretext.moco.shards = 3;
  EXPECT_EQ(
      preflight(config, test::striped_data(), kAll, kLarge).faults,
      (std::vector<std::string>{"pretext.moco.shards: expected a divisor of the batch of 16 that leaves parts of at "
                                "least 2 images; found 3; --set pretext.moco.shards=2"}));
  config.pretext.moco.shards = 16;
  EXPECT_FALSE(preflight(config, test::striped_data(), kAll, kLarge).faults.empty());
  config.pretext.moco.shards = 8;
  EXPECT_TRUE(preflight(config, test::striped_data(), kAll, kLarge).faults.empty());
}

TEST(Preflight, WithoutNeighboursThereMustBeOtherViews) {
  RunConfig config = tiny_config();
  config.mine.k = 0;
  config.cluster.frozen = true;
  config.cluster.views = 2;
  EXPECT_TRUE(preflight(config, test::striped_data(), kAll, kLarge).faults.empty());
  config.cluster.views = 1;
  EXPECT_EQ(preflight(config, test::striped_data(), kAll, kLarge).faults,
            std::vector<std::string>{"mine.k: 0 pairs each image with another view of itself; expected cluster.views "
                                     "of at least 2, found 1"});
  config.cluster.frozen = false;  // a view of its own for each of the pair
  EXPECT_TRUE(preflight(config, test::striped_data(), kAll, kLarge).faults.empty());
  config.cluster.augment.policy = kernels::AugmentPolicy::none;
  EXPECT_EQ(preflight(config, test::striped_data(), kAll, kLarge).faults,
            std::vector<std::string>{"mine.k: 0 pairs each image with another view of itself; expected "
                                     "cluster.augment.policy simclr or strong, found none"});
  config.cluster.frozen = true;
  EXPECT_EQ(preflight(config, test::striped_data(), kAll, kLarge).faults,
            std::vector<std::string>{
                "mine.k: 0 pairs each image with another view of itself; expected cluster.augment.policy simclr or "
                "strong, found none, and cluster.views of at least 2, found 1"});
}

TEST(Preflight, ViewsMayBeLargerThanTheImagesWhereTheyAreResized) {
  RunConfig config = tiny_config();
  config.pretext.augment.size = 24;  // of simclr
  config.cluster.augment.size = 8;
  EXPECT_TRUE(preflight(config, test::striped_data(), kAll, kLarge).faults.empty());
  config.cluster.augment.size = 9;
  EXPECT_EQ(preflight(config, test::striped_data(), kAll, kLarge).faults,
            (std::vector<std::string>{
                "cluster.augment.size: squares of 9 pixels cannot be cut from images of 9 x 8; expected at most their "
                "sides, or policy = \"simclr\", which resizes"}));
}

TEST(Preflight, LooksAtTheStagesThatRunOnly) {
  RunConfig config = tiny_config();
  config.mine.k = 5000, config.cluster.classes = 6000;
  data::Dataset data = test::striped_data(1, 70, 40);
  data.edit(data::Role::train).count = 5500;
  EXPECT_EQ(preflight(config, data, kAll, kLarge).faults.size(), 2u);
  EXPECT_TRUE(preflight(config, data, std::vector<std::string>{"pretext"}, kLarge).faults.empty());
}

TEST(Preflight, TightMemoryIsAWarning) {
  const RunConfig config = tiny_config();
  data::Dataset data = test::striped_data();
  data.edit(data::Role::train).count = 1'000'000;
  const std::vector<std::string> evaluate = {"evaluate"};
  const double needed = 4. * 2 * 1e6 * 9 * 8;  // the pixels of the train split as numbers, twice
  Resources machine = kLarge;
  machine.host_bytes = static_cast<int64_t>(1.1 * needed);
  EXPECT_EQ(preflight(config, data, evaluate, machine).warnings.size(), 1u);
  machine.host_bytes = static_cast<int64_t>(1.3 * needed);
  EXPECT_TRUE(preflight(config, data, evaluate, machine).warnings.empty());
  machine.host_bytes = static_cast<int64_t>(0.99 * needed);
  EXPECT_EQ(preflight(config, data, evaluate, machine).faults.size(), 1u);
  machine.host_bytes.reset();  // not known
  EXPECT_TRUE(preflight(config, data, evaluate, machine).faults.empty());
}

TEST(Preflight, ManyFaultsAreALineEach) {
  EXPECT_EQ(error_of([] { expect_none({}); }), "");
  EXPECT_EQ(error_of([] { expect_none({"a: wrong"}); }), "a: wrong");
  EXPECT_EQ(error_of([] { expect_none({"a: wrong", "b: too"}); }), "this cannot run:\n  a: wrong\n  b: too");
  EXPECT_EQ(error_of([] { expect_none({"a\nb", "c\x7f"}); }), "this cannot run:\n  a\\x0ab\n  c\\x7f");
}

}  // namespace
}  // namespace kith
