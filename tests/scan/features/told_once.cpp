// What clusterings of rows say of their files, each once; a damaged checkpoint is refused.
#include <algorithm>
#include <string>
#include <utility>

#include "data/formats/npy.h"
#include "scan/run/stage_records.h"
#include "tests/scan/features/support.h"
#include "tests/support/flipped.h"

namespace kith::test {
namespace {

const std::vector<std::string> kTemi = {"neighbours=8", "heads=2",      "epochs=4",     "batch=32",
                                        "hidden=16",    "bottleneck=8", "momentum=0.9", "warmup=0.1"};

int64_t count_of(const StoppingReporter& report, const std::string& part) {
  return std::ranges::count_if(report.warnings, [&](const auto& w) { return w.find(part) != w.npos; });
}

TEST_F(RowRuns, NeighboursThatWereChangedAreToldOf) {
  const RowClustering c = clustering("lists", "temi", {FeatureMatrix::of(blobs(150, 6, 3, 0.3f).view())}, kTemi);
  run(c);
  run(c);
  EXPECT_EQ(count_of(report, "neighbours.npy"), 0);
  auto lists = data::read_npy<int64_t>(c.dir / "neighbours.npy");
  std::swap(lists.values[0], lists.values[9]);
  data::write_npy<int64_t>(c.dir / "neighbours.npy", lists.values, lists.shape);
  std::filesystem::remove(c.dir / "model.safetensors");
  run(c);
  EXPECT_EQ(count_of(report, "neighbours.npy: not what the stage mine made; used as it is"), 1);
}

TEST_F(RowRuns, NeighboursWithoutARecordAreToldOf) {
  const RowClustering c = clustering("unrecorded", "temi", {FeatureMatrix::of(blobs(150, 6, 3, 0.3f).view())}, kTemi);
  run(c);
  std::filesystem::remove(c.dir / "stages.json");
  std::filesystem::remove(c.dir / "model.safetensors");
  run(c);
  EXPECT_EQ(count_of(report, "stages.json: missing: nothing tells whether what the stage mine left is as it was made"),
            1);
  run(c);  // of a model that is on record
  EXPECT_EQ(count_of(report, "nothing tells"), 1);
}

// Killed between a file and its record, or between the two that it is of.
TEST_F(RowRuns, TheRecordsOfAKilledCommandAreCompletedByTheNext) {
  const RowClustering c = clustering("killed", "temi", {FeatureMatrix::of(blobs(150, 6, 3, 0.3f).view())}, kTemi);
  run(c);
  const StageRecords whole = read_records(c.dir);
  const auto killed = [&](const std::string& stage) {
    StageRecord record = whole.at(stage);
    record.outputs.clear();
    record.under_way = true;
    write_record(c.dir, stage, record);
    run(c);
    EXPECT_FALSE(read_records(c.dir).at(stage).under_way) << stage;
    EXPECT_EQ(read_records(c.dir).at(stage).outputs, whole.at(stage).outputs) << stage;
  };
  killed("cluster");
  std::filesystem::remove(c.dir / "model.safetensors");
  killed("mine");
  EXPECT_EQ(count_of(report, "nothing tells"), 0);
  EXPECT_EQ(count_of(report, "neighbours.npy"), 0);
}

TEST_F(RowRuns, ACheckpointOfOtherBytesIsRefused) {
  const std::vector<FeatureMatrix> rows = {FeatureMatrix::of(blobs(150, 6, 3, 0.3f).view())};
  const RowClustering whole = clustering("whole", "temi", rows, kTemi), c = clustering("parts", "temi", rows, kTemi);
  run(whole);
  report = {};
  report.stop_after = 7;
  EXPECT_THROW(run(c), Interrupted);
  const std::filesystem::path file = c.dir / "checkpoint.safetensors", kept = root / "kept";
  std::filesystem::copy_file(file, kept);
  const std::string bytes = file_bytes(file), log = file_bytes(c.dir / "metrics.jsonl");
  report = {};
  for (const size_t at : {bytes.size() - 1, bytes.find("sum\\\":") + 6}) {
    ASSERT_LT(at, bytes.size());
    flip_bit(file, static_cast<int>(bytes.size() - at));
    EXPECT_EQ(message_of([&] { run(c); }),
              file.string() + ": damaged: not the bytes that were saved; remove it to start over")
        << at;
    EXPECT_EQ(report.steps, 0);
    EXPECT_EQ(file_bytes(c.dir / "metrics.jsonl"), log);
    std::filesystem::copy_file(kept, file, std::filesystem::copy_options::overwrite_existing);
  }
  SafeTensors earlier = read_safetensors(file);  // of a kith that wrote no digest
  ASSERT_EQ(earlier.metadata.erase("kith.digest"), 1u);
  write_safetensors(file, earlier);
  run(c);
  for (const char* name : {"probabilities.npy", "distances.npy"})
    EXPECT_TRUE(file_bytes(whole.dir / name) == file_bytes(c.dir / name)) << name;
}

}  // namespace
}  // namespace kith::test
