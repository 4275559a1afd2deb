// Weights from elsewhere in place of a pretext, or of SCAN: what is written, what goes on from there, what is refused.
#include <algorithm>

#include "data/formats/npy.h"
#include "tests/scan/stages/import_fixture.h"

namespace kith {
namespace {

using namespace test;
namespace fs = std::filesystem;

// Names as torchvision has them; the projection head where other SimCLRs have it.
std::string torchvision_name(std::string name) {
  for (const auto& [ours, theirs] :
       {std::pair<std::string, std::string>{"backbone.", ""}, {"shortcut", "downsample"}, {"contrastive_head", "fc"}})
    if (const size_t at = name.find(ours); at != std::string::npos) name.replace(at, ours.size(), theirs);
  return name;
}

TEST_F(Imports, OwnWeightsUnderOtherNamesGiveTheSameFeaturesAndTheSameRun) {
  SafeTensors theirs;
  for (const auto& [name, array] : weights("pretext").arrays) theirs.arrays[torchvision_name(name)] = array;
  TinyRun to("import_pretext");
  to.config.model = {.depth = 34, .width = 9, .projection = 3};  // the file decides
  import(to, written(theirs));
  for (const char* stage : {"pretext", "features"}) EXPECT_EQ(state(to, stage), Ledger::State::valid) << stage;
  EXPECT_NE(state(to, "mine"), Ledger::State::valid);
  expect_same_arrays("pretext.safetensors", to);
  to();  // mine, cluster, self-label, evaluate
  for (const std::string name : kResults)
    if (name.ends_with(".safetensors"))
      expect_same_arrays(name, to);
    else
      EXPECT_TRUE(bytes_of(to.file(name)) == bytes_of(source_->file(name))) << name;
}

// Another pretext would want other heads; what was learned elsewhere is taken as contrastive learning leaves it.
TEST_F(Imports, ThePretextOfThePresetDoesNotMatter) {
  RunConfig config = tiny_config();
  config.pretext.task = PretextKind::byol;
  TinyRun to("imported_byol", config);
  import(to, written(weights("pretext")));
  EXPECT_EQ(to.config.pretext.task, PretextKind::simclr);
  EXPECT_EQ(state(to, "pretext"), Ledger::State::valid);
}

TEST_F(Imports, WithoutAHeadTheBackbonesFeaturesAreMined) {
  TinyRun to("import_headless");
  import(to, written(weights("pretext")), {"contrastive_head."});
  EXPECT_EQ(to.config.model.projection, 0);
  const auto rows = data::read_npy<float>(to.file("features_train.npy"));
  ASSERT_EQ(rows.shape, (std::vector<int64_t>{70, 32}));
  for (int64_t i = 0; i < 70; ++i) {
    double norm = 0;
    for (int64_t j = 0; j < 32; ++j) norm += double{rows.values[i * 32 + j]} * rows.values[i * 32 + j];
    EXPECT_NEAR(norm, 1, 1e-5);
  }
  const nlohmann::json summary = to();
  EXPECT_EQ(summary.at("table").size(), 5u);
}

TEST_F(Imports, ACheckpointOfScanIsEvaluatedAsItIs) {
  TinyRun to("import_scan");
  SafeTensors theirs = weights("cluster");
  for (const char* part : {"weight", "bias"}) {  // as the authors save several heads
    const std::string head = std::string("cluster_head.0.") + part, other = std::string("cluster_head.1.") + part;
    theirs.arrays[other] = theirs.arrays.at(head);
    for (std::byte& b : theirs.arrays.at(head).bytes) b = std::byte{0};
  }
  const fs::path file = written(theirs);
  EXPECT_EQ(error_of([&] { import(to, file); }),
            file.string() + ": cluster heads 0, 1; say with --head N which one is to be taken");
  EXPECT_EQ(error_of([&] { import(to, file, {}, 2); }), file.string() + ": --head 2: the file has cluster heads 0, 1");
  import(to, file, {}, 1);
  for (const char* stage : {"pretext", "features", "mine", "cluster"})
    EXPECT_EQ(state(to, stage), Ledger::State::valid) << stage;
  const nlohmann::json summary = to();
  const nlohmann::json& rows = summary.at("table");
  ASSERT_EQ(rows.size(), 3u);  // k-means twice, and SCAN
  const nlohmann::json want = nlohmann::json::parse(bytes_of(source_->file("summary.json"))).at("table").at(2);
  EXPECT_EQ(rows.at(2), want);

  // What would take other neighbours needs another clustering, which is trained only by request.
  to.config.mine.k = 4;
  EXPECT_NE(error_of([&] { to(); }).find("cluster.weights: the result of this stage was imported from elsewhere"),
            std::string::npos);
  to.config = with_overrides(to.config, {"cluster.weights=\"\""});
  EXPECT_NO_THROW(to());
}

TEST_F(Imports, WhatDoesNotFitIsRefusedBeforeAnythingIsWritten) {
  TinyRun to("import_refused");
  SafeTensors theirs = weights("pretext");
  theirs.arrays.erase("backbone.bn1.weight");
  theirs.arrays["predictor.0.weight"] = theirs.arrays.at("backbone.bn1.bias");
  theirs.arrays.at("backbone.layer1.0.bn2.bias").shape = {2, 2};
  const std::string error = error_of([&] { import(to, written(theirs)); });
  for (const char* part : {"missing backbone.bn1.weight", "unexpected predictor.0.weight",
                           "backbone.layer1.0.bn2.bias: F32 [4] expected, found F32 [2, 2]", "--ignore PREFIX"})
    EXPECT_NE(error.find(part), std::string::npos) << part << " not in: " << error;
  EXPECT_EQ(std::ranges::count(error, '\n'), 0);
  expect_nothing_in(to);

  theirs = weights("pretext");
  for (const char* part : {"weight", "bias"})
    theirs.arrays[std::string("cluster_head.0.") + part] = theirs.arrays.at("backbone.bn1.bias");
  EXPECT_NE(error_of([&] { import(to, written(theirs)); }).find("cluster_head.0.weight: F32 ["), std::string::npos);
  expect_nothing_in(to);
}

TEST_F(Imports, OtherNetworksAreNamed) {
  SafeTensors theirs = weights("pretext");
  theirs.arrays["backbone.layer3.2.conv1.weight"] = theirs.arrays.at("backbone.layer3.1.conv1.weight");
  TinyRun to("import_others");
  const fs::path file = written(theirs);
  EXPECT_EQ(error_of([&] { import(to, file); }),
            file.string() + ": layers of 2, 2, 3, 2 basic blocks; expected those of ResNet-18, -34 or -50");
  SafeTensors cut = weights("pretext");  // of a block that is there
  for (const char* name : {"backbone.layer2.0.conv1.weight", "backbone.bn1.bias"}) cut.arrays.erase(name);
  const std::string missing = error_of([&] { import(to, written(cut)); });
  for (const char* name : {"missing backbone.layer2.0.conv1.weight", "missing backbone.bn1.bias"})
    EXPECT_NE(missing.find(name), std::string::npos) << missing;
  SafeTensors negative = weights("pretext");
  reinterpret_cast<float*>(negative.arrays.at("backbone.bn1.running_var").bytes.data())[1] = -1;
  EXPECT_NE(error_of([&] {
              import(to, written(negative));
            }).find("backbone.bn1.running_var: element 1 is -1, expected finite values of at least 0"),
            std::string::npos);
  expect_nothing_in(to);
  TinyRun colour("import_colour", tiny_config(), striped_data(3));
  const fs::path gray = written(weights("pretext"));
  EXPECT_EQ(error_of([&] { import(colour, gray); }),
            gray.string() + ": a network for images of 1 channel; those of striped:nowhere have 3");
  expect_nothing_in(colour);
}

TEST_F(Imports, OtherFilesAreCalledWhatTheyAre) {
  TinyRun to("import_files_of_others");
  const fs::path pth = folder_.path() / "theirs.pth";
  std::ofstream(pth) << "PK\x03\x04 archive/data.pkl";
  EXPECT_EQ(
      error_of([&] { import(to, pth); }),
      pth.string() +
          ": looks like a file of torch.save; expected safetensors, docs/weights.md has the lines that convert it");
  EXPECT_EQ(error_of([&] { import(to, folder_.path()); }),
            folder_.path().string() + ": is a directory; expected a safetensors file");
  SafeTensors half = weights("pretext");
  HostArray& first = half.arrays.at("backbone.conv1.weight");
  first.dtype = "F16";
  first.bytes.resize(first.bytes.size() / 2);
  const fs::path file = written(half);
  EXPECT_EQ(error_of([&] { import(to, file); }),
            file.string() + ": numbers of type F16; expected F32: convert them with tensor.float()");
  expect_nothing_in(to);
}

TEST_F(Imports, OtherWeightsAreAnotherOrigin) {
  TinyRun to("import_origin");
  import(to, written(weights("pretext")));
  fs::remove(to.file("pretext.safetensors"));
  EXPECT_NE(error_of([&] { to(); })
                .find("pretext.safetensors: missing or replaced; pretext.weights says that it was "
                      "imported from elsewhere.safetensors "),
            std::string::npos);
  SafeTensors theirs = weights("pretext");
  theirs.arrays.at("backbone.bn1.bias").bytes[0] ^= std::byte{1};
  TinyRun other("import_origin_2");
  import(other, written(theirs));
  EXPECT_NE(other.config.pretext.weights, to.config.pretext.weights);
  fs::copy_file(other.file("pretext.safetensors"), to.file("pretext.safetensors"));
  EXPECT_EQ(state(to, "pretext"), Ledger::State::refused);
}

TEST_F(Imports, SoloLearnsPaddingIsWarnedOf) {
  SafeTensors theirs;
  for (const auto& [name, array] : weights("pretext").arrays)
    theirs.arrays[name.starts_with("contrastive_head") ? "projector" + name.substr(16) : name] = array;
  TinyRun to("import_solo"), ours("import_ours");
  import(to, written(theirs));
  EXPECT_TRUE(to.report.warned("pad the first convolution by 2"));
  import(ours, written(weights("pretext")));
  EXPECT_FALSE(ours.report.warned("pad the first convolution"));
}

}  // namespace
}  // namespace kith
