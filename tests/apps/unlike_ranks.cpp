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
    if (!mpi_version().starts_with("Open MPI"))
      GTEST_SKIP() << mpi_version() << ": ranks are told apart as by Open MPI";
    for (const char* machine : {"0", "1"}) fs::create_directories(root_ / machine);
  }
  // What `words` say on standard error, by one rank in each folder; no success is expected.
  std::string refused(const std::string& words) const {
    const fs::path start = root_ / "start.sh", err = root_ / "err";
    std::ofstream(start) << fmt::format("cd {}/$OMPI_COMM_WORLD_RANK && exec {} {}\n", root_.string(), KITH_PROGRAM,
                                        words);
    const std::vector<std::string> launcher = launch_words(mpi_launcher(), mpi_version(), 2, ::geteuid() == 0);
    const std::string line = fmt::format("OMP_WAIT_POLICY=passive {} sh {} > {} 2> {}", fmt::join(launcher, " "),
                                         start.string(), (root_ / "out").string(), err.string());
    EXPECT_NE(std::system(line.c_str()), 0) << line;
    return text_of(err);
  }
};

TEST_F(UnlikeRanks, OfAnotherDataSetAreRefused) {
  for (const char* machine : {"0", "1"}) fs::copy(root_ / "data", root_ / machine / "data");
  const fs::path images = root_ / "1" / "data" / "train-images-idx3-ubyte";
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
  EXPECT_FALSE(fs::exists(root_ / "0" / "run"));
}

TEST_F(UnlikeRanks, OfOtherRowsAreRefused) {
  for (const float last : {1.f, 2.f})
    data::write_npy<float>(root_ / (last == 1 ? "0" : "1") / "f.npy", std::vector<float>{1, 0, 0, 1, 1, last}, {3, 2});
  const std::string err = refused("mine --features f.npy --k 1 --threads 1 --out lists.npy");
  EXPECT_NE(err.find("kith: error: rank 1: f.npy: holds 3 x 2 f32, "), std::string::npos) << err;
  EXPECT_NE(err.find("; expected the same file on every machine\n"), std::string::npos) << err;
  EXPECT_FALSE(fs::exists(root_ / "0" / "lists.npy"));
}

}  // namespace
}  // namespace kith::test
