// A run of gray images that is asked about pictures; runs, folders of them and rows of features where pictures are expected.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "data/formats/npy.h"
#include "data/formats/png.h"
#include "tests/apps/run_fixture.h"
#include "tests/apps/terminal.h"

namespace kith::test {
namespace {

class GrayRuns : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    root_ = fs::path(testing::TempDir()) / ("kith_gray_runs_" + std::to_string(getpid()));
    fs::remove_all(root_);
    write_tiny_fashion_mnist(root_ / "data", 200, 20, kSide);
    std::vector<std::string> words = {
        "run", "--data", "fashion-mnist:" + path("data"), "--out", path("run"), "--threads", "1", "--quiet"};
    for (const char* field : {"data.size=8", "model.width=4", "model.projection=16", "pretext.epochs=2",
                              "pretext.batch=20", "mine.k=5", "cluster.epochs=2", "cluster.batch=50", "cluster.heads=2",
                              "selflabel.enabled=false", "evaluate.kmeans_restarts=1"})
      words.insert(words.end(), {"--set", field});
    const Outcome o = kith(words);
    ASSERT_EQ(o.status, 0) << o.err;
    const std::string test = text_of(root_ / "data" / "t10k-images-idx3-ubyte");
    for (size_t i = 0; i < kPictures; ++i) {
      data::Picture p{.height = kSide, .width = kSide, .channels = 3}, negative = p;
      for (size_t at = 0; at < kSide * kSide; ++at) {
        const auto v = static_cast<uint8_t>(test[kIdxHeader + i * kSide * kSide + at]);
        p.pixels.insert(p.pixels.end(), 3, v);
        negative.pixels.insert(negative.pixels.end(), 3, static_cast<uint8_t>(255 - v));
      }
      for (const auto& [folder, picture] : {std::pair{"pictures", &p}, {"negatives", &negative}}) {
        fs::create_directories(root_ / folder);
        data::write_png(root_ / folder / ("p" + std::to_string(i) + ".png"), *picture);
      }
    }
  }
  static void TearDownTestSuite() { fs::remove_all(root_); }

  static std::string path(const std::string& name) { return (root_ / name).string(); }
  static Outcome ask(const std::string& command, const std::vector<std::string>& more, const std::string& run = "run") {
    std::vector<std::string> words = {command, "--run", path(run), "--threads", "1"};
    words.insert(words.end(), more.begin(), more.end());
    return kith(words);
  }
  // What is said of the first pictures, without their names.
  static std::vector<std::string> answers(const Outcome& o) {
    EXPECT_EQ(o.status, 0) << o.err;
    std::vector<std::string> lines;
    std::istringstream in(o.out);
    for (std::string line; std::getline(in, line) && lines.size() <= kPictures;)
      lines.push_back(line.substr(line.find(',')));
    return lines;
  }
  // Numbers to 1e-5 beside 1: a network answers twelve images and six by other products, some roundings apart.
  static void expect_alike(const std::vector<std::string>& a, const std::vector<std::string>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i) {
      std::istringstream left(a[i]), right(b[i]);
      std::string x, y;
      while (std::getline(left, x, ',') && std::getline(right, y, ',')) {
        if (x.find('.') == x.npos) {
          EXPECT_EQ(x, y) << a[i];
        } else {
          EXPECT_NEAR(std::stod(x), std::stod(y), 1e-5 * std::max(1., std::stod(y))) << a[i];
        }
      }
    }
  }
  static std::string refused(const std::vector<std::string>& words) {
    const Outcome o = kith(words);
    EXPECT_EQ(o.status, 1) << o.out;
    EXPECT_EQ(std::ranges::count(o.err, '\n'), 1) << o.err;
    return o.err;
  }

  static constexpr uint32_t kSide = 16;
  static constexpr size_t kPictures = 6, kIdxHeader = 16;
  static inline fs::path root_;
};

constexpr char kGray[] = "kith: the run is of gray images: pictures become 0.299 R + 0.587 G + 0.114 B";

