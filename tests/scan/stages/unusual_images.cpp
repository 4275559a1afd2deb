// Near-duplicates, outliers and the agreement of heads in what a whole run says of itself.
#include "scan/stages/unusual_images.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "data/formats/npy.h"
#include "scan/metrics/agreement.h"
#include "scan/stages/cluster.h"
#include "scan/stages/models.h"
#include "scan/train/checkpoint.h"
#include "scan/train/inference.h"
#include "tests/scan/report/occurrences.h"
#include "tests/scan/stages/stages_support.h"

namespace kith {
namespace {

using namespace test;

// Image 30 is image 3 but for a little light, image 33 exactly image 6, image 40 a chessboard.
data::Dataset with_unusual_images() {
  data::Dataset data = striped_data();
  data::Images& images = data.edit(data::Role::train);
  std::vector<uint8_t> p(images.pixels.begin(), images.pixels.end());
  for (int i = 0; i < 72; ++i) {
    p[30 * 72 + i] = static_cast<uint8_t>(p[3 * 72 + i] + 1);
    p[33 * 72 + i] = p[6 * 72 + i];
    p[40 * 72 + i] = (i % 8 + i / 8) % 2 == 0 ? 0 : 255;
  }
  images.pixels = std::move(p);
  return data;
}

TEST(UnusualImages, PixelsDifferAsAShareOfTheirContrast) {
  data::Images images{.count = 4, .height = 1, .width = 4, .channels = 1};
  // Of contrast 4 * 50^2 = 10,000 each; the second differs by 4 * 11^2, the third by 4 * 40^2 and has a contrast of 4 * 90^2.
  images.pixels = std::vector<uint8_t>{100, 200, 100, 200, 111, 211, 111, 211, 60, 240, 60, 240, 100, 200, 100, 200};
  EXPECT_EQ(pixel_difference(images, 0, 1), 484. / 10000);
  EXPECT_EQ(pixel_difference(images, 2, 0), 2 * 6400. / (32400 + 10000));
  EXPECT_EQ(pixel_difference(images, 0, 3), 0);
  images.pixels = std::vector<uint8_t>{9, 9, 9, 9, 9, 9, 9, 9, 8, 8, 8, 8, 7, 7, 7, 7};
  EXPECT_EQ(pixel_difference(images, 0, 1), 0);
  EXPECT_TRUE(std::isinf(pixel_difference(images, 1, 2)));
}

TEST(UnusualImages, AreListedAndShown) {
  TinyRun run("unusual", tiny_config(), with_unusual_images());
  run.config.cluster.train.epochs = 1;
  run.config.selflabel.train.epochs = 1;
  std::vector<std::string>& files = run.data.edit(data::Role::train).files;
  for (int i = 0; i < 70; ++i) files.push_back("a," + std::to_string(i) + ".png");
  const nlohmann::json judged = run().at("final").at("judgement");
  EXPECT_EQ(judged.at("copies_train").at("first"), nlohmann::json::parse("[[33, 6]]"));
  const nlohmann::json& near = judged.at("near_duplicates_train");
  EXPECT_EQ(near.at("first"), nlohmann::json::parse("[[3, 30], [6, 33]]"));
  EXPECT_EQ(near.at("images"), 4);
  EXPECT_EQ(near.at("exact"), 2);
  EXPECT_EQ(near.at("groups"), 2);
  const std::string csv = bytes_of(run.file("near_duplicates.csv"));
  EXPECT_TRUE(csv.starts_with("group,image,nearest,cosine,exact,path\n0,3,30,")) << csv;
  EXPECT_NE(csv.find(",no,\"a,30.png\"\n"), std::string::npos) << csv;
  EXPECT_NE(csv.find("1,33,6,1,yes,\"a,33.png\"\n"), std::string::npos) << csv;

  // The same from the files of the run, in plain loops.
  const auto x = data::read_npy<float>(run.file("features_train.npy"));
  const auto lists = data::read_npy<int64_t>(run.file("neighbours_train.npy"));
  int64_t least = 0;
  std::vector<double> mean(70);
  for (int64_t i = 0; i < 70; ++i) {
    for (int64_t j = 0; j < 5; ++j)
      for (int64_t d = 0; d < x.shape[1]; ++d)
        mean[i] += double{x.values[i * x.shape[1] + d]} * x.values[lists.values[i * 5 + j] * x.shape[1] + d] / 5;
    if (mean[i] < mean[least]) least = i;
  }
  const nlohmann::json& first = judged.at("outliers_train").at("first");
  ASSERT_EQ(first.size(), 10u);
  std::vector<double> apart;
  for (int64_t i = 0; i < 70; ++i) apart.push_back(pixel_difference(run.data.train(), i, lists.values[i * 5]));
  std::ranges::sort(apart);
  EXPECT_EQ(near.at("pixels").get<double>(), apart[35] / kFartherApart);  // images of a class differ by about 0.15
  EXPECT_LT(apart[35] / kFartherApart, kNearPixels / 2);
  EXPECT_EQ(first[0][0], least);
  EXPECT_EQ(judged.at("outliers_train").at("names")[0], "a," + std::to_string(least) + ".png");
  EXPECT_NEAR(first[0][1].get<double>(), mean[least], 4 * 0x1p-24);  // rows are of unit length to 3 u
  const std::string listed = bytes_of(run.file("outliers.csv"));
  EXPECT_TRUE(listed.starts_with("image,likeness,path\n" + std::to_string(least) + ",")) << listed;
  EXPECT_EQ(std::ranges::count(listed, '\n'), 21);
  const std::string page = bytes_of(run.file("report.html"));
  for (const char* part : {"<h2>Near-duplicates</h2>", "a,30.png, cosine", "a,33.png, exact copy of a,6.png",
                           "<h2>Outliers</h2>", "Agreement of heads"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
}

TEST(UnusualImages, WithoutNeighboursCopiesAloneAreKnown) {
  RunConfig config = tiny_config();
  config.mine.k = 0;
  config.selflabel.enabled = false;
  TinyRun run("unusual_none", config, with_unusual_images());
  std::ofstream(run.file("outliers.csv")) << "of earlier neighbours";
  const nlohmann::json judged = run().at("final").at("judgement");
  EXPECT_TRUE(judged.contains("copies_train"));
  EXPECT_EQ(judged.at("near_duplicates_train").at("first"), nlohmann::json::parse("[[6, 33]]"));
  EXPECT_EQ(bytes_of(run.file("near_duplicates.csv")),
            "group,image,nearest,cosine,exact\n0,6,33,1,yes\n0,33,6,1,yes\n");
  EXPECT_NE(bytes_of(run.file("report.html")).find("image 33, exact copy of image 6"), std::string::npos);
  EXPECT_FALSE(judged.contains("outliers_train"));
  EXPECT_FALSE(std::filesystem::exists(run.file("outliers.csv")));
}

// Heads that learned nothing: their answers can be told again from the pretext's backbone and the heads as drawn.
TEST(UnusualImages, TheAgreementOfHeadsIsThatOfAllTheirAnswers) {
  RunConfig config = tiny_config();
  config.cluster.train.epochs = 0;
  config.selflabel.enabled = false;
  TinyRun run("agreement", config);
  const nlohmann::json judged = run().at("final").at("judgement");
  Session s{run.ctx, run.config, run.data, run.folder.path(), run.report};
  ClusterModel model(s.ctx, s.config, s.data, config.cluster.heads);
  load_state(model.backbone_state(), with_prefix(read_result(s, "pretext"), "backbone."));
  const Tensor rows = infer(s, s.data.scored(), [&](Tape& t, Var x) { return model.backbone(t, x, false); });
  std::vector<std::vector<int32_t>> answers;
  for (int h = 0; h < config.cluster.heads; ++h) {
    Tape tape(s.ctx, Tape::Mode::inference);
    answers.push_back(argmax_rows(host_rows(model.heads.one(tape, tape.constant(rows), h).value()).view()));
  }
  EXPECT_EQ(judged.at("agreement_of_heads").get<double>(), *mean_pairwise_nmi(answers));
  EXPECT_EQ(agreement_of_heads(read_result(s, "cluster")), mean_pairwise_nmi(answers));

  TinyRun one("one_head", config);
  one.config.cluster.heads = 1;
  EXPECT_FALSE(one().at("final").at("judgement").contains("agreement_of_heads"));
}

// The report shows neighbours with their distances, purity over K, and the least sure images; without labels no agreement.
TEST(ExamplePictures, AreInTheReport) {
  for (const bool labelled : {true, false}) {
    data::Dataset data = striped_data();
    if (!labelled)
      for (const data::Role role : {data::Role::train, data::Role::test}) data.edit(role).labels.clear();
    RunConfig config = tiny_config();
    config.cluster.classes = 3;
    config.cluster.train.epochs = config.selflabel.train.epochs = 1;
    TinyRun run(labelled ? "examples" : "examples_unlabelled", config, std::move(data));
    run();
    const std::string page = bytes_of(run.file("report.html"));
    const auto section = [&](const std::string& heading) {
      const size_t begin = page.find("<h2>" + heading + "</h2>");
      return begin == page.npos ? "" : page.substr(begin, page.find("</section>", begin) - begin);
    };
    const std::string near = section("Nearest neighbours"), unsure = section("Uncertain images");
    EXPECT_EQ(occurrences(near, "<div class=\"cluster\">"), 10);
    // The first query is image 0, and the first picture its first neighbour, at the distance of their features.
    const auto lists = data::read_npy<int64_t>(run.file("neighbours_train.npy"));
    const auto x = data::read_npy<float>(run.file("features_train.npy"));
    double square = 0;
    for (int64_t d = 0; d < x.shape[1]; ++d) {
      const double apart = double{x.values[d]} - x.values[lists.values[0] * x.shape[1] + d];
      square += apart * apart;
    }
    const std::string first = fmt::format("image {}, distance {:.3f}", lists.values[0], std::sqrt(square));
    EXPECT_NE(near.find(first), std::string::npos) << first;
    EXPECT_EQ(occurrences(near, "class=\"right\"") + occurrences(near, "class=\"wrong\"") > 0, labelled);
    EXPECT_EQ(occurrences(unsure, "<figure>"), 48);  // 24 of each kind
    EXPECT_EQ(section("Purity over K").empty(), !labelled);
    EXPECT_EQ(page.find(", label ") == page.npos, !labelled);
    // Ascending: the least sure first.
    const auto probabilities = data::read_npy<float>(run.file("probabilities.npy"));
    float least = 1;
    for (int64_t i = 0; i < probabilities.shape[0]; ++i)
      least = std::min(least, *std::max_element(&probabilities.values[3 * i], &probabilities.values[3 * i] + 3));
    const size_t caption = unsure.find("<figcaption>") + 12;
    EXPECT_EQ(unsure.substr(caption, 5), fmt::format("{:.3f}", least));
  }
}

}  // namespace
}  // namespace kith
