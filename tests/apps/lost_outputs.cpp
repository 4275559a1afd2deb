// What a finished run left for people, and has lost or changed since; and folders where files are to be written.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tests/apps/terminal.h"
#include "tests/apps/what_stands_fixture.h"

namespace kith::test {
namespace {

class LostOutputs : public WhatStands {
 protected:
  void SetUp() override {
    WhatStands::SetUp();
    ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  }
  static void write(const fs::path& file, const std::string& bytes) { std::ofstream(file, std::ios::binary) << bytes; }
  // What both say of the run, which they only read.
  std::string told() const {
    const auto before = everything();
    const Outcome watched = kith({"watch", path("a")}), compared = kith({"compare", path("a")});
    EXPECT_EQ(watched.status, 0) << watched.err;
    EXPECT_EQ(compared.status, 0) << compared.err;
    EXPECT_EQ(watched.err, compared.err);
    EXPECT_TRUE(everything() == before);
    return watched.err;
  }
  std::string line(const std::string& name, const std::string& text) const {
    return "kith: warning: " + path("a/" + name) + ": " + text + "\n";
  }
  std::string on_data() const { return "fashion-mnist:" + path("data"); }
};

const char* const kLeft[] = {"report.html", "prototypes.png", "near_duplicates.csv",
                             "timing.json", "confusion.csv",  "outliers.csv"};

// The log has a second end of the pretext then.
TEST_F(LostOutputs, FeaturesMadeAnewLeaveTheLogTheRunsOwn) {
  fs::remove(root_ / "a" / "features_train.npy");
  const Outcome again = run("a", {"--quiet"});
  EXPECT_EQ(again.status, 0);
  EXPECT_EQ(again.err.find("metrics.jsonl"), std::string::npos) << again.err;
  EXPECT_EQ(told(), "");
}

TEST_F(LostOutputs, AreToldWithWhatMakesThemAnew) {
  EXPECT_EQ(told(), "");
  const std::string again = "; kith run --out " + path("a") + " makes it anew";
  const auto remedy = [&](const std::string& name) {
    return again + (name == "timing.json" ? ", with the seconds of the evaluation alone" : "");
  };
  std::string lost, cut;
  for (const std::string name : kLeft) {
    const std::string bytes = text_of(root_ / "a" / name);
    write(root_ / "a" / name, bytes.substr(0, bytes.size() - 1));
    cut += line(name, "cut off" + remedy(name));
    const std::string by = name == "timing.json" ? "the stages" : "the stage evaluate";
    lost += line(name, "missing, which " + by + " left" + remedy(name));
  }
  EXPECT_EQ(told(), cut);
  for (const char* name : kLeft) fs::remove(root_ / "a" / name);
  EXPECT_EQ(told(), lost);
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  EXPECT_EQ(told(), "");
  EXPECT_EQ(json::parse(text_of(root_ / "a" / "timing.json")).size(), 1u);

  // Without neighbours no image is unlike them.
  ASSERT_EQ(
      run("a", {"--quiet", "--set", "mine.k=0", "--set", "cluster.augment.policy=simclr", "--set", "cluster.views=2"})
          .status,
      0);
  EXPECT_FALSE(fs::exists(root_ / "a" / "outliers.csv"));
  EXPECT_EQ(told(), "");
}

TEST_F(LostOutputs, OfAnEvaluationThatWereChangedAreTold) {
  const auto change = [&](const std::string& name) {
    std::string bytes = text_of(root_ / "a" / name);
    if (name.ends_with(".npy"))
      bytes.back() ^= 1;
    else
      bytes += "\n";
    write(root_ / "a" / name, bytes);
  };
  std::string lines;
  for (const auto& [name, used] :
       {std::pair("summary.json", "figures are of it"), {"assignments.npy", "the agreement of seeds is of it"}}) {
    change(name);
    lines +=
        line(name, std::string("not what the stage evaluate made; used as it is (kith evaluate makes a new one; ") +
                       used + ")");
  }
  for (const char* name : {"assignments_train.npy", "probabilities.npy", "prototypes.npy"}) {  // what others read
    change(name);
    lines += line(name, "not what the stage evaluate made; kith evaluate makes a new one");
  }
  EXPECT_EQ(told(), lines);
  ASSERT_EQ(kith(command("evaluate", "a", {"--quiet"})).status, 0);
  EXPECT_EQ(told(), "");
}

// Curves and times are told to be others' where the records of the stages say so.
TEST_F(LostOutputs, OfAnotherRunAreToldBesideTheRecordsOfTheStages) {
  ASSERT_EQ(run("b", {"--quiet", "--seed", "7"}).status, 0);
  const fs::path log = root_ / "a" / "metrics.jsonl", times = root_ / "a" / "timing.json",
                 records = root_ / "a" / "stages.json";
  const std::string own_log = text_of(log), own_times = text_of(times), own_records = text_of(records);
  const std::string others = line("metrics.jsonl",
                                  "not what the stages pretext, mine, cluster, selflabel logged: of another run, or "
                                  "changed by hand; what is there is shown");
  write(log, text_of(root_ / "b" / "metrics.jsonl"));
  EXPECT_EQ(told(), others);
  EXPECT_NE(run("a", {"--quiet"}).err.find(others), std::string::npos);  // the page has it, too
  EXPECT_NE(text_of(root_ / "a" / "report.html").find("logged: of another run"), std::string::npos);
  write(log, own_log);
  EXPECT_EQ(told(), "");
  write(log, own_log.substr(0, own_log.find('\n') + 1));  // what is merely missing is no other's
  EXPECT_EQ(told().find("another run"), std::string::npos);
  EXPECT_NE(told().find("lines are missing"), std::string::npos);
  write(log, own_log);

  write(times, text_of(root_ / "b" / "timing.json"));
  EXPECT_EQ(told(), line("timing.json",
                         "not the seconds that the stages took (pretext, mine, cluster, selflabel, "
                         "evaluate); kith run --out " +
                             path("a") + " puts them right"));
  const json made = json::parse(own_times);
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  EXPECT_EQ(told(), "");
  EXPECT_EQ(json::parse(text_of(times)).at("pretext"), made.at("pretext"));
  EXPECT_EQ(json::parse(text_of(root_ / "a" / "summary.json")).at("seconds").at("cluster"), made.at("cluster"));

  // Of earlier versions nothing tells.
  json old = json::parse(own_records);
  for (json& record : old) record.erase("log"), record.erase("seconds");
  write(records, old.dump(2) + "\n");
  write(log, text_of(root_ / "b" / "metrics.jsonl"));
  write(times, text_of(root_ / "b" / "timing.json"));
  EXPECT_EQ(told().find("metrics.jsonl"), std::string::npos) << told();
  EXPECT_EQ(told().find("timing.json"), std::string::npos) << told();
}

// All outputs alike.
TEST_F(LostOutputs, ThatAreLinksAreFollowedButNotIntoAnotherRun) {
  fs::create_directories(root_ / "disk");
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(root_ / "a")) names.push_back(entry.path().filename().string());
  for (const std::string& name : names) {  // not under the names of a run, which would be one
    fs::rename(root_ / "a" / name, root_ / "disk" / ("a_" + name));
    fs::create_symlink("../disk/a_" + name, root_ / "a" / name);
  }
  const std::string weights = text_of(root_ / "disk" / "a_cluster.safetensors");
  ASSERT_EQ(run("a", {"--quiet", "--set", "mine.k=4", "--set", "cluster.lambda=2"}).status, 0);
  for (const auto& entry : fs::directory_iterator(root_ / "a")) EXPECT_TRUE(entry.is_symlink()) << entry.path();
  EXPECT_NE(text_of(root_ / "disk" / "a_cluster.safetensors"), weights);
  EXPECT_EQ(told(), "");

