// A run on a folder of pictures with a held-out share and a black background, and what is asked about the same folder.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "data/formats/npy.h"
#include "data/formats/png.h"
#include "kernels/core/philox.h"
#include "tests/apps/run_fixture.h"
#include "tests/apps/terminal.h"
#include "tests/support/small_files.h"

namespace kith::test {
namespace {

class PicturesAsked : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    root_ = fs::path(testing::TempDir()) / ("kith_pictures_asked_" + std::to_string(getpid()));
    fs::remove_all(root_);
    fs::create_directories(root_ / "photos");
    for (int i = 0; i < kPictures; ++i) {
      Random random(3, 0, static_cast<uint64_t>(i), 0);
      std::ofstream out(root_ / "photos" / ("p" + std::to_string(i) + ".tga"), std::ios::binary);
      for (const int v : {0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 8, 0, 32, 0x28}) out.put(static_cast<char>(v));
      for (int at = 0; at < 64; ++at)  // 8 x 8 pixels of BGRA, the upper rows transparent
        for (int c = 0; c < 4; ++c)
          out.put(static_cast<char>(c == 3 ? (at < 16 ? 0 : 255) : (c == i % 3 ? 150 : 20) + random.below(60)));
    }
    const Outcome o = kith(run({"--set", "pretext.moco.queue=64"}));
    ASSERT_EQ(o.status, 0) << o.err;
    said_ = o.err;
  }
  static void TearDownTestSuite() { fs::remove_all(root_); }

  static std::string path(const std::string& name) { return (root_ / name).string(); }
  static std::vector<std::string> run(const std::vector<std::string>& more) {
    std::vector<std::string> words = {"run",       "--data", "folder:" + path("photos"), "--out", path("run"),
                                      "--threads", "1"};
    for (const char* field :
         {"data.size=8", "data.holdout=0.3", "data.background=black", "model.width=4", "model.projection=8",
          "pretext.epochs=1", "pretext.batch=8", "mine.k=3", "mine.k_test=1", "cluster.classes=3", "cluster.epochs=1",
          "cluster.batch=8", "cluster.heads=2", "selflabel.enabled=false", "cluster.augment.strong.cutout=2"})
      words.insert(words.end(), {"--set", field});
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  static Outcome ask(const std::string& command, std::vector<std::string> more) {
    std::vector<std::string> words = {command,     "--run", path("run"), "--data", "folder:" + path("photos"),
                                      "--threads", "1"};
    words.insert(words.end(), more.begin(), more.end());
    return kith(words);
  }
  // The first field of each line after the first.
  static std::set<std::string> names_in(const std::string& csv) {
    std::set<std::string> names;
    for (size_t at = csv.find('\n') + 1; at < csv.size(); at = csv.find('\n', at) + 1)
      names.insert(csv.substr(at, csv.find(',', at) - at));
    return names;
  }
  static std::set<std::string> files_of(const std::string& split) {
    std::set<std::string> names;
    std::ifstream in(root_ / "run" / ("files_" + split + ".jsonl"));
    for (std::string line; std::getline(in, line);) names.insert(json::parse(line).get<std::string>());
    return names;
  }

  static constexpr int kPictures = 40;
  static inline fs::path root_;
  static inline std::string said_;  // on standard error by the run
};

TEST_F(PicturesAsked, AllOfTheFolderOrThePartsThatTheRunMade) {
  const Outcome all = ask("predict", {});
  ASSERT_EQ(all.status, 0) << all.err;
  EXPECT_EQ(names_in(all.out).size(), size_t{kPictures});
  EXPECT_EQ(unwrapped(all.err),
            "kith: 40 pictures of folder:" + path("photos") +
                ": those that the run learned from and those that it held out; --split train or test asks "
                "about one part\nkith: answered by the network of the stage cluster\n");
  EXPECT_GE(files_of("test").size(), 2u);
  for (const char* split : {"test", "train"}) {
    const Outcome part = ask("predict", {"--split", split});
    ASSERT_EQ(part.status, 0) << part.err;
    EXPECT_EQ(names_in(part.out), files_of(split)) << split;
    EXPECT_EQ(part.err, "kith: answered by the network of the stage cluster\n");
  }
}

TEST_F(PicturesAsked, ASplitThatIsNotThereNamesThoseThatAre) {
  EXPECT_EQ(ask("predict", {"--split", "foo"}).err,
            "kith: error: --split foo: folder:" + path("photos") + " has the splits train, test\n");
}

TEST_F(PicturesAsked, WhatAFolderLeavesOutIsTold) {
  fs::create_directories(root_ / "more");
  for (const char* name : {"p0.tga", "p1.tga"}) fs::copy_file(root_ / "photos" / name, root_ / "more" / name);
  std::ofstream(root_ / "more" / "notes.txt") << "no picture";
  const Outcome o = kith({"predict", "--run", path("run"), "--data", "folder:" + path("more"), "--threads", "1"});
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_EQ(names_in(o.out).size(), 2u);
  EXPECT_NE(unwrapped(o.err).find("kith: 1 file without the ending of a picture is left out: "), std::string::npos)
      << o.err;
  EXPECT_NE(o.err.find("notes.txt"), std::string::npos) << o.err;
  EXPECT_EQ(o.err.find("held out"), std::string::npos) << o.err;  // of these nothing was
  EXPECT_EQ(ask("predict", {"--invert"}).err, "kith: error: --invert: the images of " + path("run") +
                                                  " have 3 channels; expected a run of gray images\n");
}

// No output is a picture by its name, so that a table may lie beside what it is of.
TEST_F(PicturesAsked, ATableAmongThePicturesIsNoneOfThem) {
  fs::create_directories(root_ / "own");
  for (const char* name : {"p0.tga", "p1.tga"}) fs::copy_file(root_ / "photos" / name, root_ / "own" / name);
  const auto asked = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"predict", "--run", path("run"), "--data", "folder:" + path("own"), "--threads", "1"});
    return kith(more);
  };
  for (const char* name : {"own/a.csv", "own/b.csv"}) ASSERT_EQ(asked({"--out", path(name)}).status, 0);
  EXPECT_EQ(names_in(text_of(root_ / "own" / "a.csv")).size(), 2u);
  EXPECT_EQ(text_of(root_ / "own" / "b.csv"), text_of(root_ / "own" / "a.csv"));
  for (const char* name : {"own/p0.tga", "own/new.png"}) {
    const std::string before = text_of(path(name)), error = asked({"--out", path(name)}).err;
    EXPECT_EQ(error, "kith: error: --out " + path(name) + ": expected a name ending in .csv, .jsonl or .npy\n");
    EXPECT_EQ(text_of(path(name)), before);
  }
}

