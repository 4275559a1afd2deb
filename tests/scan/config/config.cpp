// Reading, writing and comparing configurations, and the messages of what is wrong with one.
#include "scan/config/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "kernels/core/check.h"
#include "scan/config/config_fields.h"
#include "tests/scan/stages/stages_support.h"

namespace kith {
namespace {

using test::error_of;

class ConfigFile : public testing::Test {
 protected:
  std::string path() const {
    return testing::TempDir() + "kith_config_" + testing::UnitTest::GetInstance()->current_test_info()->name() +
           ".toml";
  }
  void TearDown() override { std::filesystem::remove(path()); }
  RunConfig load(const std::string& text, const std::vector<std::string>& overrides = {}) {
    std::ofstream(path()) << text;
    return load_config(path(), overrides);
  }
  // Without the path that every message begins with.
  std::string fails(const std::string& text) {
    const std::string message = error_of([&] { load(text); });
    EXPECT_TRUE(message.starts_with(path() + ":")) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos);
    return message.substr(std::min(message.size(), path().size() + 1));
  }
};

TEST(Presets, AreAsPublished) {
  const RunConfig c = load_config("paper-cifar10", {});
  EXPECT_EQ(c.preset, "paper-cifar10");
  EXPECT_EQ(c.model.width, 64);
  EXPECT_EQ(c.pretext.train.epochs, 500);
  EXPECT_EQ(c.pretext.train.batch, 512);
  EXPECT_EQ(c.pretext.tau, 0.1f);
  EXPECT_EQ(c.pretext.form, NtXentForm::one_sided);
  EXPECT_EQ(c.pretext.train.optimizer.kind, OptimizerKind::sgd);
  EXPECT_EQ(c.pretext.train.optimizer.momentum, 0.9f);
  EXPECT_EQ(c.pretext.train.optimizer.weight_decay, 1e-4f);
  EXPECT_TRUE(c.pretext.train.optimizer.decay_all);
  EXPECT_EQ(c.pretext.train.schedule.kind, ScheduleKind::cosine);
  EXPECT_EQ(c.pretext.train.schedule.lr, 0.4);
  EXPECT_EQ(c.pretext.train.schedule.final_ratio, 1e-3);
  EXPECT_FALSE(c.pretext.train.schedule.per_step);
  EXPECT_EQ(c.pretext.augment.policy, kernels::AugmentPolicy::simclr);
  EXPECT_EQ(c.mine.k, 20);
  EXPECT_EQ(c.mine.k_test, 5);
  EXPECT_TRUE(c.mine.include_self);
  EXPECT_EQ(c.cluster.train.epochs, 50);
  EXPECT_EQ(c.cluster.train.batch, 128);
  EXPECT_EQ(c.cluster.train.optimizer.kind, OptimizerKind::adam);
  EXPECT_EQ(c.cluster.train.schedule.lr, 1e-4);
  EXPECT_EQ(c.cluster.lambda, 5.f);
  EXPECT_EQ(c.cluster.heads, 1);
  EXPECT_FALSE(c.cluster.frozen);
  EXPECT_EQ(c.cluster.augment.policy, kernels::AugmentPolicy::strong);
  EXPECT_EQ(c.selflabel.train.epochs, 200);
  EXPECT_EQ(c.selflabel.train.batch, 1000);
  EXPECT_EQ(c.selflabel.threshold, 0.99f);
  EXPECT_EQ(c.selflabel.share, 0.f);
  EXPECT_EQ(c.selflabel.augment.policy, kernels::AugmentPolicy::strong);

  // Running statistics as in the authors' code, and nowhere else.
  for (const std::string& name : preset_names()) {
    const RunConfig preset = load_config(name, {});
    const bool authors = !name.starts_with("quick") && !name.starts_with("fast-");
    EXPECT_EQ(preset.cluster.statistics == Statistics::moving, authors) << name;
    EXPECT_EQ(preset.selflabel.statistics == Statistics::moving, authors) << name;
    EXPECT_EQ(preset.pretext.statistics, Statistics::moving) << name;
  }

  const RunConfig twenty = load_config("paper-cifar20", {});
  EXPECT_EQ(twenty.cluster.train.epochs, 100);
  EXPECT_EQ(twenty.cluster.train.batch, 512);
  EXPECT_EQ(twenty.pretext.train.epochs, 500);

  const auto fields_that_differ = [&](const std::string& name) {
    std::vector<std::string> fields;
    for (const Difference& d : differences(c, load_config(name, {})))
      fields.push_back(d.field + " " + d.left + " " + d.right);
    return fields;
  };
  EXPECT_EQ(fields_that_differ("paper-stl10"),
            (std::vector<std::string>{"preset \"paper-cifar10\" \"paper-stl10\"", "model.stem \"cifar\" \"stl\"",
                                      "cluster.epochs 50 100", "cluster.augment.strong.cutout 16 32",
                                      "selflabel.epochs 200 100", "selflabel.augment.strong.cutout 16 32"}));
  EXPECT_EQ(fields_that_differ("overcluster-cifar10"),
            (std::vector<std::string>{"preset \"paper-cifar10\" \"overcluster-cifar10\"", "cluster.classes 0 20"}));
}

TEST(Presets, AllRoundTripThroughToml) {
  for (const std::string& name : preset_names()) {
    const RunConfig c =
        load_config(name, {"data.spec=fashion-mnist:some \"odd\\dir", "pretext.schedule.milestones=[1,2.5]"});
    const std::string text = to_toml(c);
    const std::string path = testing::TempDir() + "kith_roundtrip_" + name + ".toml";
    std::ofstream(path) << text;
    const RunConfig again = load_config(path, {});
    EXPECT_TRUE(differences(c, again).empty()) << name << ": " << differences(c, again).front().field;
    EXPECT_EQ(to_toml(again), text);
    EXPECT_EQ(again.data.spec, "fashion-mnist:some \"odd\\dir");
    EXPECT_EQ(again.preset, name);
    std::filesystem::remove(path);
  }
}

TEST(Presets, FollowTheDataSet) {
  EXPECT_EQ(load_config("quick", {"data.spec=fashion-mnist:d"}).data.size, 14);
  EXPECT_EQ(load_config("quick", {"data.spec=cifar10:d"}).data.size, 24);
  EXPECT_EQ(load_config("quick", {"data.spec=fashion-mnist:d", "data.size=28"}).data.size, 28);
}

TEST(Fields, AreNamedOnceAndWithinTheirRange) {
  RunConfig c;
  std::vector<std::string> names;
  for (const Field& f : fields(c)) names.push_back(f.name);
  std::ranges::sort(names);
  EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
  // The defaults read back: each lies in its own range.
  const std::string path = testing::TempDir() + "kith_defaults.toml";
  std::ofstream(path) << to_toml(c);
  EXPECT_TRUE(differences(c, load_config(path, {})).empty());
  std::filesystem::remove(path);
}

TEST_F(ConfigFile, OverridesComeLast) {
  const RunConfig c =
      load("[pretext]\nepochs = 7\nschedule.lr = 1\n", {"pretext.epochs=9", "pretext.epochs=11", "seed=5"});
  EXPECT_EQ(c.pretext.train.epochs, 11);
  EXPECT_EQ(c.pretext.train.schedule.lr, 1.0);  // an integer is a number
  EXPECT_EQ(c.seed, 5u);
  EXPECT_EQ(c.preset, path());
}

TEST_F(ConfigFile, ForSectionsStandBetweenFileAndOverrides) {
  const std::string text = "[mine]\nk = 3\n[for.cifar10]\nmine.k = 4\nmine.k_test = 6\n[for.mnist.mine]\nk = 5\n";
  EXPECT_EQ(load(text).mine.k, 3);
  EXPECT_EQ(load(text, {"data.spec=cifar10:d"}).mine.k, 4);
  EXPECT_EQ(load(text, {"data.spec=cifar10:d", "mine.k=9"}).mine.k, 9);
  EXPECT_EQ(load(text, {"data.spec=cifar10:d", "mine.k=9"}).mine.k_test, 6);
  EXPECT_EQ(load(text, {"data.spec=mnist:d"}).mine.k, 5);
}

TEST_F(ConfigFile, UnknownFieldsNameTheNearest) {
  EXPECT_EQ(fails("[pretext]\ntau = 0.2\nepoch = 3\n"),
            "3: unknown field pretext.epoch; the nearest is pretext.epochs");
  EXPECT_EQ(fails("pretext.lr = 0.1\n"), "1: unknown field pretext.lr; the nearest is pretext.schedule.lr");
  EXPECT_EQ(fails("[selflable]\nthreshold = 0.9\n"),
            "2: unknown field selflable.threshold; the nearest is selflabel.threshold");
  EXPECT_EQ(fails("[for.cifar10]\nmine.kk = 3\n"), "2: unknown field mine.kk; the nearest is mine.k");
  EXPECT_EQ(fails("pretext = 3\n"), "1: pretext is a section, expected a table; found 3");
  EXPECT_TRUE(fails("[nothing]\n").starts_with("1: unknown field nothing; the nearest is "));
}

TEST_F(ConfigFile, WrongTypesNameTheExpectedOne) {
  EXPECT_EQ(fails("\n[pretext]\nepochs = \"ten\"\n"),
            "3: pretext.epochs: expected an integer, at least 0 and at most 1000000000; found 'ten'");
  EXPECT_EQ(fails("pretext.epochs = 1.5\n"),
            "1: pretext.epochs: expected an integer, at least 0 and at most 1000000000; found 1.5");
  EXPECT_EQ(fails("pretext.epochs = {a = 1}\n"),
            "1: pretext.epochs: expected an integer, at least 0 and at most 1000000000; found a table");
  EXPECT_EQ(fails("mine.include_self = 1\n"), "1: mine.include_self: expected true or false; found 1");
  EXPECT_EQ(fails("data.spec = 1\n"), "1: data.spec: expected a string in UTF-8; found 1");
  EXPECT_EQ(fails("model.stem = \"cifer\"\n"), "1: model.stem: expected one of cifar, stl, imagenet; found 'cifer'");
  EXPECT_EQ(fails("cluster.statistics = \"weak\"\n"),
            "1: cluster.statistics: expected one of moving, reestimate, frozen; found 'weak'");
  EXPECT_EQ(fails("pretext.schedule.milestones = [1, \"a\"]\n"),
            "1: pretext.schedule.milestones: expected a list of numbers, at least 0; found [ 1, 'a' ]");
}

TEST_F(ConfigFile, ValuesOutOfRangeAreRefused) {
  EXPECT_EQ(fails("pretext.epochs = -1\n"),
            "1: pretext.epochs: expected an integer, at least 0 and at most 1000000000; found -1");
  EXPECT_EQ(fails("pretext.batch = 1\n"),
            "1: pretext.batch: expected an integer, at least 2 and at most 1073741824; found 1");
  EXPECT_EQ(fails("pretext.tau = 0\n"), "1: pretext.tau: expected a number, at least 1e-06; found 0");
  EXPECT_EQ(fails("pretext.tau = nan\n"), "1: pretext.tau: expected a number, at least 1e-06; found nan");
  EXPECT_EQ(fails("pretext.tau = inf\n"), "1: pretext.tau: expected a number, at least 1e-06; found inf");
  EXPECT_EQ(fails("selflabel.share = 1.01\n"),
            "1: selflabel.share: expected a number, at least 0 and at most 1; found 1.01");
  EXPECT_EQ(fails("model.width = 4294967297\n"),
            "1: model.width: expected an integer, at least 1 and at most 8192; found 4294967297");
  EXPECT_EQ(load("selflabel.share = 1\nseed = 9223372036854775807\n").seed, 9223372036854775807u);
}

TEST_F(ConfigFile, SyntaxErrorsNameTheLine) {
  EXPECT_TRUE(fails("[pretext]\nepochs = \n").starts_with("2: ")) << fails("[pretext]\nepochs = \n");
  EXPECT_TRUE(fails("a = 1\na = 2\n").starts_with("2: "));
}

TEST_F(ConfigFile, FieldsThatDoNotFitTogether) {
  EXPECT_EQ(fails("pretext.schedule.kind = \"step\"\nmodel.depth = 101\n"),
            "2: model.depth: expected 18, 34 or 50; found 101");
  EXPECT_EQ(error_of([&] { load("pretext.schedule.kind = \"step\"\n"); }),
            "pretext.schedule.milestones: a step schedule needs at least one epoch");
  EXPECT_EQ(fails("cluster.augment.simclr.scale_min = 0.9\ncluster.augment.simclr.scale_max = 0.5\n"),
            "1: cluster.augment.simclr.scale_min: 0.9 is larger than scale_max, 0.5");
}

// Beyond its range a value is refused where it is set; the limits themselves are taken where they are inside.
TEST_F(ConfigFile, RangesAreThoseOfTheStages) {
  for (const char* wrong : {"pretext.schedule.lr = 0",
                            "pretext.schedule.lr = -1",
                            "pretext.optimizer.momentum = 1",
                            "pretext.optimizer.beta1 = 1",
                            "cluster.optimizer.beta2 = 1.0",
                            "pretext.optimizer.eps = 0",
                            "pretext.optimizer.eps = 1e-50",
                            "pretext.optimizer.momentum = 0.999999999999",
                            "pretext.optimizer.weight_decay = -1e-9",
                            "selflabel.ema = 1.1",
                            "data.holdout = 1",
                            "data.holdout = -0.1",
                            "selflabel.schedule.gamma = 0",
                            "pretext.schedule.warmup_epochs = -1",
                            "pretext.schedule.milestones = [-1]",
                            "pretext.tau = 1e-7",
                            "evaluate.knn_tau = 0",
                            "cluster.augment.strong.operations = 17",
                            "cluster.augment.strong.cutout = 4097",
                            "data.size = 4097",
                            "threads = 4097",
                            "cluster.heads = 0",
                            "cluster.views = 0",
                            "cluster.classes = -1",
                            "model.projection = -1",
                            "pretext.epochs = 1000000001",
                            "evaluate.kmeans_restarts = 0",
                            "cluster.lambda = -1",
                            "pretext.augment.simclr.scale_min = 0",
                            "pretext.augment.simclr.hue = 0.51"})
    EXPECT_NE(fails(std::string(wrong) + "\n").find(": expected "), std::string::npos) << wrong;
  for (const char* right : {"pretext.optimizer.momentum = 0", "pretext.optimizer.weight_decay = 0", "selflabel.ema = 0",
                            "selflabel.ema = 1", "cluster.augment.strong.operations = 16", "data.size = 4096",
                            "pretext.epochs = 0", "pretext.optimizer.momentum = 0.9999", "pretext.tau = 1e-6"})
    EXPECT_NO_THROW(load(std::string(right) + "\n")) << right;
  EXPECT_EQ(fails("pretext.optimizer.momentum = 1\n"),
            "1: pretext.optimizer.momentum: expected a number, at least 0 and below 1; found 1");
}

TEST(Overrides, NameThemselvesWhenWrong) {
  const auto fails = [](const std::string& text) { return error_of([&] { load_config("quick", {text}); }); };
  EXPECT_EQ(
      fails("pretext.epochs=ten"),
      "--set pretext.epochs=ten: pretext.epochs: expected an integer, at least 0 and at most 1000000000; found 'ten'");
  EXPECT_EQ(fails("pretext.epoch=10"),
            "--set pretext.epoch=10: unknown field pretext.epoch; the nearest is pretext.epochs");
  EXPECT_EQ(fails("pretext.epochs"), "--set pretext.epochs: expected section.field=value");
  EXPECT_NE(fails("preset=paper-cifar10").find("a preset is chosen by --preset"), std::string::npos);
  EXPECT_EQ(fails("=3"), "--set =3: expected section.field=value");
  EXPECT_EQ(fails("pretext=3"), "--set pretext=3: pretext is a section, expected a table; found 3");
}

TEST(Overrides, StringsNeedNoQuotes) {
  const RunConfig c =
      load_config("quick", {"data.spec=cifar10:/some/dir", "model.stem=stl", "pretext.augment.policy=\"none\""});
  EXPECT_EQ(c.data.spec, "cifar10:/some/dir");
  EXPECT_EQ(c.model.stem, Stem::stl);
  EXPECT_EQ(c.pretext.augment.policy, kernels::AugmentPolicy::none);
}

TEST(Presets, AnUnknownOneNamesTheNearest) {
  EXPECT_EQ(error_of([] { load_config("quik", {}); }),
            "quik: neither a preset nor a readable file; the nearest is quick; kith presets lists them");
  EXPECT_EQ(error_of([] { load_config("nothing-like-it", {}); }),
            "nothing-like-it: neither a preset nor a readable file; kith presets lists them");
  EXPECT_NE(error_of([] { load_config(testing::TempDir(), {}); }).find("nor a readable file"), std::string::npos);
}

TEST(Differences, NameTheFieldAndBothValues) {
  const RunConfig a = load_config("quick", {"pretext.tau=0.2"}),
                  b = load_config("quick", {"pretext.tau=0.3", "threads=7"});
  const std::vector<Difference> d = differences(a, b);
  ASSERT_EQ(d.size(), 2u);
  EXPECT_EQ(d[0].field, "threads");
  EXPECT_EQ(d[1].field, "pretext.tau");
  EXPECT_EQ(d[1].left, "0.2");
  EXPECT_EQ(d[1].right, "0.3");
}

}  // namespace
}  // namespace kith
