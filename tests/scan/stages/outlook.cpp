// What is said that kith run would do is what it does.
#include "scan/stages/outlook.h"

#include "data/dataset/digest.h"
#include "scan/run/recorded_images.h"
#include "tests/scan/run/ledger_fixture.h"
#include "tests/support/flipped.h"

namespace kith {
namespace {

using namespace test;
namespace fs = std::filesystem;

struct Foreseen : Again {
  explicit Foreseen(const std::string& name) : Again(name) { write_config(); }
  void write_config() const { std::ofstream(file("config.toml")) << to_toml(config); }
  void configure(const std::vector<std::string>& overrides) {
    config = with_overrides(config, overrides);
    write_config();
  }
  // The stages that surely run, as rerun() has them.
  std::string foreseen() const {
    const Outlook next = outlook(folder.path());
    EXPECT_EQ(next.refusal, "");
    EXPECT_EQ(next.otherwise, "");
    std::string made;
    for (const PlannedStage& stage : next.stages)
      if (!stage.done && stage.unless.empty() && stage.name != "evaluate")
        made += stage.name == "features" ? 'p' : stage.name[0];
    return made;
  }
};

TEST(Outlook, IsWhatTheRunDoes) {
  Foreseen run("outlook_done");
  const auto expect = [&](const std::string& stages, const std::string& what) {
    EXPECT_EQ(run.foreseen(), stages) << what;
    EXPECT_EQ(run.rerun(), stages) << what;
    EXPECT_EQ(run.foreseen(), "") << what;
  };
  expect("", "nothing has changed");
  for (const auto& [name, stages] : {std::pair("features_test.npy", "p"),
                                     {"neighbours_train.npy", "m"},
                                     {"selflabel.safetensors", "s"},
                                     {"summary.json", ""}}) {
    fs::remove(run.file(name));
    expect(stages, name);
  }
  run.configure({"selflabel.share=0.4"});
  expect("s", "selflabel.share");
  run.configure({"mine.k=4"});
  expect("mcs", "mine.k");
  run.write_lists(1);
  expect("cs", "lists of others");
  EXPECT_EQ(used_as_they_are(outlook(run.folder.path()).stages),
            "neighbours_train.npy: not what the stage mine made; used as it is (kith mine makes a new one)");
  fs::remove(run.file("stages.json"));
  expect("", "stages.json");
}

TEST(Outlook, IsTheLineThatTheRunEndsWith) {
  Foreseen run("outlook_refused");
  const auto expect = [&](const std::string& line) {
    const std::string refusal = outlook(run.folder.path()).refusal;
    EXPECT_EQ(run.refused(), refusal);
    EXPECT_NE(refusal.find(line), std::string::npos) << refusal;
  };
  const auto all = run.contents();
  const auto restore = [&] {
    for (const auto& [name, bytes] : all) std::ofstream(run.file(name), std::ios::binary) << bytes;
  };
  for (const char* name : {"features_train.npy", "features_test.npy", "neighbours_train.npy", "neighbours_test.npy"}) {
    fs::resize_file(run.file(name), fs::file_size(run.file(name)) / 2);
    expect(std::string(name) + ": damaged");
    restore();
  }
  for (const char* name : {"pretext.safetensors", "cluster.safetensors", "selflabel.safetensors"}) {
    flip_bit(run.file(name));
    expect("not the bytes that the stage");
    restore();
  }
  data::write_npy<int64_t>(run.file("neighbours_train.npy"), std::vector<int64_t>(69 * 5), {69, 5});
  expect("shape [70, k] expected, one row per train image");
  restore();
  run.configure({"pretext.tau=0.5"});
  expect("pretext.safetensors: made from other inputs (pretext.tau was 0.2, now 0.5); choose another --out");
  fs::remove(run.file("stages.json"));  // weights tell what they were made from themselves
  expect("pretext.safetensors: made from other inputs (pretext.tau was 0.2, now 0.5); choose another --out");
}

TEST(Outlook, KnowsOfImagesWhatResultsSayOfThem) {
  Foreseen run("outlook_images");
  const auto known = [&] { return recorded_images(run.folder.path(), run.config); };
  const auto expect = [&](bool every_part) {
    const RecordedImages found = known();
    EXPECT_EQ(found.like.train().count, 70);
    EXPECT_EQ(found.like.scored().count, 40);
    EXPECT_EQ(found.like.train().height, 9);
    EXPECT_EQ(found.like.classes(), 3);  // of a configuration that says 0
    for (const auto& [part, content] : data::parts_of(run.data)) {
      if (!every_part && !found.parts.contains(part)) continue;
      EXPECT_EQ(found.parts.at(part), content) << part;
    }
  };
  expect(true);
  fs::remove(run.file("stages.json"));
  expect(false);
  run();
  EXPECT_EQ(to_text(known().otherwise), "");
  run.configure({"data.limit_train=50"});
  EXPECT_EQ(to_text(known().otherwise), "data.limit_train was 0, now 50");
  EXPECT_EQ(advice(outlook(run.folder.path()), "a", "continues it"),
            "kith run --out a reads its images in another way (data.limit_train was 0, now 50), and refuses to go on "
            "where they come out as others");
  run();  // where they are the same
  EXPECT_EQ(to_text(known().otherwise), "");
  EXPECT_EQ(advice(outlook(run.folder.path()), "a", "continues it"), "kith run --out a continues it");
  EXPECT_EQ(recorded_images(run.folder.path() / "none", run.config).parts.size(), 0u);
}

}  // namespace
}  // namespace kith
