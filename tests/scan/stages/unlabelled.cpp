// A split that only the pretext learns from.
#include "data/formats/npy.h"
#include "scan/preflight/work_estimate.h"
#include "scan/run/splits.h"
#include "tests/scan/stages/stages_support.h"

namespace kith::test {
namespace {

using data::Role;

data::Dataset with_more(int64_t count, int64_t train = 70) {
  data::Dataset data = striped_data(1, train);
  data.edit(Role::unlabelled) = striped(count, 3, 1);
  data.edit(Role::unlabelled).labels.clear();
  return data;
}

TEST(UnlabelledSplit, ThePretextLearnsFromItAndNothingElseLooksAtIt) {
  TinyRun run("more_images", tiny_config(), with_more(30));
  const nlohmann::json summary = run();
  EXPECT_EQ(summary.at("data").at("train"), 70);
  EXPECT_EQ(summary.at("data").at("unlabelled"), 30);
  EXPECT_NE(bytes_of(run.file("report.html")).find("70 train, 30 unlabelled, 40 scored"), std::string::npos);
  EXPECT_EQ(split_notes(run.data), std::vector<std::string>{"30 unlabelled images: the pretext learns from them, too"});
  EXPECT_EQ(data::read_npy<float>(run.file("features_train.npy")).shape, (std::vector<int64_t>{70, 8}));
  EXPECT_EQ(data::read_npy<int64_t>(run.file("neighbours_train.npy")).shape[0], 70);
  EXPECT_EQ(data::read_npy<int32_t>(run.file("assignments_train.npy")).values.size(), 70u);

  // The same weights as of one split of all 100 images: order and views are functions of the number of a sample.
  data::Dataset whole = with_more(30);
  whole.edit(Role::train) = whole.pretext_images();
  whole.splits.erase(std::ranges::find(whole.splits, Role::unlabelled, &data::Split::role));
  RunConfig config = tiny_config();
  config.pretext.statistics = Statistics::moving;  // taken anew they are those of the train images
  TinyRun apart("more_apart", config, with_more(30)), together("more_together", config, whole);
  const auto pretext_of = [](TinyRun& t) {
    Session s{t.ctx, t.config, t.data, t.folder.path(), t.report};
    pretext(s);
    return read_safetensors(t.file("pretext.safetensors")).arrays;
  };
  const auto a = pretext_of(apart), b = pretext_of(together);
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, array] : a) EXPECT_EQ(array.bytes, b.at(name).bytes) << name;
}

TEST(UnlabelledSplit, IsPartOfWhatAPretextWasMadeFrom) {
  TinyRun run("more_origin", tiny_config(), with_more(30));
  run();
  const auto refusal = [&] { return error_of([&] { run(); }); };
  EXPECT_EQ(refusal(), "");
  flip_pixel(run.data.edit(Role::unlabelled), 3);
  EXPECT_NE(refusal().find("made from other inputs (the unlabelled images were 30 of 9 x 8 x 1, "), std::string::npos);
  run.data = striped_data();
  const std::string line = refusal();
  EXPECT_NE(line.find("the unlabelled images were 30 of 9 x 8 x 1, "), std::string::npos) << line;
  EXPECT_NE(line.find(", now none"), std::string::npos) << line;
}

TEST(UnlabelledSplit, CountsInTheWorkOfThePretextAlone) {
  const auto work = [](const data::Dataset& data) { return estimate(tiny_config(), shape_of(data)); };
  const std::vector<StageEstimate> with = work(with_more(74)), without = work(striped_data());
  for (size_t i = 0; i < with.size(); ++i)
    if (with[i].stage == "pretext")
      EXPECT_EQ(with[i].steps, 3 * (144 / 16));
    else
      EXPECT_EQ(with[i].flops, without[i].flops) << with[i].stage;
}

}  // namespace
}  // namespace kith::test
