// How options, presets and a run directory that was begun become one configuration.
#include "apps/run_stage.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <fstream>

#include "kernels/core/check.h"

namespace kith {
namespace {

class ResolveConfig : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = testing::TempDir() + "kith_session_" + testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(dir_);
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  void begin(const StageOptions& options) {
    const std::string text = to_toml(resolve_config(options).config);
    std::filesystem::create_directories(dir_);
    std::ofstream(dir_ / "config.toml") << text;
  }
  StageOptions options(const std::string& data = "") {
    StageOptions o;
    o.data = data;
    o.out = dir_.string();
    return o;
  }
  std::string refused(const StageOptions& options);
  std::filesystem::path dir_;
};

TEST_F(ResolveConfig, QuickIsTheDefault) {
  StageOptions o = options("fashion-mnist:d");
  o.overrides = {"pretext.epochs=2"};
  o.seed = 4;
  o.threads = 2;
  const RunConfig c = resolve_config(o).config;
  EXPECT_EQ(c.preset, "quick");
  EXPECT_EQ(c.data.spec, "fashion-mnist:d");
  EXPECT_EQ(c.data.size, 14);
  EXPECT_EQ(c.seed, 4u);
  EXPECT_EQ(c.threads, 2);
  EXPECT_EQ(c.pretext.train.epochs, 2);
}

TEST_F(ResolveConfig, OfManyDifferencesTheFirstAreNamed) {
  begin(options("fashion-mnist:d"));
  StageOptions o = options();
  o.overrides = {"pretext.tau=0.9", "pretext.epochs=77", "model.width=3", "model.projection=9", "pretext.batch=11"};
  EXPECT_NE(refused(o).find("; and 2 more); choose another --out"), std::string::npos) << refused(o);
  EXPECT_EQ(refused(o).find("pretext.batch was"), std::string::npos) << refused(o);  // the last of them
}

TEST_F(ResolveConfig, ABegunDirectoryNeedsNoOptions) {
  StageOptions o = options("fashion-mnist:d");
  o.overrides = {"pretext.tau=0.25"};
  o.seed = 7;
  begin(o);
  const RunConfig c = resolve_config(options()).config;
  EXPECT_EQ(c.data.spec, "fashion-mnist:d");
  EXPECT_EQ(c.pretext.tau, 0.25f);
  EXPECT_EQ(c.seed, 7u);
  EXPECT_EQ(c.preset, "quick");
}

TEST_F(ResolveConfig, WhatDoesNotChangeResultsMayDiffer) {
  begin(options("fashion-mnist:d"));
  StageOptions o = options("fashion-mnist:elsewhere");
  o.threads = 3;
  o.overrides = {"checkpoint_seconds=5"};
  EXPECT_EQ(resolve_config(o).config.threads, 3);
  o.preset = "quick";
  o.data = "";
  EXPECT_EQ(resolve_config(o).config.data.spec, "fashion-mnist:d");
}

TEST_F(ResolveConfig, PrecisionIsTheOneOfTheBeginningUnlessNamed) {
  StageOptions o = options("fashion-mnist:d");
  o.precision = "f32";
  begin(o);
  const RunConfig begun = resolve_config(options()).config;
  EXPECT_EQ(begun.precision, Precision::f32);
  EXPECT_EQ(changed_arithmetic(begun, begun), "");
  o = options();
  o.preset = "quick";  // says auto
  EXPECT_EQ(resolve_config(o).config.precision, Precision::f32);
  o.precision = "bf16";
  o.tf32 = true;
  const RunConfig now = resolve_config(o).config;
  EXPECT_EQ(now.precision, Precision::bf16);
  EXPECT_TRUE(now.tf32);
  EXPECT_EQ(changed_arithmetic(begun, now),
            "precision was \"f32\", now \"bf16\"; tf32 was false, now true: results will differ a little from a run in "
            "one arithmetic");
}

// No result depends on it: a run that was begun without goes on with it, and nothing is said.
TEST_F(ResolveConfig, NormalisationsMayBeComputedAgainInARunThatWasBegunWithout) {
  begin(options("fashion-mnist:d"));
  StageOptions o = options();
  o.recompute = true;
  const ResolvedConfig resolved = resolve_config(o);
  EXPECT_TRUE(resolved.config.recompute);
  EXPECT_EQ(changed_arithmetic(*resolved.begun, resolved.config), "");
  o.overrides = {"recompute=false"};
  EXPECT_THROW(expect_each_once(o), CLI::ValidationError);
}

// The message of the Error that the options meet, without the path it begins with.
std::string ResolveConfig::refused(const StageOptions& o) {
  try {
    resolve_config(o);
  } catch (const Error& e) {
    return std::string(e.what()).substr((dir_ / "config.toml").string().size());
  }
  return "no error";
}

TEST_F(ResolveConfig, WhatThePretextWasMadeWithStays) {
  begin(options("fashion-mnist:d"));
  StageOptions o = options("cifar10:d");  // the content of the images decides, later
  o.overrides = {"pretext.tau=0.5", "mine.k=4"};
  o.seed = 1;
  EXPECT_EQ(
      refused(o),
      ": begun with another configuration (seed was 0, now 1; pretext.tau was 0.2, now 0.5); choose another --out");
}

TEST_F(ResolveConfig, AnOptionAndAnOverrideOfTheSameFieldAreRefused) {
  StageOptions o = options("fashion-mnist:d");
  o.overrides = {"seed=5"};
  EXPECT_EQ(resolve_config(o).config.seed, 5u);
  o.seed = 5;
  try {
    expect_each_once(o);
    FAIL() << "no error";
  } catch (const CLI::ValidationError& e) {
    EXPECT_STREQ(e.what(), "--seed and --set seed=... are the same setting; expected one of them");
  }
}

TEST_F(ResolveConfig, LaterFieldsChangeWhereTheyAreNamed) {
  StageOptions o = options("fashion-mnist:d");
  o.overrides = {"cluster.lambda=3.0", "selflabel.epochs=9"};
  begin(o);
  o.preset = "quick";
  o.overrides = {"cluster.lambda=3.0"};  // the other --set was forgotten
  EXPECT_EQ(refused(o).find(": begun with another configuration (selflabel.epochs was 9, now "), 0u);
  o.overrides = {"cluster.lambda=3.0", "evaluate.knn_k=7"};
  EXPECT_EQ(refused(o).find(": begun with another configuration (selflabel.epochs was 9, now "), 0u);
  EXPECT_NE(refused(o).find("choose another --out, or name with --set what is to change here"), std::string::npos);
  o.overrides = {"cluster.lambda=4.0"};  // after which self-labelling is made anew anyway
  EXPECT_EQ(resolve_config(o).config.cluster.lambda, 4);
  o.preset = "";
  EXPECT_EQ(resolve_config(o).config.selflabel.train.epochs, 9);
}

TEST_F(ResolveConfig, OfAnotherRunWithWhatIsSet) {
  StageOptions o = options("fashion-mnist:d");
  o.overrides = {"pretext.tau=0.25"};
  o.precision = "f32";
  begin(o);
  StageOptions next;
  next.from = dir_.string();
  next.out = (dir_ / "next").string();
  next.overrides = {"cluster.classes=8"};
  const RunConfig c = resolve_config(next).config;
  EXPECT_EQ(c.data.spec, "fashion-mnist:d");
  EXPECT_EQ(c.pretext.tau, 0.25f);
  EXPECT_EQ(c.cluster.classes, 8);
  EXPECT_EQ(c.precision, Precision::f32);
}

}  // namespace
}  // namespace kith
