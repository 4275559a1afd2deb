// Images that a run has learned from, asked about as files.
#include "data/formats/npy.h"
#include "data/formats/png.h"
#include "tests/apps/answers_fixture.h"

namespace kith::test {
namespace {

// An image is the same one as a file of its own, however the run's data set was brought to its size.
TEST_F(Answers, AnImageOfTheDataSetIsAnsweredAlikeAsAFile) {
  const std::string bytes = text_of(root_ / "cifar" / "train.bin");
  fs::create_directories(root_ / "records");
  std::vector<std::string> files;
  for (size_t i = 0; i < 60; ++i) {  // all: in batches of other sizes sums are rounded otherwise
    data::Picture p{.height = 32, .width = 32, .channels = 3};
    for (size_t pixel = 0; pixel < 1024; ++pixel)
      for (size_t c = 0; c < 3; ++c) p.pixels.push_back(static_cast<uint8_t>(bytes[i * 3073 + 1 + c * 1024 + pixel]));
    files.push_back(path("records/" + std::to_string(100 + i) + ".png"));
    data::write_png(files.back(), p);
  }
  const auto probabilities = [&](std::vector<std::string> more) {
    more.insert(more.end(), {"--probabilities", path("p.npy"), "--out", path("p.csv")});
    EXPECT_EQ(ask("predict", more).status, 0);
    return data::read_npy<float>(path("p.npy")).values;
  };
  const std::vector<float> want = probabilities({"--data", "cifar-format:" + path("cifar"), "--split", "train"});
  EXPECT_EQ(probabilities(files), want);
  EXPECT_EQ(probabilities({"--data", "folder:" + path("records")}), want);
}

}  // namespace
}  // namespace kith::test
