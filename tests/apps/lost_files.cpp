// Directories of runs that have lost a file: it is named, with what it held and what brings it back, by all who need it, and what
// nobody can check any more is not used in silence.
#include <string>
#include <vector>

#include "tests/apps/what_stands_fixture.h"
#include "tests/support/lost_record.h"

namespace kith::test {
namespace {

class LostFiles : public WhatStands {
 protected:
  std::string data() const { return "fashion-mnist:" + path("data"); }
  std::vector<std::string> seeds(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words = {"--seeds", "0,1", "--set", "selflabel.enabled=false"};
    words.insert(words.end(), more.begin(), more.end());
    return command("run", "three", words);
  }
  fs::path cell() const {
    for (const auto& entry : fs::directory_iterator(root_ / "three" / "cells"))
      if (entry.is_directory() && entry.path().filename().string().find("seed=1") != std::string::npos)
        return entry.path();
    return {};
  }
  std::string unchecked(const std::string& stages, const std::string& what) const {
    return "kith: warning: " + path("a/stages.json") + ": " + what + ": nothing tells whether what the stage" +
           (stages.find(',') == std::string::npos ? " " : "s ") + stages +
           " left is as it was made; it is used as it is (restore the file, or remove what is doubtful, and kith run "
           "makes it anew)\n";
  }
};

TEST_F(LostFiles, ARunOfAGridWithoutItsConfigurationSaysWhatBringsItBack) {
  ASSERT_EQ(kith(seeds({"--quiet"})).status, 0);
  const fs::path run = cell(), config = run / "config.toml";
  const std::string whole = text_of(config), table = text_of(root_ / "three" / "table.csv");
  fs::remove(config);
  const std::string line = "kith: error: " + config.string() +
                           ": missing, which held every field of the run base, seed 1; copy " + run.string() +
                           ".toml there, or move the folder away, and the same command runs it anew\n";
  EXPECT_EQ(refused(seeds()), line);
  EXPECT_EQ(refused(seeds({"--dry-run"})), line);
  EXPECT_EQ(refused({"run", "--out", path("three"), "--seeds", "0,1"}), line);

  fs::copy_file(run.string() + ".toml", config);
  const Outcome copied = kith(seeds());
  EXPECT_EQ(copied.status, 0) << copied.err;
  EXPECT_NE(copied.err.find("2 of 2 runs have finished earlier"), std::string::npos) << copied.err;
  EXPECT_EQ(text_of(root_ / "three" / "table.csv"), table);

  fs::remove(config);
  fs::rename(run, root_ / "away");
  EXPECT_EQ(kith(seeds({"--quiet"})).status, 0);
  EXPECT_EQ(text_of(config), whole);
  EXPECT_EQ(text_of(root_ / "three" / "table.csv"), table);

  fs::remove_all(run);  // of one that was ended before it had saved anything
  fs::create_directory(run);
  std::ofstream(run / "metrics.jsonl") << "";
  EXPECT_EQ(kith(seeds({"--dry-run"})).status, 0);
}

TEST_F(LostFiles, AGridWithoutItsFileIsToldByItsRuns) {
  ASSERT_EQ(kith(seeds({"--quiet"})).status, 0);
  const fs::path file = root_ / "three" / "grid.toml";
  const std::string whole = text_of(file), table = text_of(root_ / "three" / "table.csv");
  fs::remove(file);
  const std::string held = path("three") + ": grid.toml is missing, which held the settings and seeds of the runs ";
  EXPECT_EQ(refused({"run", "--out", path("three"), "--seeds", "0,1"}),
            "kith: error: " + held +
                "in cells; the full command of the grid (kith ablate FILE, or kith run --seeds with --data) writes it "
                "anew\n");
  EXPECT_EQ(refused(command("run", "three")),
            "kith: error: " + path("three") +
                ": holds a grid of runs (kith ablate, kith run --seeds); expected another --out\n");
  for (const char* name : {"compare", "watch"})
    EXPECT_NE(refused({name, path("three")}).find(": a folder of runs"), std::string::npos) << name;
  const std::string warning = "kith: warning: " + held + "there; it is written anew\n";
  EXPECT_EQ(kith(seeds({"--dry-run", "--quiet"})).err, warning);
  EXPECT_FALSE(fs::exists(file));
  EXPECT_EQ(refused(command("run", "three", {"--seeds", "5"})).find("kith: error: " + held), 0u);  // not of its runs
  const Outcome o = kith(seeds({"--quiet"}));
  EXPECT_EQ(o.status, 0);
  EXPECT_EQ(o.err, warning);
  EXPECT_EQ(text_of(file), whole);
  EXPECT_EQ(text_of(root_ / "three" / "table.csv"), table);
}

// What is left of it is a grid, too, of other runs.
TEST_F(LostFiles, AGridWhoseFileWasCutOrDamagedIsRefused) {
  ASSERT_EQ(kith(seeds({"--quiet"})).status, 0);
  const fs::path file = root_ / "three" / "grid.toml";
  const std::string whole = text_of(file), named = "kith: error: " + file.string() + ":";
  const std::vector<std::string> on = {"run", "--out", path("three"), "--seeds", "0-2", "--dry-run"};
  const auto with = [&](const std::string& text) {
    std::ofstream(file, std::ios::binary) << text;
    return refused(on);
  };
  const size_t last = whole.rfind('\n', whole.size() - 2) + 1, last_but_one = whole.rfind('\n', last - 2) + 1;
  for (const size_t kept : {last, last_but_one, last - 1}) {
    const std::string line = with(whole.substr(0, kept));
    EXPECT_EQ(line.find(named + " has the line '# kept by kith"), 0u) << line;
    EXPECT_NE(line.find("or kith run --seeds with --data), which writes it anew"), std::string::npos) << line;
    EXPECT_EQ(refused({"ablate", file.string(), "--out", path("three")}), line);
  }
  for (const std::string& damage : {std::string(), std::string("no grid\n"), std::string(9, '\0')}) {
    const std::string line = with(damage);
    EXPECT_EQ(line.find(named), 0u) << line;
    EXPECT_NE(line.find("; if the file is damaged, restore it, or give the full command, with --data, which"),
              std::string::npos)
        << line;
    EXPECT_EQ(line.find("kith ablate"), std::string::npos) << line;
  }
  std::string other = whole;
  other.replace(other.find("[set]\n"), 6, "[set]\nmine.kk = 3\n");
  const auto number = std::ranges::count(whole.substr(0, whole.find("[set]")), '\n') + 2;
  EXPECT_EQ(with(other).find(named + std::to_string(number) + ": unknown field mine.kk"), 0u) << with(other);

  // One of an earlier kith.
  std::ofstream(file) << whole.substr(whole.find('\n') + 1, last - whole.find('\n') - 1);
  const Outcome earlier = kith(on);
  EXPECT_EQ(earlier.status, 0) << earlier.err;
  EXPECT_NE(earlier.out.find("3 runs, 2 done earlier"), std::string::npos) << earlier.out;
  std::ofstream(file) << whole.substr(0, last);
  EXPECT_EQ(kith(seeds({"--quiet"})).status, 0);
  EXPECT_EQ(text_of(file), whole);
}

// Its figures may be of other files than the grid's.
TEST_F(LostFiles, ARunOfAGridWithoutItsRecordIsToldOfThereToo) {
  ASSERT_EQ(kith(seeds({"--quiet"})).status, 0);
  fs::remove(cell() / "stages.json");
  const auto warning = [&](const std::string& what) {
    return "kith: warning: " + (cell() / "stages.json").string() + ": " + what +
           ": nothing tells whether what the stages pretext, features, mine, cluster left is as it was made; ";
  };
  EXPECT_EQ(kith(seeds({"--quiet", "--dry-run"})).err.find(warning("missing")), 0u);
  const Outcome again = kith(seeds({"--quiet"}));
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(again.err.find(warning("missing")), 0u) << again.err;
  const Outcome done = kith(seeds());
  EXPECT_NE(done.err.find("2 of 2 runs have finished earlier"), std::string::npos) << done.err;
  EXPECT_NE(done.err.find(warning("a record is missing")), std::string::npos) << done.err;
  EXPECT_NE(text_of(root_ / "three" / "report.html").find("a record is missing: nothing tells"), std::string::npos);
}

TEST_F(LostFiles, AConfigurationIsNamedByAllWhoNeedIt) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  std::vector<std::string> full = command("run", "other", {"--dry-run", "--fields"});
  const std::string config = text_of(root_ / "a" / "config.toml");
  fs::remove(root_ / "a" / "config.toml");
  const std::string line =
      path("a") +
      ": config.toml is missing, which held every field of the run here; restore it (the run's full "
      "command with another --out, --dry-run and --fields prints it), or begin anew in another "
      "--out\n";
  for (const std::vector<std::string>& words : std::initializer_list<std::vector<std::string>>{
           {"run", "--out", path("a")},
           {"run", "--out", path("a"), "--data", data()},
           {"evaluate", "--out", path("a")},
           {"compare", path("a")},
           {"watch", path("a")},
           {"predict", "--run", path("a"), "--data", data()},
           {"sort", "--run", path("a"), "--data", data(), "--into", path("sorted")},
           {"gallery", "--run", path("a"), "--data", data(), "--out", path("gallery")},
           {"features", "--run", path("a"), "--data", data(), "--out", path("F.npy")},
           {"neighbours", "--run", path("a"), "--data", data()},
           {"export", "--run", path("a"), "--onnx", path("net.onnx")},
           {"graph", "--run", path("a"), "--out", path("g.npz")},
           {"cluster", "--features", path("a/features_train.npy"), "--clusters", "3", "--out", path("a")}})
    EXPECT_EQ(refused(words), "kith: error: " + line) << words[0];
  EXPECT_EQ(refused({"run", "--from", path("a"), "--out", path("b")}),
            "kith: error: " + path("a") + ": --from: " + line.substr(path("a").size() + 2));

