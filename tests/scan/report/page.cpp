#include "scan/report/page.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <tuple>

#include "data/formats/png.h"
#include "kernels/core/check.h"
#include "scan/report/page_pictures.h"
#include "scan/run/metrics_log.h"
#include "tests/scan/report/occurrences.h"
#include "tests/support/compare.h"

namespace kith::test {
namespace {

using nlohmann::json;

std::span<const uint8_t> bytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// Six 2 x 2 images in three clusters, the last of them empty, with a class name that must be escaped.
struct ScoredRun {
  data::Images images{.count = 6, .height = 2, .width = 2, .channels = 1};
  std::vector<int32_t> assignments = {0, 0, 0, 1, 1, 1};
  std::vector<float> confidence = {0.5f, 0.9f, 0.7f, 1.f, 0.6f, 0.8f};
  std::vector<int64_t> prototypes = {2, 5, -1};
  PageInput input;

  ScoredRun() {
    images.pixels = std::vector<uint8_t>(24, 100);
    images.labels = {1, 1, 0, 0, 0, 0};
    const EvaluationInput in{
        .assignments = assignments, .labels = images.labels, .class_names = {"a<b>", "c&d"}, .clusters = 3};
    input.title = "set <1>";
    input.facts = {{"Se\"ed", "0 & 1"}};
    input.methods = {{"k-means", {.acc = 0.5, .nmi = 0.4, .ari = 0.9, .acc_many_to_one = 0.875}},
                     {"SCAN <x>", {.acc = 0.625, .nmi = 0.7, .ari = 0.3, .acc_many_to_one = 0.75}}};
    input.evaluation = evaluate_clustering(in);
    for (int i = 1; i <= 4; ++i)
      input.metrics.push_back(json{{"stage", "pretext"}, {"step", i}, {"loss", 1.0 / i}, {"lr", 0.1}, {"seconds", i}});
    input.images = &images;
    input.assignments = assignments;
    input.confidence = confidence;
    input.prototypes = prototypes;
  }
};

TEST(Page, SaysHowReliableTheLabelsOfRefinementWere) {
  ScoredRun run;
  EXPECT_EQ(occurrences(render_page(run.input), "Reliable labels"), 0);
  run.input.metrics.push_back(
      json{{"stage", "refine"}, {"reliable", 5}, {"of", 9}, {"reliable_per_cluster", {2, 3, 0}}, {"precision", 0.8}});
  EXPECT_EQ(occurrences(render_page(run.input), "Reliable labels"),
            0);  // of a refinement that is not part of the result
  run.input.refined = true;
  const std::string page = render_page(run.input);
  EXPECT_EQ(occurrences(page, "5 of 9 labels were learned from. 5 are reliable"), 1);
  EXPECT_EQ(occurrences(page, "80.0 % of all of them are right"), 1);
  EXPECT_EQ(occurrences(page, "<tr><td>Images</td><td>2</td><td>3</td><td>0</td></tr>"), 1);
  run.input.metrics.back()["below_the_rule"] = 2;
  EXPECT_EQ(occurrences(render_page(run.input), "3 are reliable"), 1);
  EXPECT_EQ(occurrences(render_page(run.input), "2 are not, taken where clusters had too few"), 1);
  run.input.metrics.back().erase("precision");
  EXPECT_EQ(occurrences(render_page(run.input), "of them are right"), 0);
}

TEST(Page, HoldsEveryPieceAndEscapesText) {
  const ScoredRun run;
  const std::string page = render_page(run.input);
  EXPECT_EQ(occurrences(page, "<h1>set &lt;1&gt;</h1>"), 1);
  EXPECT_EQ(occurrences(page, "<dt>Se&quot;ed</dt><dd>0 &amp; 1</dd>"), 1);
  EXPECT_EQ(occurrences(page, "<td>SCAN &lt;x&gt;</td><td class=\"best\">62.5</td>"), 1);
  EXPECT_EQ(occurrences(page, "class=\"best\">"), 4);       // one per column
  EXPECT_EQ(occurrences(page, "<svg class=\"chart\""), 2);  // loss and lr
  EXPECT_EQ(occurrences(page, "<svg class=\"heat\""), 1);
  EXPECT_EQ(occurrences(page, "<rect "), 6);
  EXPECT_EQ(occurrences(page, "<div class=\"cluster\">"), 3);
  EXPECT_EQ(occurrences(page, "<img class=\"right\""), 6);  // five samples and the prototype of cluster 1
  EXPECT_EQ(occurrences(page, "<img class=\"wrong\""), 2);  // sample 2, and the same as the prototype of cluster 0
  EXPECT_EQ(occurrences(page, "a<b>"), 0);
  EXPECT_EQ(occurrences(page, "c&d"), 0);
  EXPECT_EQ(occurrences(page, "nan"), 0);
  EXPECT_EQ(occurrences(page, "<script>"), 2);  // of the pictures, and of the curves
  EXPECT_EQ(occurrences(page, "tabindex=\"0\" role=\"img\" aria-label=\"Loss\""), 1);
  EXPECT_EQ(occurrences(page, "<text class=\"read\""), 2);
  EXPECT_EQ(occurrences(page, "<script "), 0);
  EXPECT_EQ(occurrences(page, "src=\"http"), 0);
  for (const char* tag : {"section", "div", "svg", "table", "tr", "td", "p"})
    EXPECT_EQ(occurrences(page, std::string("<") + tag + ">") + occurrences(page, std::string("<") + tag + " "),
              occurrences(page, std::string("</") + tag + ">"))
        << tag;
}

// Three clusters for two classes, then two.
TEST(Page, ManyToOneStandsBesideOneToOneWhereClustersAreNotAsManyAsClasses) {
  ScoredRun run;
  run.assignments = {0, 2, 0, 1, 1, 1};  // labels 1 1 0 0 0 0: two clusters of class 0, one of class 1
  const auto evaluated = [&](int clusters) {
    return evaluate_clustering(
        {.assignments = run.assignments, .labels = run.images.labels, .class_names = {"a", "b"}, .clusters = clusters});
  };
  run.input.evaluation = evaluated(3);
  EXPECT_EQ(shown_classes(*run.input.evaluation), (std::vector<int>{0, 0, 1}));  // a tie goes to the first
  const std::string page = render_page(run.input);
  EXPECT_EQ(occurrences(page, "<th>ACC, many-to-one</th>"), 1);
  EXPECT_EQ(occurrences(page, "<td class=\"best\">87.5</td>"), 1);
  EXPECT_EQ(occurrences(page, "cluster: most frequent class"), 2);  // the label, and the same for who cannot see it
  EXPECT_EQ(occurrences(page, "label is the cluster&#39;s most frequent class") +
                occurrences(page, "label is the cluster's most"),
            1);
  EXPECT_EQ(occurrences(page, "no class"), 0);

  run.assignments = {0, 0, 0, 1, 1, 1};
  run.input.evaluation = evaluated(2);
  EXPECT_EQ(shown_classes(*run.input.evaluation), (std::vector<int>{1, 0}));
  const std::string even = render_page(run.input);
  EXPECT_EQ(occurrences(even, "many-to-one"), 0);
  EXPECT_EQ(occurrences(even, "label is the matched class"), 1);
}

// Both clusters hold more of class 1; one of them is matched to class 0 all the same.
TEST(Page, AMatchedClassThatIsNotTheMostFrequentIsSaid) {
  ScoredRun run;
  run.images.labels = {1, 1, 1, 1, 1, 0};
  run.input.evaluation = evaluate_clustering(
      {.assignments = run.assignments, .labels = run.images.labels, .class_names = {"a<b>", "c&d"}, .clusters = 2});
  const std::string page = render_page(run.input);
  EXPECT_EQ(
      occurrences(page, "<b>1: a&lt;b&gt;</b><small>3 images<br>33.3 % are of it; most frequent: c&amp;d, 66.7 %<br>"),
      1);
  EXPECT_EQ(occurrences(page, "<b>0: c&amp;d</b><small>3 images<br>purity 100.0 %<br>"), 1);
  EXPECT_EQ(occurrences(page, "matched to, one-to-one, which need not be its most frequent one"), 1);
  const ScoredRun uneven;  // three clusters, the last of them empty
  EXPECT_EQ(occurrences(cluster_rows(uneven.input), "<small>0 images</small>"), 1);
}

// Two clusters with the images of two classes in equal parts: the one that is matched to the later class has no other most
// frequent one.
TEST(Page, OnATieTheMatchedClassIsAsFrequentAsAnother) {
  ScoredRun run;
  run.images.labels = {0, 1, 0, 1, 0, 1};
  run.assignments = {0, 0, 1, 1, 0, 0};
  run.input.evaluation = evaluate_clustering(
      {.assignments = run.assignments, .labels = run.images.labels, .class_names = {"a<b>", "c&d"}, .clusters = 2});
  run.input.prototypes = {};
  const std::string page = render_page(run.input);
  EXPECT_EQ(occurrences(page, "purity 50.0 %<br>"), 1);
  EXPECT_EQ(occurrences(page, "purity 50.0 %, as many are a&lt;b&gt;<br>"), 1);
  EXPECT_EQ(occurrences(page, "are of it; most frequent"), 0);
}

// Long commands and configurations are read whole, on screens and on paper.
TEST(Page, TheCommandIsWrapped) {
  ScoredRun run;
  EXPECT_EQ(occurrences(render_page(run.input), "How it was made"), 0);
  run.input.command = "kith run --data 'a<b>'";
  run.input.config = "seed = 0";
  run.input.command_note = "but";
  const std::string page = render_page(run.input);
  EXPECT_EQ(occurrences(page, "in the same place. but</p>\n<pre>kith run --data &#39;a&lt;b&gt;&#39;</pre>"), 1);
  EXPECT_EQ(occurrences(page, "<summary>Its whole configuration</summary><pre>seed = 0</pre>"), 1);
  EXPECT_EQ(occurrences(page, "pre { white-space: pre-wrap; overflow-wrap: anywhere;"), 1);
  EXPECT_EQ(
      occurrences(page.substr(page.find("@media print")), "details::details-content { content-visibility: visible"),
      1);  // paper cannot be clicked on
}

// A row alone is the best of nothing; figures that are equal as they are shown are all the best.
TEST(Page, TheBestIsBoldAmongSeveral) {
  ScoredRun run;
  run.input.methods = {{"a", {.acc = 0.5, .nmi = 0.5, .ari = 0.5, .acc_many_to_one = 0.5}}};
  EXPECT_EQ(occurrences(render_page(run.input), "class=\"best\""), 0);
  run.input.methods.push_back({"b", {.acc = 0.50001, .nmi = 0.25, .ari = 0.75, .acc_many_to_one = 0.25}});
  const std::string page = render_page(run.input);
  EXPECT_EQ(occurrences(page, "<td class=\"best\">50.0</td>"), 4);  // ACC twice, a's NMI and many-to-one
  EXPECT_EQ(occurrences(page, "<td class=\"best\">75.0</td>"), 1);
}

TEST(Page, ImagesAreCalledByTheirFiles) {
  ScoredRun run;
  run.images.files = {"a.png", "b/<1>.png", "c\xff.png", "d.png", "e.png", "f.png"};
  const std::string rows = cluster_rows(run.input);
  EXPECT_EQ(occurrences(rows, "title=\"b/&lt;1&gt;.png, confidence 0.900, label c&amp;d\""), 1);
  EXPECT_EQ(occurrences(rows, "title=\"c\\xff.png, confidence 0.700"), 2);
  EXPECT_EQ(occurrences(rows, "image 1"), 0);
}

TEST(Page, CurvesRunOverEpochs) {
  ScoredRun run;
  EXPECT_EQ(occurrences(render_page(run.input), "training time, s"), 2);  // of lines that do not say their epoch
  run.input.metrics.clear();
  for (const auto& [epoch, seconds, end] :
       {std::tuple{1, 2.0, false}, {1, 4.0, true}, {2, 5.0, false}, {2, 6.0, false}, {2, 8.0, true}})
    run.input.metrics.push_back(
        json{{"stage", "pretext"}, {"epoch", epoch}, {"seconds", seconds}, {"loss", seconds}, {"epoch_end", end}});
  for (const auto& [epoch, knn] : {std::tuple{1, 0.25}, {2, 0.75}})
    run.input.metrics.push_back(
        json{{"stage", "pretext"}, {"epoch", epoch}, {"seconds", 4.0 * epoch}, {"knn", knn}, {"epoch_end", true}});
  // What a stage says at its end has no place on an axis.
  run.input.metrics.push_back(json{{"stage", "pretext"}, {"knn", 0.5}});
  run.input.metrics.push_back(json{{"stage", "pretext"}, {"finished", true}});
  const std::string page = render_page(run.input);
  EXPECT_EQ(occurrences(page, "training time, s"), 0);
  // Half of the first epoch, a quarter and half of the second: each value with its place.
  for (const char* value : {"0.5: 2", "1.25: 5", "1.5: 6", "1: 0.25", "2: 0.75"})
    EXPECT_EQ(occurrences(page, std::string("<title>") + value + "</title>"), 1) << value;
}

TEST(Page, SamplesAreInOrderOfConfidence) {
  const ScoredRun run;
  const std::string rows = cluster_rows(run.input);
  const size_t first = rows.find("<div class=\"samples\"");
  EXPECT_LT(rows.find("image 1, confidence 0.900, label c&amp;d", first),
            rows.find("image 2, confidence 0.700", first));
  EXPECT_LT(rows.find("image 2, confidence 0.700", first), rows.find("image 0, confidence 0.500", first));
}

TEST(Page, WithoutLabelsImagesOrMetrics) {
  ScoredRun run;
  run.input.evaluation.reset();
  run.input.methods.clear();
  run.input.metrics.clear();
  const std::string page = render_page(run.input);
  EXPECT_EQ(occurrences(page, "<img class=\"\""), 8);
  EXPECT_EQ(occurrences(page, "<section>"), 1);
  EXPECT_EQ(occurrences(render_page({.title = "nothing"}), "<section>"), 0);
}

// Rows of pictures are reached by keyboard, with a text each; their captions stand there without a pointer.
TEST(Page, SectionsShowTheirPictures) {
  ScoredRun run;
  using Mark = PictureSection::Mark;
  run.input.sections = {
      {.images = run.input.images,
       .heading = "Nearest <neighbours>",
       .about = "which",
       .rows = {{.name = "image 3",
                 .about = "",
                 .pictures = {{.image = 1, .about = "image 1, distance 0.25", .caption = "0.25", .mark = Mark::wrong}},
                 .first = PictureSection::Picture{.image = 3, .about = "image 3"}}}},
      {.images = run.input.images, .heading = "Empty", .about = "", .rows = {}}};
  const std::string page = render_page(run.input);
  EXPECT_EQ(occurrences(page, "<h2>Nearest &lt;neighbours&gt;</h2>"), 1);
  EXPECT_EQ(occurrences(page, "<h2>Empty</h2>"), 0);
  EXPECT_EQ(occurrences(page, "aria-label=\"image 3: pictures; arrow keys step through them\""), 1);
  EXPECT_EQ(occurrences(page, "<figure><img class=\"wrong\" title=\"image 1, distance 0.25\""), 1);
  EXPECT_EQ(occurrences(page, "<figcaption>0.25</figcaption>"), 1);
  EXPECT_EQ(occurrences(page, "<div class=\"prototype\"><img class=\"\" title=\"image 3\""), 1);
  EXPECT_EQ(occurrences(page, "ArrowRight: at + 1"), 1);
  EXPECT_EQ(occurrences(render_page({.title = "nothing"}), "<script>"), 0);
}

TEST(Page, PurityOverKIsACurveOfEachSplit) {
  ScoredRun run;
  EXPECT_EQ(occurrences(render_page(run.input), "Purity over K"), 0);
  run.input.purity = {{"train", {0.75, 0.5}}, {"test", {}}};
  const std::string page = render_page(run.input);
  EXPECT_EQ(occurrences(page, "<h2>Purity over K</h2>"), 1);
  EXPECT_EQ(occurrences(page, "aria-label=\"Purity over K, train images\""), 1);
  EXPECT_EQ(occurrences(page, "<title>2: 50</title>"), 1);
  EXPECT_EQ(occurrences(page, "train: 75.0 % of the nearest, 50.0 % of the first 2."), 1);
  EXPECT_EQ(occurrences(page, "Purity over K, test images"), 0);
}

TEST(Page, LengthsMustFit) {
  ScoredRun run;
  run.input.confidence = run.input.confidence.first(5);
  EXPECT_THROW(render_page(run.input), Error);
  ScoredRun other;
  other.prototypes[0] = 6;
  other.input.prototypes = other.prototypes;
  EXPECT_THROW(render_page(other.input), Error);
}

TEST(Page, PicturesAreThePixels) {
  EXPECT_EQ(base64({}), "");
  EXPECT_EQ(base64(bytes("f")), "Zg==");  // RFC 4648, section 10
  EXPECT_EQ(base64(bytes("fo")), "Zm8=");
  EXPECT_EQ(base64(bytes("foo")), "Zm9v");
  EXPECT_EQ(base64(bytes("foobar")), "Zm9vYmFy");
  EXPECT_EQ(base64(bytes("\xff\xfe\xfd")), "//79");
  const ScoredRun run;
  const std::string png =
      base64(data::encode_png({.height = 2, .width = 2, .channels = 1, .pixels = {100, 100, 100, 100}}));
  EXPECT_EQ(occurrences(render_page(run.input), png), 8);
}

TEST(Metrics, ReadsLinesAndForgivesOnlyACutLastLine) {
  const auto path = std::filesystem::path(testing::TempDir()) / "kith_page_metrics.jsonl";
  const auto write = [&](const std::string& text) { std::ofstream(path, std::ios::binary) << text; };
  write("{\"a\":1}\n\n{\"a\":2}\n{\"a\":");
  EXPECT_EQ(read_metrics(path).size(), 2u);
  write("{\"a\":1}\n{\"a\":\n{\"a\":3}\n");
  EXPECT_THROW(read_metrics(path), Error);
  write("3\n");
  EXPECT_THROW(read_metrics(path), Error);
  std::filesystem::remove(path);
  EXPECT_THROW(read_metrics(path), Error);
}

}  // namespace
}  // namespace kith::test