  ASSERT_EQ(run("b", {"--quiet"}).status, 0);
  for (const char* name : {"cluster.safetensors", "metrics.jsonl", "summary.json"}) {
    const fs::path link = root_ / "b" / name, kept = root_ / "kept";
    fs::rename(link, kept);
    fs::copy_file(kept, root_ / "b2");
    fs::create_directories(root_ / "c");
    for (const char* of : {"config.toml", "stages.json"})
      fs::copy_file(root_ / "b" / of, root_ / "c" / of, fs::copy_options::overwrite_existing);
    fs::rename(root_ / "b2", root_ / "c" / name);
    fs::create_symlink(root_ / "c" / name, link);
    for (const char* option : {"--dry-run", "--quiet"})
      EXPECT_EQ(refused(command("run", "b", {option})),
                "kith: error: " + link.string() + ": is a link to " + path("c/") + name +
                    ", a file of another run, which would be overwritten; put a copy in its place, or remove it\n");
    fs::remove(link);
    fs::rename(kept, link);
  }
}

// As soon as they can be seen, by the dry run as by the run.
TEST_F(LostOutputs, FoldersInTheirPlaceAreRefusedAtTheStart) {
  for (const std::string name :
       {"report.html", "confusion.csv", "outliers.csv", "timing.json", "metrics.jsonl", "summary.json", "stages.json",
        "prototypes.npy", "files_train.jsonl", "neighbours_train.npy", "cluster.safetensors",
        "checkpoint_pretext.safetensors", "report.html.partial"}) {
    const fs::path file = root_ / "a" / name, kept = root_ / "kept";
    if (fs::exists(file)) fs::rename(file, kept);
    fs::create_directory(file);
    const std::string expected = "kith: error: " + file.string() + ": is a folder, expected a file\n";
    for (const char* option : {"--dry-run", "--quiet"})
      EXPECT_EQ(refused(command("run", "a", {option})), expected) << option;
    EXPECT_EQ(refused(command("evaluate", "a", {"--quiet"})), expected);
    fs::remove(file);
    if (fs::exists(kept)) fs::rename(kept, file);
  }
  EXPECT_EQ(run("a", {"--quiet"}).status, 0);

  const std::string rows = path("a/features_train.npy");
  const std::vector<std::string> cluster = {"cluster", "--features", rows,         "--clusters", "3", "--method",
                                            "kmeans",  "--out",      path("rows"), "--threads",  "1", "--quiet"};
  ASSERT_EQ(kith(cluster).status, 0);
  for (const std::string name : {"report.html", "distances.npy", "timing.json", "confusion.csv", "summary.json"}) {
    const fs::path file = root_ / "rows" / name;
    fs::remove(file);
    fs::create_directory(file);
    std::vector<std::string> dry = cluster;
    dry.emplace_back("--dry-run");
    for (const std::vector<std::string>& words : {cluster, dry})
      EXPECT_EQ(refused(words), "kith: error: " + file.string() + ": is a folder, expected a file\n");
    fs::remove(file);
  }

  fs::create_directory(root_ / "i.npy.partial");
  EXPECT_EQ(refused({"mine", "--features", rows, "--k", "3", "--out", path("i.npy")}),
            "kith: error: " + path("i.npy") + ": cannot create: a folder has the name " + path("i.npy.partial") + "\n");

  std::vector<std::string> seeds = command("run", "three", {"--seeds", "0", "--quiet"});
  ASSERT_EQ(kith(seeds).status, 0);
  fs::remove(root_ / "three" / "table.csv");
  fs::create_directory(root_ / "three" / "table.csv");
  EXPECT_EQ(refused(seeds), "kith: error: " + path("three/table.csv") + ": is a folder, expected a file\n");
  seeds.emplace_back("--dry-run");
  EXPECT_EQ(refused(seeds), "kith: error: " + path("three/table.csv") + ": is a folder, expected a file\n");
}

// Of what the evaluation left, a command tells what it answers from.
TEST_F(LostOutputs, AreNothingToAnswersThatAreNotOfThem) {
  const fs::path file = root_ / "a" / "prototypes.npy", summary = root_ / "a" / "summary.json";
  const std::string rows = text_of(file), figures = text_of(summary);
  const std::vector<std::string> predict = {"predict", "--run", path("a"), "--data", on_data()},
                                 gallery = {"gallery", "--run", path("a"),      "--data",
                                            on_data(), "--out", path("gallery")};
  const auto of_no_evaluation = [&] {
    EXPECT_EQ(kith({"export", "--run", path("a"), "--onnx", path("net.onnx")}).err, "");
    EXPECT_EQ(
        kith({"features", "--run", path("a"), "--data", on_data(), "--stage", "selflabel", "--out", path("F.npy")})
            .err.find("warning"),
        std::string::npos);
  };
  const auto of_gallery = [&] {
    fs::remove_all(root_ / "gallery");
    const Outcome o = kith(gallery);
    EXPECT_EQ(o.status, 0) << o.err;
    return o.err;
  };
  std::string other = rows;
  other.back() ^= 1;
  for (const std::string& bytes : {rows.substr(0, 200), other}) {
    write(file, bytes);
    of_no_evaluation();
    EXPECT_EQ(of_gallery().find("prototypes"), std::string::npos);
  }
  EXPECT_EQ(kith(predict).err.find(line("prototypes.npy",
                                        "not what the stage evaluate made; used as it is (kith "
                                        "evaluate makes a new one; distances are to its rows)")),
            0u);
  write(file, rows.substr(0, 200));
  const std::string cut = refused(predict);
  EXPECT_TRUE(cut.starts_with("kith: error: " + file.string() + ": damaged: the .npy file is cut off") &&
              cut.ends_with("; kith evaluate --out " + path("a") + " makes a new one\n"))
      << cut;
  fs::remove(file);
  of_no_evaluation();
  EXPECT_EQ(of_gallery().find("prototypes"), std::string::npos);
  write(file, rows);

  // Names are of the summary: one line of a damaged one.
  write(summary, figures.substr(0, figures.size() / 2));
  of_no_evaluation();
  const std::string nameless = line("summary.json",
                                    "damaged: clusters go without names, if they had any; kith "
                                    "evaluate --out " +
                                        path("a") + " makes a new one");
  EXPECT_EQ(of_gallery().find(nameless), 0u);
  EXPECT_EQ(kith(predict).err, nameless + "kith: answered by the network of the stage selflabel\n");
}

}  // namespace
}  // namespace kith::test
