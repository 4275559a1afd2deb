// What kith predict --features asks of a clustering of rows: settings that are the model's, and nothing that images have.
#include <fstream>

#include "tests/apps/commands/cluster_fixture.h"

namespace kith::test {
namespace {

// Settings that were edited by hand treat rows in another way than the model knows them.
TEST_F(ClusterProgram, AModelIsNotAskedBySettingsThatItWasNotTrainedBy) {
  ASSERT_EQ(kith(command("run", {"--clusters", "3", "--method", "kmeans"})).err, "");
  const fs::path file = root / "run" / "run.json";
  std::string text = content_of(file);
  const size_t at = text.find("\"normalize\": true");
  ASSERT_NE(at, text.npos) << text;
  std::ofstream(file) << text.replace(at, 17, "\"normalize\": false");
  const Outcome o = kith({"predict", "--run", path("run"), "--features", path("new.npy"), "--threads", "1"});
  EXPECT_EQ(o.status, 1);
  EXPECT_EQ(o.out, "");
  EXPECT_EQ(o.err,
            "kith: error: " + file.string() +
                ": changed since model.safetensors was trained (settings/normalize was true, now false); restore "
                "it, or begin anew in another --out\n");
}

TEST_F(ClusterProgram, WhatRowsHaveNotIsRefusedWhereTheyAreAsked) {
  ASSERT_EQ(kith(command("run", {"--clusters", "3", "--method", "kmeans"})).err, "");
  for (const std::vector<std::string>& option : std::vector<std::vector<std::string>>{
           {"--split", "test"}, {"--invert"}, {"--skip-bad"}, {"--precision", "bf16"}}) {
    std::vector<std::string> words = {"predict", "--run", path("run"), "--features", path("new.npy")};
    words.insert(words.end(), option.begin(), option.end());
    const Outcome o = kith(words);
    EXPECT_EQ(o.status, 1);
    EXPECT_EQ(o.err, "kith: error: " + option[0] + ": of images; rows of features, --features, are without it\n");
  }
}

}  // namespace
}  // namespace kith::test