// Resized by averages of areas as the run's own, and gray pixels keep their values.
TEST_F(GrayRuns, PicturesOfItsImagesAreToldAsTheImagesAre) {
  const std::vector<std::string> want =
      answers(ask("predict", {"--data", "fashion-mnist:" + path("data"), "--split", "test"}));
  ASSERT_EQ(want.size(), 1 + kPictures);
  std::vector<std::string> files;
  for (size_t i = 0; i < kPictures; ++i) files.push_back(path("pictures/p" + std::to_string(i) + ".png"));
  const Outcome of_files = ask("predict", files), of_folder = ask("predict", {"--data", "folder:" + path("pictures")}),
                inverted = ask("predict", {"--data", "folder:" + path("negatives"), "--invert"});
  expect_alike(answers(of_files), want);
  expect_alike(answers(of_folder), want);
  EXPECT_EQ(answers(inverted), answers(of_folder));
  const std::string said = "\nkith: answered by the network of the stage cluster\n";
  EXPECT_EQ(of_files.err, kGray + said);
  EXPECT_EQ(of_folder.err, kGray + said);
  EXPECT_EQ(unwrapped(inverted.err), std::string(kGray) + ", and their negatives are asked about" + said);
}

// Of the first six images 20 of 96 parts are a bar of 160 to 219, the rest is 20 to 79: 0.31 of white. The run has 0.29, with which
// its images are normalised.
TEST_F(GrayRuns, AWhiteGroundIsWarnedOfWhereTheRunsIsBlack) {
  const auto warning = [](const Outcome& o) {
    EXPECT_EQ(o.status, 0) << o.err;
    const size_t at = o.err.find("kith: warning: ");
    return at == std::string::npos ? "" : o.err.substr(at, o.err.find('\n', at) - at);
  };
  const std::string bright = warning(ask("predict", {"--data", "folder:" + path("negatives")}));
  EXPECT_TRUE(
      bright.starts_with("kith: warning: the pictures are bright (0.69 of white on average), the run's images "
                         "dark (0.29): ask with --invert"))
      << bright;
  const std::string twice = warning(ask("predict", {"--data", "folder:" + path("pictures"), "--invert"}));
  EXPECT_TRUE(twice.starts_with("kith: warning: the pictures' negatives are bright (0.69 ")) << twice;
  EXPECT_NE(twice.find("ask without --invert"), std::string::npos) << twice;
}

TEST_F(GrayRuns, EveryCommandTakesPictures) {
  const std::vector<std::string> of_folder = {"--data", "folder:" + path("pictures")};
  for (const auto& [command, out] :
       {std::pair{"sort", "--into"}, {"gallery", "--out"}, {"features", "--out"}, {"neighbours", "--out"}}) {
    std::vector<std::string> words = of_folder;
    const std::string name = command;
    words.insert(words.end(), {out, path(name + (name == "features" ? ".npy" : name == "neighbours" ? ".csv" : ""))});
    const Outcome o = ask(command, words);
    EXPECT_EQ(o.status, 0) << o.err;
    EXPECT_NE(o.err.find(kGray), std::string::npos) << command << o.err;
  }
  EXPECT_EQ(refused({"predict", "--run", path("run"), "--invert", "--data", "fashion-mnist:" + path("data")}),
            "kith: error: --invert: fashion-mnist:" + path("data") +
                " is asked about as it is; expected picture files, or folder:DIR\n");
}

TEST_F(GrayRuns, PicturesAndTheirNegativesAreTwoSortings) {
  const std::vector<std::string> words = {"--data", "folder:" + path("pictures"), "--into", path("sorted")};
  ASSERT_EQ(ask("sort", words).status, 0);
  std::vector<std::string> inverted = words;
  inverted.emplace_back("--invert");
  EXPECT_NE(ask("sort", inverted)
                .err.find("--into " + path("sorted") +
                          ": holds a sorting by pictures as they are, or "
                          "with --invert, where this is the other; expected another folder\n"),
            std::string::npos);
  EXPECT_EQ(ask("sort", words).status, 0);  // again
}

