// Ranks on machines that differ, as two folders of one machine: each starts in its own, where the same name is another file.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "apps/launch.h"
#include "data/formats/npy.h"
#include "nn/device/ranks/mpi_ranks.h"
#include "tests/apps/run_fixture.h"

namespace kith::test {
namespace {

class UnlikeRanks : public Runs {
 protected:
  void SetUp() override {
    if (mpi_version().empty()) GTEST_SKIP() << "no MPI in this build (KITH_MPI)";
    Runs::SetUp();
    for (const char* machine : {"a", "b"}) fs::create_directories(root_ / machine);
  }
  // What `words` say on standard error, by one rank in each folder; no success is expected.
  std::string refused(const std::string& words) const {
    std::vector<std::string> launcher = launch_words(mpi_launcher(), mpi_version(), 1, ::geteuid() == 0);
    launcher.resize(launcher.size() - 2);  // without -np 1, which is said of each
    const fs::path err = root_ / "err";
    const auto rank_in = [&](const char* machine) {
      return fmt::format("-np 1 -wdir {} {} {}", (root_ / machine).string(), KITH_PROGRAM, words);
    };
    const std::string line = fmt::format("OMP_WAIT_POLICY=passive {} {} : {} > {} 2> {}", fmt::join(launcher, " "),
                                         rank_in("a"), rank_in("b"), (root_ / "out").string(), err.string());
    EXPECT_NE(std::system(line.c_str()), 0) << line;
    return text_of(err);
  }
};

TEST_F(UnlikeRanks, OfAnotherDataSetAreRefused) {
  for (const char* machine : {"a", "b"}) fs::copy(root_ / "data", root_ / machine / "data");
  const fs::path images = root_ / "b" / "data" / "train-images-idx3-ubyte";
  std::fstream file(images, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(16 + 64);  // a pixel of the second image
  file.put('\xfe');
  file.close();
  const std::string err =
      refused("run --data fashion-mnist:data --set data.size=0 --set model.width=4 --threads 1 --out run");
  EXPECT_NE(
      err.find("kith: error: rank 1: fashion-mnist:data: not rank 0's: train images; expected the same data set on "
               "every machine\n"),
      std::string::npos)
      << err;
  EXPECT_FALSE(fs::exists(root_ / "a" / "run"));
}

TEST_F(UnlikeRanks, OfOtherRowsAreRefused) {
  for (const float last : {1.f, 2.f})
    data::write_npy<float>(root_ / (last == 1 ? "a" : "b") / "f.npy", std::vector<float>{1, 0, 0, 1, 1, last}, {3, 2});
  const std::string err = refused("mine --features f.npy --k 1 --threads 1 --out lists.npy");
  EXPECT_NE(err.find("kith: error: rank 1: f.npy: holds 3 x 2 f32, "), std::string::npos) << err;
  EXPECT_NE(err.find("; expected the same file on every machine\n"), std::string::npos) << err;
  EXPECT_FALSE(fs::exists(root_ / "a" / "lists.npy"));
}

}  // namespace
}  // namespace kith::test