TEST_F(PicturesAsked, LeftOutFilesAreNamedWithTheirBytesEscaped) {
  const std::string bad = path("bad\xff.png");
  std::ofstream(bad) << "no picture";
  const Outcome o = kith({"predict", "--run", path("run"), path("photos/p0.tga"), bad, "--skip-bad", "--threads", "1"});
  EXPECT_EQ(o.status, 0) << o.err;
  EXPECT_NE(o.err.find("kith: left out: " + path("bad\\xff.png") + ": "), std::string::npos) << o.err;
}

TEST_F(PicturesAsked, TheMapAndTheLineOfOutliersNameFiles) {
  const std::string page = text_of(root_ / "run" / "report.html"), summary = text_of(root_ / "run" / "summary.json");
  EXPECT_EQ(page.find("image 0, confidence"), std::string::npos);
  EXPECT_NE(page.find(".tga, confidence", page.find("<circle")), std::string::npos);
  EXPECT_NE(json::parse(summary)
                .at("final")
                .at("judgement")
                .at("outliers_train")
                .at("names")[0]
                .get<std::string>()
                .find(".tga"),
            std::string::npos);
}

TEST_F(PicturesAsked, TilesOfAGalleryHaveTheBackgroundOfTheRun) {
  const Outcome o = ask("gallery", {"--out", path("gallery"), "--most", "1", "--least", "0", "--tile", "16"});
  ASSERT_EQ(o.status, 0) << o.err;
  int sheets = 0;
  for (const fs::directory_entry& e : fs::directory_iterator(root_ / "gallery")) {
    if (e.path().extension() != ".png") continue;
    ++sheets;
    const data::Picture sheet = data::read_png(e.path());
    EXPECT_EQ(sheet.pixels[static_cast<size_t>((2 * sheet.width + 3) * sheet.channels)], 0) << e.path();  // in the tile
  }
  EXPECT_GE(sheets, 1);
}