TEST_F(GrayRuns, ARunIsNoPicture) {
  fs::create_directories(root_ / "runs");
  fs::create_directory_symlink(root_ / "run", root_ / "runs" / "first");
  const std::string run = path("run"), runs = path("runs");
  EXPECT_EQ(refused({"predict", "--run", run, run}),
            "kith: error: " + run + ": is a run, which goes behind --run; expected picture files\n");
  EXPECT_EQ(refused({"predict", "--run", run, runs}),
            "kith: error: " + runs +
                ": is a folder of runs (first), of which one goes behind --run; expected picture "
                "files\n");
  EXPECT_EQ(refused({"predict", "--run", run, path("pictures")}),
            "kith: error: " + path("pictures") + ": is a folder; --data folder:" + path("pictures") +
                " asks about the pictures in it\n");
  for (const std::vector<std::string>& words :
       std::initializer_list<std::vector<std::string>>{{"predict", "--run", run, "--data", "folder:" + run},
                                                       {"run", "--data", "folder:" + run, "--out", path("none")}})
    EXPECT_EQ(refused(words), "kith: error: folder:" + run + ": " + run +
                                  " is a run, whose pictures kith made; expected a folder of pictures\n");
  EXPECT_FALSE(fs::exists(root_ / "none"));
  const std::string holds = ": holds runs (first); expected the directory of one, such as " + runs + "/first\n";
  EXPECT_EQ(refused({"predict", "--run", runs, path("pictures/p0.png")}), "kith: error: " + runs + holds);
  EXPECT_EQ(refused({"graph", "--run", runs, "--out", path("g.npz")}), "kith: error: " + runs + holds);
}

TEST_F(GrayRuns, ARunOnRowsIsToldWhatDoesThatWithRows) {
  fs::create_directories(root_ / "rows");
  std::ofstream(root_ / "rows" / "run.json") << "{}";
  const std::string rows = path("rows"), data = "folder:" + path("pictures");
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{"predict", "--data", data}, "kith predict --features FILE asks about rows"},
      {{"sort", "--data", data, "--into", path("x")}, "kith predict --features FILE lists the cluster of each row"},
      {{"gallery", "--data", data, "--out", path("x")},
       "its report.html shows the clusters, and kith predict --features "},
      {{"features", "--data", data, "--out", path("x.npy")}, "its rows are features themselves"},
      {{"neighbours", "--data", data}, "kith mine --features FILE --out I.npy finds"},
      {{"graph", "--out", path("x.npz")}, "of which kith graph --neighbours I.npy --scores S.npy makes a graph"},
      {{"export", "--onnx", path("x.onnx")}, "it has no network of images to write; kith predict --features "}};
  for (const auto& [given, instead] : cases) {
    std::vector<std::string> words = given;
    words.insert(words.begin() + 1, {"--run", rows});
    const std::string line = refused(words);
    EXPECT_TRUE(line.starts_with("kith: error: " + rows + ": a run on rows of features, not on images; ")) << line;
    EXPECT_NE(line.find(instead), std::string::npos) << line;
  }
  data::write_npy<float>(root_ / "F.npy", std::vector<float>(4), {2, 2});
  EXPECT_EQ(refused({"predict", "--run", path("run"), "--features", path("F.npy")}),
            "kith: error: " + path("run") +
                ": a run on images, which is asked about picture files or --data NAME:DIR; --features asks one of kith "
                "cluster --features\n");
}

TEST_F(GrayRuns, ASheetWantsAFolder) {
  EXPECT_EQ(refused({"data", "info", "folder:" + path("pictures"), "--sheet", path("nowhere/x.png")}),
            "kith: error: " + path("nowhere/x.png") + ": cannot create: no such folder: " + path("nowhere") + "\n");
  const std::string sheet = path("pictures/sheet.png");  // would be a picture the next time
  EXPECT_TRUE(refused({"data", "info", "folder:" + path("pictures"), "--sheet", sheet})
                  .starts_with("kith: error: --sheet " + sheet + ": lies in "));
  EXPECT_FALSE(fs::exists(sheet));
}

}  // namespace
}  // namespace kith::test
