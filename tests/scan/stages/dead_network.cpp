// Networks that give all images the same features: told as early as it can be known.
#include <vector>

#include "tests/scan/stages/import_fixture.h"

namespace kith {
namespace {

using namespace test;

class DeadNetworks : public Imports {
 protected:
  static SafeTensors zeros() {
    SafeTensors dead = weights("pretext");
    for (auto& [name, array] : dead.arrays) std::ranges::fill(array.bytes, std::byte{0});
    return dead;
  }
};

TEST_F(DeadNetworks, AreNotImported) {
  TinyRun to("import_dead");
  const std::filesystem::path file = written(zeros());
  EXPECT_EQ(error_of([&] { import(to, file); }),
            file.string() +
                ": the network gives the first 70 train images the same features, zeros; expected weights "
                "of a network that tells images apart");
  expect_nothing_in(to);
}

TEST_F(DeadNetworks, AreWarnedOfWhereTheyAreTrained) {
  TinyRun to("import_dead_start");
  to.config.pretext.train.epochs = 1;
  const std::filesystem::path file = written(zeros(), "start");
  import(to, file, {}, {}, ImportAs::start);
  EXPECT_TRUE(to.report.warned("start.safetensors: the network gives the first 70 train images the same features"));
}

// Of one picture there is nothing else to learn.
TEST_F(DeadNetworks, FeaturesThatTellNoImageFromAnotherAreWarnedOf) {
  data::Dataset one = striped_data();
  for (data::Split& split : one.splits) {
    std::vector<uint8_t> pixels;
    for (int64_t i = 0; i < split.images.count; ++i)
      pixels.insert(pixels.end(), split.images.pixels.begin(),
                    split.images.pixels.begin() + split.images.image_bytes());
    split.images.pixels = std::move(pixels);
  }
  RunConfig config = tiny_config();
  config.pretext.train.epochs = config.cluster.train.epochs = 1;
  config.selflabel.enabled = false;
  TinyRun run("one_picture", config, one);
  Session s{run.ctx, run.config, run.data, run.folder.path(), run.report};
  pretext(s);
  EXPECT_TRUE(run.report.warned("pretext: all 70 train images have the same features: "));
  mine(s);
  EXPECT_TRUE(run.report.warned("mine: all train images have the same features: "));
  TinyRun other("many_pictures", config);
  Session t{other.ctx, other.config, other.data, other.folder.path(), other.report};
  pretext(t);
  mine(t);
  EXPECT_FALSE(other.report.warned("same features"));
}

}  // namespace
}  // namespace kith
