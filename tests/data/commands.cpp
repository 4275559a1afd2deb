#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "apps/commands/data.h"
#include "data/dataset/dataset.h"
#include "data/formats/png.h"
#include "scan/run/splits.h"
#include "tests/data/dataset/picture_files.h"

namespace kith {
namespace {

// What the command line prints on stdout.
std::string run(const std::vector<std::string>& words) {
  CLI::App app("kith");
  add_data_commands(app);
  testing::internal::CaptureStdout();
  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));  // CLI11 takes them last to first
  } catch (...) {
    testing::internal::GetCapturedStdout();
    throw;
  }
  return testing::internal::GetCapturedStdout();
}

class DataCommands : public testing::Test {
 protected:
  void SetUp() override { test::write_idx_dataset(dir / "set", 20, 10, 28, 9); }
  test::TemporaryFolder dir;
  const std::string spec = "fashion-mnist:" + (dir / "set").string();
};

TEST_F(DataCommands, InfoAsJson) {
  const nlohmann::json info = nlohmann::json::parse(run({"data", "info", spec, "--json"}));
  EXPECT_EQ(info["spec"], spec);
  EXPECT_EQ(info["classes"].size(), 10u);
  EXPECT_EQ(info["train"]["count"], 20);
  EXPECT_EQ(info["test"]["shape"], (nlohmann::json{28, 28, 1}));
  EXPECT_EQ(info["train"]["per_class"], (nlohmann::json{3, 3, 2, 2, 2, 2, 2, 2, 2}));
  EXPECT_EQ(info["train"]["mean"].size(), 1u);
}