  const Outcome printed = kith(full);
  ASSERT_EQ(printed.status, 0) << printed.err;
  std::ofstream(root_ / "a" / "config.toml") << printed.out;
  const Outcome again = kith({"run", "--out", path("a")});
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_NE(again.err.find("selflabel: done earlier"), std::string::npos) << again.err;
  EXPECT_EQ(text_of(root_ / "a" / "config.toml"), config);
}

TEST_F(LostFiles, TheFileOfAClusteringOfRowsIsNamed) {
  ASSERT_EQ(kith(command("pretext", "a", {"--quiet"})).status, 0);
  const std::string rows = path("a/features_train.npy");
  const std::vector<std::string> cluster = {"cluster",  "--features", rows,    "--clusters", "3",
                                            "--method", "kmeans",     "--out", path("rows"), "--quiet"};
  ASSERT_EQ(kith(cluster).status, 0);
  fs::remove(root_ / "rows" / "run.json");
  const std::string line = "kith: error: " + path("rows") +
                           ": run.json is missing, which held the settings and the features of the clustering here; "
                           "restore it, or begin anew in another --out\n";
  EXPECT_EQ(refused(cluster), line);
  EXPECT_EQ(refused({"predict", "--run", path("rows"), "--features", rows}), line);
  EXPECT_EQ(refused({"predict", "--run", path("rows"), "--data", data()}), line);
  EXPECT_EQ(refused({"compare", path("rows")}), line);
  EXPECT_EQ(refused({"watch", path("rows")}), line);
}

// Other weights, rows and lists would be used as well.
TEST_F(LostFiles, WithoutRecordsEverybodySaysThatNothingIsChecked) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  fs::remove(root_ / "a" / "stages.json");
  const std::string all = unchecked("pretext, features, mine, cluster, selflabel", "missing");
  const auto said = [](const std::vector<std::string>& words) { return kith(words).err; };
  EXPECT_EQ(said(command("run", "a", {"--dry-run"})), all);
  EXPECT_EQ(said(command("evaluate", "a", {"--dry-run"})), all);
  EXPECT_EQ(said(command("mine", "a", {"--dry-run"})), unchecked("pretext, features", "missing"));
  EXPECT_EQ(said(command("pretext", "a", {"--dry-run"})), unchecked("pretext", "missing"));
  EXPECT_EQ(said({"run", "--from", path("a"), "--out", path("b"), "--dry-run"}), all);
  EXPECT_EQ(said({"watch", path("a")}), all);
  EXPECT_EQ(said({"compare", path("a")}),
            "kith: error: " + path("a/stages.json") + ": no record of an evaluation, which tells what " + path("a") +
                "/summary.json is of; restore the file, or kith run --out " + path("a") + " evaluates the run anew\n");
  EXPECT_EQ(said({"export", "--run", path("a"), "--onnx", path("net.onnx")}), unchecked("selflabel", "missing"));
  EXPECT_EQ(said({"graph", "--run", path("a"), "--out", path("g.npz")}), unchecked("features, mine", "missing"));
  const std::vector<std::string> neighbours = {"neighbours", "--run", path("a"),    "--data",
                                               data(),       "--out", path("n.csv")};
  EXPECT_EQ(said(neighbours),
            unchecked("pretext", "missing") + "kith: error: " + path("a/stages.json") +
                ": missing, which tells whether features_train.npy is what the pretext's network made "
                "of the train images; restore the file, or kith pretext --out " +
                path("a") + " makes the rows anew, of the weights that are there\n");

