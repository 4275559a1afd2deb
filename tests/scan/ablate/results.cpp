#include "scan/ablate/results.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "scan/ablate/page.h"

namespace kith::test {
namespace {

using nlohmann::json;

json summary_of(double acc, int clusters = 10) {
  return {
      {"data", {{"clusters", clusters}, {"classes", 10}}},
      {"pretext", {{"purity_train", {{"k", 5}, {"purity", 0.5}}}, {"knn", 0.75}}},
      {"table",
       {{{"key", "kmeans_features"}, {"acc", 0.25}, {"clusters_used", 10}},
        {{"key", "scan"}, {"acc", acc}, {"nmi", 0.5}, {"ari", 0.375}, {"acc_many_to_one", 0.875}, {"clusters_used", 9}},
        {{"key", "scan_reestimated"}, {"acc", 0.1}, {"clusters_used", 1}},
        {{"key", "selflabel"},
         {"acc", acc + 0.125},
         {"nmi", 0.5},
         {"ari", 0.25},
         {"acc_many_to_one", 0.9},
         {"clusters_used", 8}}}}};
}

// Two values of k, two of lambda named with a comma, two seeds.
Grid grid_of_four() {
  Grid grid{.text = {}, .columns = {"mine.k", "a|b"}, .extents = {2, 2}, .settings = {}, .seeds = {0, 1}, .cells = {}};
  for (const char* k : {"5", "20"})
    for (const char* other : {"x,y", "z"}) grid.settings.push_back({{k, other}, std::string(k) + " <" + other + ">"});
  for (const uint64_t seed : grid.seeds)
    for (size_t s = 0; s < 4; ++s) grid.cells.push_back({.setting = s, .seed = seed, .config = {}, .folder = {}});
  return grid;
}

// Setting 0 with both seeds, 1 with one, 2 with one, 3 with none.
std::vector<json> summaries_of_four() {
  std::vector<json> all(8);
  all[0] = summary_of(0.5), all[4] = summary_of(0.75), all[1] = summary_of(0.25), all[6] = summary_of(0.625);
  return all;
}

TEST(Results, FiguresOfASummary) {
  std::vector<std::string> keys;
  for (const auto& [figure, value] : figures_of(summary_of(0.5))) keys.emplace_back(figure.key);
  EXPECT_EQ(keys, (std::vector<std::string>{"purity", "knn", "kmeans_acc", "scan_acc", "scan_acc_many_to_one",
                                            "scan_nmi", "scan_ari", "selflabel_acc", "selflabel_acc_many_to_one",
                                            "selflabel_nmi", "selflabel_ari", "clusters_used"}));
  EXPECT_EQ(figures_of(summary_of(0.5)).back().second, 8);  // of the last row
  json unlabelled = summary_of(0.5);
  unlabelled["pretext"] = json::object();
  unlabelled["table"] = {{{"key", "scan"}, {"clusters_used", 3}}};
  ASSERT_EQ(figures_of(unlabelled).size(), 1u);
  EXPECT_EQ(figures_of(unlabelled)[0].second, 3);
}

TEST(Results, MeanAndDeviationOverSeeds) {
  const Grid grid = grid_of_four();
  const GridResults r = collect(grid, summaries_of_four());
  EXPECT_EQ(r.finished, (std::vector<int>{2, 1, 1, 0}));
  const Spread* two = r.find(0, "scan_acc");
  ASSERT_NE(two, nullptr);
  EXPECT_EQ(two->values, (std::vector<double>{0.5, 0.75}));
  EXPECT_DOUBLE_EQ(two->mean, 0.625);
  EXPECT_DOUBLE_EQ(*two->deviation, 0.25 / std::sqrt(2.0));  // n - 1
  EXPECT_FALSE(r.find(1, "scan_acc")->deviation);
  EXPECT_EQ(r.find(3, "scan_acc"), nullptr);
  EXPECT_EQ(r.find(0, "scan_acc_many_to_one"), nullptr);
  EXPECT_EQ(spread_text({"scan_acc", "SCAN ACC"}, *two), "62.5+-17.7");
  EXPECT_EQ(spread_text({"scan_acc", "SCAN ACC"}, *r.find(1, "scan_acc")), "25.0");
  EXPECT_EQ(spread_text({"clusters_used", "clusters used", false}, *r.find(0, "clusters_used")), "8.0+-0.0");
  EXPECT_EQ(spread_text({"scan_acc", "SCAN ACC"}, {}), "-");
}

// It comes from the runs' assignments, not from their summaries, and is one number for all seeds.
TEST(Results, AgreementOfSeedsIsAFigureOfTheSetting) {
  const Grid grid = grid_of_four();
  EXPECT_EQ(collect(grid, summaries_of_four()).find(0, "agreement"), nullptr);
  const GridResults r = collect(grid, summaries_of_four(), {0.875, {}, {}, {}});
  ASSERT_NE(r.find(0, "agreement"), nullptr);
  EXPECT_EQ(r.find(0, "agreement")->mean, 0.875);
  EXPECT_EQ(r.find(1, "agreement"), nullptr);
  EXPECT_NE(to_csv(grid, r).find(",agreement_mean,agreement_std,clusters_used_mean"), std::string::npos);
  EXPECT_NE(to_markdown(grid, r).find("| agreement of seeds |"), std::string::npos);
  EXPECT_NE(to_markdown(grid, r).find("| 87.5 |"), std::string::npos);
}

// One run with 20 clusters for 10 classes: all are shown in both ways, and compared by the one that allows it.
TEST(Results, ManyToOneIsShownForAllWhereOneRunNeedsIt) {
  const Grid grid = grid_of_four();
  std::vector<json> summaries = summaries_of_four();
  summaries[6] = summary_of(0.625, 20);
  summaries[1]["table"].erase(3);  // without self-labelling
  const GridResults r = collect(grid, summaries);
  EXPECT_EQ(r.find(0, "scan_acc_many_to_one")->mean, 0.875);
  EXPECT_EQ(r.find(2, "selflabel_acc_many_to_one")->mean, 0.9);
  const std::string page = render_grid_page(grid, r, {.title = "Grid"});
  EXPECT_NE(page.find("many-to-one: each cluster counts"), std::string::npos);
  const std::string map = page.substr(page.find("class=\"values\""));
  EXPECT_NE(map.find(">90.0+-0.0<"), std::string::npos);  // setting 0, self-labelling
  EXPECT_NE(map.find(">87.5<"), std::string::npos);       // setting 1, SCAN
}

// What can be said without labels stands where a run had none, and nowhere else; no best one is marked.
TEST(Results, RunsWithoutLabelsHaveFiguresOfTheirOwn) {
  const auto judged = [](double confidence, bool labelled) {
    json summary = summary_of(0.5);
    summary["data"]["labelled"] = labelled;
    summary["final"] = {{"judgement",
                         {{"mean_confidence", confidence},
                          {"agreement_of_heads", 0.25},
                          {"silhouette", {{"mean", -0.125}, {"rows", 60}, {"exact", true}}}}}};
    if (!labelled) summary["pretext"] = json::object(), summary["table"] = {{{"key", "scan"}, {"clusters_used", 3}}};
    return summary;
  };
  const Grid grid = grid_of_four();
  std::vector<json> all(8);
  all[0] = judged(0.5, false), all[1] = judged(0.75, false);
  const GridResults r = collect(grid, all);
  std::vector<std::string> keys;
  for (const Figure& f : r.figures) keys.emplace_back(f.key);
  EXPECT_EQ(keys, (std::vector<std::string>{"mean_confidence", "silhouette", "agreement_of_heads", "clusters_used"}));
  EXPECT_NE(to_markdown(grid, r).find("\n| 5 | x,y | 1/2 | 50.0 | -12.5 | 25.0 | 3.0 |"), std::string::npos)
      << to_markdown(grid, r);
  const std::string page = render_grid_page(grid, r, {.title = "Grid"});
  EXPECT_EQ(page.find("class=\"best\""), std::string::npos);
  EXPECT_NE(page.find("No run has labels."), std::string::npos);
  all[0] = judged(0.5, true), all[1] = judged(0.75, true);
  EXPECT_FALSE(collect(grid, all).find(0, "mean_confidence"));
}

TEST(Results, TablesAreCsvAndMarkdown) {
  const Grid grid = grid_of_four();
  const GridResults r = collect(grid, summaries_of_four());
  const std::string csv = to_csv(grid, r);
  EXPECT_TRUE(csv.starts_with("mine.k,a|b,seeds,purity_mean,purity_std,")) << csv;
  EXPECT_NE(csv.find("\n5,\"x,y\",2,0.5,0,0.75,0,0.25,0,0.625,0.176777,"), std::string::npos) << csv;
  EXPECT_NE(csv.find("\n20,z,0,,,,,"), std::string::npos) << csv;
  size_t columns = 0;
  for (std::string rest = csv, line; !rest.empty(); rest.erase(0, line.size() + 1)) {
    line = rest.substr(0, rest.find('\n'));
    const auto commas = static_cast<size_t>(std::ranges::count(line, ',') - (line.find("x,y") != line.npos ? 1 : 0));
    if (columns == 0) columns = commas;
    EXPECT_EQ(commas, columns) << line;
  }
  const std::string markdown = to_markdown(grid, r);
  EXPECT_TRUE(markdown.starts_with("| mine.k | a\\|b | seeds | purity, train | k-NN |")) << markdown;
  EXPECT_NE(markdown.find("\n|---|---|---:|---:|"), std::string::npos) << markdown;
  EXPECT_NE(markdown.find("\n| 5 | x,y | 2/2 | 50.0+-0.0 | 75.0+-0.0 |"), std::string::npos) << markdown;
}

TEST(Results, ThePageHasPicturesTableAndFailures) {
  const Grid grid = grid_of_four();
  const std::string page =
      render_grid_page(grid, collect(grid, summaries_of_four()),
                       {.title = "Grid", .facts = {{"Data", "x"}}, .failed = {{"a cell", "no <disk>"}}});
  for (const char* part : {"<svg class=\"values\"", "<svg class=\"dots\"", "Accuracy over the grid",
                           "one-to-one, per cent", "5 &lt;x,y&gt;", "no &lt;disk&gt;", "Failed runs"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
  EXPECT_EQ(page.find("nan"), std::string::npos);
  const std::string none = render_grid_page(grid, collect(grid, std::vector<json>(8)), {.title = "Grid"});
  EXPECT_EQ(none.find("<section>"), std::string::npos);
  Grid line = grid;  // one axis: no map
  line.columns = {"a"}, line.extents = {4};
  for (GridSetting& s : line.settings) s.values = {"v"};
  EXPECT_EQ(render_grid_page(line, collect(line, summaries_of_four()), {.title = "Grid"}).find("class=\"values\""),
            std::string::npos);
}

// What a run came to in the end stands beside its name, before all that led there.
TEST(Results, TheFinalAccuracyIsTheFirstColumnOfThePage) {
  Grid grid = grid_of_four();
  std::vector<json> summaries = summaries_of_four();
  const auto page = [&] { return render_grid_page(grid, collect(grid, summaries), {.title = "Grid"}); };
  EXPECT_NE(page().find("<tr><th>mine.k</th><th>a|b</th><th>self-label ACC</th><th>seeds</th><th>SCAN ACC</th>"
                        "<th>purity, train</th><th>k-NN</th>"),
            std::string::npos);
  EXPECT_NE(page().find("<td>z</td><td>37.5</td><td>1/2</td><td>25.0</td>"), std::string::npos);
  summaries[0] = summary_of(0.5, 20);
  grid.settings[0].values[1] = "a name of many letters";
  EXPECT_NE(page().find("<td class=\"setting\">a name of many letters</td>"), std::string::npos);
  EXPECT_NE(page().find("<th>a|b</th><th>self-label ACC n:1</th><th>seeds</th><th>SCAN ACC n:1</th>"),
            std::string::npos);
}

// A page of one setting has nothing to choose from; those that are equal as they are shown are all the best.
TEST(Results, TheBestIsBoldAmongSeveral) {
  Grid grid = grid_of_four();
  std::vector<json> summaries(8);
  summaries[0] = summary_of(0.5);
  const auto page = [&] { return render_grid_page(grid, collect(grid, summaries), {.title = "Grid"}); };
  EXPECT_EQ(page().find("class=\"best\""), std::string::npos);
  EXPECT_EQ(page().find("is bold"), std::string::npos);
  summaries[1] = summary_of(0.50001);
  size_t bold = 0;
  const std::string tied = page(), best = "<td class=\"best\">62.5</td>";
  for (size_t at = tied.find(best); at != tied.npos; at = tied.find(best, at + 1)) ++bold;
  EXPECT_EQ(bold, 2u);
}

TEST(Results, ThePageSaysWhatChanceComesToAndHowItWasMade) {
  const Grid grid = grid_of_four();
  std::vector<json> summaries = summaries_of_four();
  const GridResults before = collect(grid, summaries);
  EXPECT_FALSE(chance_of(before, summaries));  // of an earlier kith
  EXPECT_EQ(render_grid_page(grid, before, {.title = "Grid"}).find("By chance"), std::string::npos);
  summaries[0]["final"] = {{"chance", {{"acc", 0.125}, {"acc_many_to_one", 0.5}}}};
  summaries[6]["final"] = {{"chance", {{"acc", 0.25}, {"acc_many_to_one", 0.75}}}};
  const auto page = [&] {
    const GridResults results = collect(grid, summaries);
    return render_grid_page(
        grid, results, {.title = "Grid", .chance = chance_of(results, summaries), .command = "kith compare 'a <b>'"});
  };
  EXPECT_NE(page().find("final clusters, ACC is 12.5 to 25.0. "), std::string::npos);
  for (const char* part : {"<dt>Made</dt><dd>", "<dt>kith</dt><dd>", "<dt>Processor</dt><dd>", "How it was made",
                           "<pre>kith compare &#39;a &lt;b&gt;&#39;</pre>"})
    EXPECT_NE(page().find(part), std::string::npos) << part;
  summaries[6]["data"]["clusters"] = 20;
  EXPECT_NE(page().find("final clusters, ACC is 50.0 to 75.0. "), std::string::npos);
  summaries[0] = summary_of(0.5, 20);
  EXPECT_NE(page().find("final clusters, ACC is 75.0. "), std::string::npos);
}

// Figures of different images do not compare: the best is that of each data set, where it has several settings. A setting without
// figures takes no row of the picture.
TEST(Results, OfSeveralDataSetsEachHasItsBest) {
  const Grid grid = grid_of_four();
  std::vector<json> summaries = summaries_of_four();
  summaries[3] = summary_of(0.125);
  const auto page = [&](std::vector<std::string> data) {
    return render_grid_page(grid, collect(grid, summaries), {.title = "Grid", .data = std::move(data)});
  };
  const auto bold = [](const std::string& html) {
    int n = 0;
    for (size_t at = html.find("<td class=\"best\">"); at != html.npos; at = html.find("<td class=\"best\">", at + 1))
      ++n;
    return n;
  };
  const std::string one = page({}), each = page({"a", "b", "c", "d"}), two = page({"a", "b", "a", "b"});
  EXPECT_GT(bold(one), 0);
  EXPECT_EQ(bold(each), 0);
  EXPECT_GT(bold(two), bold(one));
  EXPECT_NE(two.find("The best of a column, of each data set, is bold"), std::string::npos);
  summaries[3] = json();
  const std::string four = page({});
  const std::string dots =
      four.substr(four.find("<svg class=\"dots\""), four.find("</svg>", four.find("<svg class=\"dots\"")));
  EXPECT_NE(dots.find(">5 &lt;x,y&gt;<"), std::string::npos);
  EXPECT_EQ(dots.find(">20 &lt;z&gt;<"), std::string::npos);
}

// Of a grid where some runs are refined: every stage's accuracy stands side by side, and the map shows the last one's.
TEST(Results, RefinedRunsAreSeenAsSuch) {
  const Grid grid = grid_of_four();
  std::vector<json> all = summaries_of_four();
  all[0]["table"].push_back({{"key", "refine"},
                             {"acc", 0.96875},
                             {"nmi", 0.5},
                             {"ari", 0.25},
                             {"acc_many_to_one", 0.96875},
                             {"clusters_used", 8}});
  const GridResults results = collect(grid, all);
  ASSERT_NE(results.find(0, "refine_acc"), nullptr);
  EXPECT_EQ(results.find(0, "refine_acc")->mean, 0.96875);
  EXPECT_EQ(results.find(1, "refine_acc"), nullptr);
  const std::string page = render_grid_page(grid, results, {.title = "Grid"});
  for (const char* part : {"k-means ACC", "SCAN ACC", "self-label ACC", "refined ACC", "96.9"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
}

TEST(Results, LatexEscapesItsSigns) {
  Grid grid = grid_of_four();
  grid.columns = {"a_b", "50%<b>|\\"};
  const std::string text = to_latex(grid, collect(grid, summaries_of_four()));
  EXPECT_EQ(text.find("\\begin{tabular}{llr"), 0u);
  EXPECT_NE(text.find("a\\_b & 50\\%\\textless{}b\\textgreater{}\\textbar{}\\textbackslash{} & seeds & "),
            std::string::npos);
  EXPECT_NE(text.find("62.5$\\pm$17.7"), std::string::npos);  // of 50 and 75
  EXPECT_NE(text.find(" \\\\\n\\bottomrule\n\\end{tabular}\n"), std::string::npos);
}

TEST(Results, FewSettingsStandBesideEachOther) {
  Grid grid = grid_of_four();
  const std::string turned = to_text(grid, collect(grid, summaries_of_four()));
  EXPECT_EQ(turned.find("  mine.k "), 0u) << turned;
  EXPECT_NE(turned.find("\n  SCAN ACC "), std::string::npos) << turned;
  grid.settings.push_back({{"50", "z"}, "50 z"});
  for (const uint64_t seed : grid.seeds) grid.cells.push_back({.setting = 4, .seed = seed, .config = {}, .folder = {}});
  std::vector<json> summaries = summaries_of_four();
  summaries.resize(10);
  EXPECT_NE(to_text(grid, collect(grid, summaries)).find("SCAN ACC  "), std::string::npos);
  EXPECT_EQ(to_text(grid, collect(grid, summaries)).find("\n  SCAN ACC "), std::string::npos);
}

}  // namespace
}  // namespace kith::test