TEST_F(DataCommands, InfoOfASetWithoutTestImagesOrLabels) {
  std::vector<uint8_t> record(3'073, 9);
  record[0] = 0;
  const std::filesystem::path own = dir / "own";
  std::filesystem::create_directory(own);
  test::write_bytes(own / "train.bin", record);
  test::write_bytes(own / "class_names.txt", {'x'});
  const std::string text = run({"data", "info", "cifar-format:" + own.string()});
  EXPECT_NE(text.find("no test images: the 1 train image is scored\n"), std::string::npos) << text;
  EXPECT_NE(text.find("the 1 image that would be scored has no label, so"), std::string::npos) << text;
  const nlohmann::json info = nlohmann::json::parse(run({"data", "info", "cifar-format:" + own.string(), "--json"}));
  EXPECT_EQ(info["test"]["count"], 0);
  EXPECT_EQ(info["train"]["labelled"], false);
}

// Decoded to the size that is asked for; what is left out is told.
TEST_F(DataCommands, InfoOfPictureFiles) {
  ::setenv("KITH_CACHE", (dir / "cache").c_str(), 1);
  const std::filesystem::path root = dir / "photos";
  test::write_picture(root / "cats/1.png", 10);
  test::write_picture(root / "dogs/1.png", 20);
  test::write_bytes(root / "dogs/2.jpg", {'n', 'o'});
  test::write_bytes(root / "about.txt", {'x'});
  const std::string photos = "folder:" + root.string();
  EXPECT_NE(test::error_of([&] {
              run({"data", "info", photos});
            }).find("dogs/2.jpg: is not a picture"),
            std::string::npos);
  const std::string sheet = (dir / "sheet.png").string();
  const std::string text = run({"data", "info", photos, "--size", "8", "--skip-bad", "--sheet", sheet});
  for (const char* part :
       {"8 x 8 x 3", "   1 dogs", "1 file without the ending of a picture is left out: about.txt",
        "1 picture file cannot be decoded and is left out:", "dogs/2.jpg: is not a picture that can be read"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
  EXPECT_EQ(data::read_png(sheet).height, 2 * (2 * 8 + 2) + 2);
  const nlohmann::json info = nlohmann::json::parse(run({"data", "info", photos, "--skip-bad", "--json"}));
  EXPECT_EQ(info["train"]["shape"], (nlohmann::json{64, 64, 3}));
  EXPECT_EQ(info["bad"].size(), 1u);
  EXPECT_EQ(info["bad"][0]["reason"], "is not a picture that can be read");
  ::unsetenv("KITH_CACHE");
}

// All of them, where a run names the first ten; and names as one line can hold them.
TEST_F(DataCommands, InfoListsEveryBadFileAndEscapesNames) {
  ::setenv("KITH_CACHE", (dir / "cache").c_str(), 1);
  const std::filesystem::path root = dir / "photos";
  test::write_picture(root / "a\nb/1.png", 10);
  test::write_picture(root / "c/1.png", 10);
  for (int i = 0; i < 13; ++i) test::write_bytes(root / "c" / (std::to_string(i) + ".jpg"), {'n', 'o'});
  const std::string text = run({"data", "info", "folder:" + root.string(), "--size", "8", "--skip-bad"});
  for (int i = 0; i < 13; ++i)
    EXPECT_NE(text.find("c/" + std::to_string(i) + ".jpg: is not a picture"), std::string::npos) << i << text;
  EXPECT_NE(text.find("   0 a\\x0ab"), std::string::npos) << text;
  const data::Dataset set = data::load("folder:" + root.string(), {.pictures = {.size = 8, .skip_bad = true}});
  const std::vector<std::string> notes = split_notes(set);
  EXPECT_NE(notes.at(11).find("and 3 more, all of them by kith data info folder:"), std::string::npos) << notes[11];
  ::unsetenv("KITH_CACHE");
}

TEST_F(DataCommands, InfoAsTable) {
  const std::string text = run({"data", "info", spec});
  EXPECT_NE(text.find(spec), std::string::npos) << text;
  EXPECT_NE(text.find("28 x 28 x 1"), std::string::npos) << text;
  EXPECT_NE(text.find("   9 Ankle boot" + std::string(33, ' ') + "0" + std::string(16, ' ') + "0\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find("normalised with mean 0.2860   std 0.3530\n"), std::string::npos) << text;
}

TEST_F(DataCommands, InfoWritesAContactSheet) {
  const std::string sheet = (dir / "sheet.png").string();
  run({"data", "info", spec, "--sheet", sheet});
  const data::Picture picture = data::read_png(sheet);
  EXPECT_EQ(picture.height, 10 * (2 * 28 + 2) + 2);  // a row per class, pixels doubled, gaps of 2
  EXPECT_EQ(picture.width, 12 * (2 * 28 + 2) + 2);
  const data::Dataset set = data::load(spec);
  EXPECT_EQ(picture.pixels[static_cast<size_t>(2 * picture.width + 2)], set.train().pixels[0]);
}

TEST_F(DataCommands, ASheetReplacesASheetAlone) {
  const std::filesystem::path own = dir / "sheet.PNG", other = dir / "other.png";
  for (int i = 0; i < 2; ++i) run({"data", "info", spec, "--sheet", own.string()});
  test::write_picture(other, 10);
  const std::vector<uint8_t> bytes = test::read_bytes(other);
  EXPECT_EQ(test::error_of([&] {
              run({"data", "info", spec, "--sheet", other.string()});
            }),
            other.string() + ": is there already, and is no sheet of kith data info; give --sheet another name");
  EXPECT_EQ(test::read_bytes(other), bytes);
}

// Below the rows of the classes, one of the images that only the pretext learns from.
TEST_F(DataCommands, TheContactSheetShowsUnlabelledImages) {
  const std::filesystem::path own = dir / "own";
  std::filesystem::create_directory(own);
  std::vector<uint8_t> labelled(3'073, 9), more(2 * 3'073, 77);
  labelled[0] = 0;
  test::write_bytes(own / "train.bin", labelled);
  test::write_bytes(own / "unlabeled.bin", more);
  test::write_bytes(own / "class_names.txt", {'x'});
  const std::string sheet = (dir / "sheet.png").string();
  run({"data", "info", "cifar-format:" + own.string(), "--sheet", sheet});
  const data::Picture picture = data::read_png(sheet);
  constexpr int kCell = 2 * 32 + 2;  // pixels doubled, gaps of 2
  EXPECT_EQ(picture.height, 2 * kCell + 2);
  const auto pixel = [&](int row, int column) {
    const size_t at = static_cast<size_t>((row * kCell + 2) * picture.width + column * kCell + 2);
    return picture.pixels[at * static_cast<size_t>(picture.channels)];
  };
  EXPECT_EQ(pixel(0, 0), 9);
  EXPECT_EQ(pixel(1, 0), 77);
  EXPECT_EQ(pixel(1, 1), 77);
  EXPECT_EQ(pixel(1, 2), pixel(0, 1));  // there are two
}

TEST_F(DataCommands, PassErrorsOn) {
  EXPECT_NE(test::error_of([&] {
              run({"data", "info", spec, "--sheet", (dir / "train.bin").string()});
            }).find(".png"),
            std::string::npos);
  EXPECT_THROW(run({"data"}), CLI::ParseError);
  EXPECT_THROW(run({"data", "info"}), CLI::ParseError);
  EXPECT_NE(test::error_of([&] { run({"data", "info", "nothing:x"}); }).find("unknown data set"), std::string::npos);
  EXPECT_NE(test::error_of([&] {
              run({"data", "fetch", "nothing"});
            }).find("cannot fetch 'nothing'"),
            std::string::npos);
}

}  // namespace
}  // namespace kith