  const std::string once = said(command("run", "a", {"--quiet"}));
  EXPECT_EQ(once.find(all), 0u) << once;
  EXPECT_EQ(once.find("nothing tells", all.size()), std::string::npos) << once;
  EXPECT_EQ(once.find("not what the stage"), std::string::npos) << once;
  const std::string still = unchecked("pretext, features, mine, cluster, selflabel", "a record is missing");
  for (const char* name : {"compare", "watch"}) EXPECT_EQ(said({name, path("a")}), still) << name;
  EXPECT_EQ(said({"predict", "--run", path("a"), "--data", data()}).find(unchecked("selflabel", "a record is missing")),
            0u);

  // What is made anew is on record.
  EXPECT_EQ(said(command("pretext", "a", {"--quiet"})).find(unchecked("pretext", "a record is missing")), 0u);
  const Outcome asked = kith(neighbours);
  EXPECT_EQ(asked.status, 0);
  EXPECT_EQ(asked.err, unchecked("pretext", "a record is missing"));
  fs::remove(root_ / "a" / "selflabel.safetensors");
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  EXPECT_EQ(said({"watch", path("a")}), unchecked("pretext, mine, cluster", "a record is missing"));

  lose_record(root_ / "a", "evaluate");
  EXPECT_EQ(said({"predict", "--run", path("a"), "--data", data()}),
            "kith: warning: " + path("a/stages.json") +
                ": the record of the evaluation is missing, which tells whether the evaluation is of this network: its "
                "clusters go without names and distances; kith evaluate --out " +
                path("a") + " gives them back\nkith: answered by the network of the stage selflabel\n");
  std::string lists = text_of(root_ / "a" / "neighbours_train.npy");
  std::swap(lists[lists.size() - 8], lists[lists.size() - 16]);
  std::ofstream(root_ / "a" / "neighbours_train.npy", std::ios::binary) << lists;
  EXPECT_NE(said({"predict", "--run", path("a"), "--data", data(), "--stage", "cluster"})
                .find("neighbours_train.npy has changed since; kith run --out " + path("a") + " brings it up to date"),
            std::string::npos);
}

TEST_F(LostFiles, ThoseOfFinishedStagesAreMissed) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  const std::string again = "; kith run --out " + path("a") + " makes it anew";
  std::string lines;
  for (const auto& [file, stage] : {std::pair("pretext.safetensors", "pretext"),
                                    {"features_test.npy", "features"},
                                    {"neighbours_train.npy", "mine"},
                                    {"selflabel.safetensors", "selflabel"},
                                    {"assignments.npy", "evaluate"}}) {
    fs::rename(root_ / "a" / file, root_ / file);
    lines += "kith: warning: " + path(std::string("a/") + file) + ": missing, which the stage " + stage + " left" +
             again + (std::string(file).ends_with(".safetensors") ? ", training the stage again" : "") + "\n";
  }
  const auto before = everything();
  for (const char* name : {"watch", "compare"}) {
    const Outcome o = kith({name, path("a")});
    EXPECT_EQ(o.status, 0) << o.err;
    EXPECT_EQ(o.err, lines) << name;
  }
  EXPECT_TRUE(everything() == before);
}

}  // namespace
}  // namespace kith::test
