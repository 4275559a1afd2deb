// Weights and their records in stages.json: changed, exchanged, of commands that were killed, and lost.
#include <fstream>

#include "data/formats/files.h"
#include "scan/config/config.h"
#include "scan/run/stage_records.h"
#include "tests/scan/run/ledger_fixture.h"
#include "tests/support/lost_record.h"

namespace kith {
namespace {

using namespace test;

TEST(Ledger, ExchangedWeightsAreFound) {
  Again run("exchanged"), other("exchanged_other");
  other.config.cluster.lambda = 2;
  other();
  std::filesystem::copy_file(other.file("cluster.safetensors"), run.file("cluster.safetensors"),
                             std::filesystem::copy_options::overwrite_existing);
  Session s = run.session();
  const std::string why = "cluster.safetensors: not the bytes that the stage cluster wrote";
  EXPECT_NE(error_of([&] { evaluate(s); }).find(why), std::string::npos);
  EXPECT_NE(run.refused().find(why), std::string::npos);
  std::filesystem::remove(run.file("cluster.safetensors"));
  EXPECT_EQ(run.rerun(), "c");
  SafeTensors bare = read_safetensors(run.file("cluster.safetensors"));
  bare.metadata.clear();
  write_safetensors(run.file("cluster.safetensors"), bare);
  EXPECT_NE(run.refused().find("cluster.safetensors: not written by a stage of kith"), std::string::npos);
}

// As where an older copy of stages.json is put back: both cannot be right, and a run that is called done would never be mended.
TEST(Ledger, WeightsThatAnOlderRecordContradictsAreRefused) {
  Again run("older_record");
  const std::filesystem::path kept = run.file("kept");
  std::filesystem::copy_file(run.file("stages.json"), kept);
  run.config.cluster.lambda = 2;
  run();
  std::filesystem::copy_file(kept, run.file("stages.json"), std::filesystem::copy_options::overwrite_existing);
  EXPECT_NE(run.refused().find("cluster.safetensors: not the bytes that the stage cluster wrote"), std::string::npos);
}

// Lists and rows without a record are used where the settings that made them are as they were.
TEST(Ledger, WithoutARecordTheSettingsOfTheDirectoryTell) {
  Again run("settings_tell");
  RunConfig had = run.config;
  had.data.spec = "cifar10:somewhere";
  data::write_file(run.file("config.toml"), {data::as_bytes(to_toml(had))});
  lose_record(run.folder.path(), "mine");
  EXPECT_EQ(run.rerun(), "");
  run.config.mine.k += 1;
  EXPECT_EQ(run.rerun(), "mcs");
}

void edit_weights(const TinyRun& run) {
  SafeTensors weights = read_safetensors(run.file("cluster.safetensors"));
  weights.arrays.at("cluster_head.0.bias").bytes[3] ^= std::byte{0x80};
  write_safetensors(run.file("cluster.safetensors"), weights);
}

TEST(Ledger, EditedWeightsAreRefused) {
  Again run("edited");
  edit_weights(run);
  EXPECT_NE(
      run.refused().find("cluster.safetensors: not the bytes that the stage cluster wrote: damaged, or changed by "
                         "hand; restore it, or remove it, and kith run trains that stage again"),
      std::string::npos);
  run.config.cluster.lambda = 2;  // they would not be used
  EXPECT_EQ(run.rerun(), "cs");
  EXPECT_TRUE(run.report.warned("cluster.safetensors: not what the stage cluster made; replaced"));
}

// A command that is killed when it has written its weights, and not yet the record: in another precision they are others.
TEST(Ledger, WeightsOfACommandThatWasKilledBeforeTheirRecordAreTaken) {
  Again run("killed");
  run.session().ledger.begin("cluster");
  edit_weights(run);
  EXPECT_EQ(run.rerun(), "s");
  EXPECT_EQ(run.warnings_of_files(), 0);
  edit_weights(run);  // they are on record by then
  EXPECT_NE(run.refused().find("cluster.safetensors: not the bytes that the stage cluster wrote"), std::string::npos);
}

// By a stage that is called by its name, too.
TEST(Ledger, TheRecordOfAKilledCommandIsCompletedByTheNext) {
  Again run("completed");
  const StageRecord whole = read_records(run.folder.path()).at("cluster");
  run.session().ledger.begin("cluster");
  const StageRecords begun = read_records(run.folder.path());
  EXPECT_TRUE(begun.at("cluster").under_way);
  EXPECT_TRUE(follow(begun, run.config));  // the weights that were there stand until others take their place
  EXPECT_FALSE(stands(begun, run.config, "cluster"));
  Session s = run.session();
  selflabel(s);
  const StageRecord completed = read_records(run.folder.path()).at("cluster");
  EXPECT_FALSE(completed.under_way);
  EXPECT_EQ(completed.outputs, whole.outputs);
  EXPECT_EQ(completed.origin, whole.origin);
}

TEST(Ledger, HalfWrittenResultsAreMadeAgain) {
  Again run("half");
  StageRecord record = read_records(run.folder.path()).at("mine");
  record.under_way = true;
  write_record(run.folder.path(), "mine", record);
  run.write_lists(1);
  EXPECT_EQ(run.rerun(), "m");
}

TEST(Ledger, DirectoriesOfEarlierVersionsSaySo) {
  Again run("earlier");
  std::filesystem::remove(run.file("stages.json"));
  SafeTensors weights = read_safetensors(run.file("pretext.safetensors"));
  weights.metadata = {{"kith.config", "0123456789abcdef"}};
  write_safetensors(run.file("pretext.safetensors"), weights);
  EXPECT_NE(run.refused().find("pretext.safetensors: made by an earlier version of kith"), std::string::npos);
}

TEST(Ledger, WeightsTellTheirOriginWithoutARecord) {
  Again run("recordless");
  std::filesystem::remove(run.file("stages.json"));
  const std::string all = "nothing tells whether what the stages pretext, features, mine, cluster, selflabel left is";
  EXPECT_EQ(run.rerun(), "");
  EXPECT_TRUE(run.report.warned("stages.json: missing: " + all));
  EXPECT_TRUE(run.report.warned("replaced; stages.json has no record that the stage evaluate made it"));
  EXPECT_EQ(run.warnings_of_files(), 0);
  EXPECT_EQ(run.rerun(), "");  // nor does the record of the evaluation tell
  EXPECT_TRUE(run.report.warned("stages.json: a record is missing: " + all));
  std::filesystem::remove(run.file("selflabel.safetensors"));
  EXPECT_EQ(run.rerun(), "s");
  EXPECT_EQ(run.rerun(), "");
  EXPECT_TRUE(run.report.warned("nothing tells whether what the stages pretext, features, mine, cluster left is"));
  std::ofstream(run.file("stages.json")) << "{\"mine\": 3}";
  EXPECT_NE(run.refused().find("stages.json: damaged"), std::string::npos);
}

}  // namespace
}  // namespace kith