TEST_F(PicturesAsked, AGalleryThatFoundNoRoomLeavesNothing) {
  const auto words_of = [this](const char* out) {
    return std::vector<std::string>{"--out", path(out), "--most", "1", "--least", "0", "--tile", "16"};
  };
  ASSERT_EQ(ask("gallery", words_of("room")).status, 0);  // decoded pictures are kept: they need no room from here on
  const std::vector<std::string> words = words_of("no_room");
  for (const bool there : {false, true}) {
    if (there) fs::create_directory(root_ / "no_room");
    {
      const SmallFiles limit(500);
      const Outcome o = ask("gallery", words);
      EXPECT_EQ(o.status, 1);
      EXPECT_NE(o.err.find(": cannot write: File too large\n"), std::string::npos) << o.err;
    }
    EXPECT_EQ(fs::exists(root_ / "no_room"), there);
  }
  EXPECT_TRUE(fs::is_empty(root_ / "no_room"));
  EXPECT_EQ(ask("gallery", words).status, 0);
}

TEST_F(PicturesAsked, TheReportNamesTheFolderAndFieldsWithoutEffectAreWarnedOf) {
  EXPECT_NE(text_of(root_ / "run" / "report.html").find("<h1>folder photos, preset quick, seed 0</h1>"),
            std::string::npos);
  EXPECT_NE(said_.find("kith: warning: pretext.moco.queue has no effect: pretext.task is \"simclr\"\n"),
            std::string::npos)
      << said_;
  const Outcome dry =
      kith({"run", "--data", "folder:" + path("photos"), "--out", path("other"), "--set", "data.size=8", "--set",
            "cluster.classes=3", "--set", "pretext.epochs=1", "--set", "pretext.tau=0.3", "--dry-run"});
  EXPECT_EQ(dry.err.find("no effect"), std::string::npos) << dry.err;
}

// Of the names of the train images one line is said: that they are used, or are not, or an error.
TEST_F(PicturesAsked, NamesThatWereChangedOrLostAreTold) {
  fs::copy(root_ / "run", root_ / "named", fs::copy_options::recursive);
  const fs::path file = root_ / "named" / "files_train.jsonl";
  const std::string whole = text_of(file), anew = "; kith evaluate --out " + path("named") + " ";
  const auto asked = [&](const std::string& bytes) {
    std::ofstream(file, std::ios::binary) << bytes;
    return kith({"neighbours", "--run", path("named"), path("photos/p0.tga"), "--k", "2", "--threads", "1"});
  };
  const Outcome named = asked(whole);
  EXPECT_EQ(named.err, "");
  EXPECT_NE(named.out.find(".tga,1," + path("photos/")), std::string::npos) << named.out;
  const std::string second = whole.substr(whole.find('\n') + 1), begin = "kith: warning: " + file.string() + ": ";
  EXPECT_EQ(
      asked(second + whole.substr(0, whole.find('\n') + 1)).err,
      begin + "not what the stage evaluate made; used as it is (kith evaluate makes a new one; names are of it)\n");
  EXPECT_EQ(asked(whole.substr(0, whole.size() - 5)).err.find("kith: error: " + file.string() + ": line "), 0u);
  const auto count = std::ranges::count(whole, '\n');
  const std::string numbers = ": they go by their numbers" + anew + "makes it anew\n";
  const Outcome fewer = asked(second);
  EXPECT_EQ(fewer.err,
            begin + std::to_string(count - 1) + " names for " + std::to_string(count) + " train images" + numbers);
  EXPECT_NE(fewer.out.find(".tga,1,train/"), std::string::npos) << fewer.out;
  asked(whole);
  fs::remove(file);
  const Outcome lost =
      kith({"neighbours", "--run", path("named"), path("photos/p0.tga"), "--k", "2", "--threads", "1"});
  EXPECT_EQ(lost.err, begin + "missing, which has the names of the train images" + numbers);
  EXPECT_EQ(lost.out, fewer.out);
}

}  // namespace
}  // namespace kith::test
