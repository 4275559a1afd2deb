// How ranks are started: what a launcher announces, mpirun's words, a card each.
#include "apps/launch.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "kernels/core/check.h"
#include "nn/device/device_select.h"
#include "nn/device/ranks/collective.h"
#include "nn/device/ranks/mpi_ranks.h"
#include "tests/apps/run_fixture.h"

namespace kith::test {
namespace {

TEST(Launch, SaysWhatDoesNotFit) {
  const auto error = [](const std::vector<std::string>& words, const Environment& variables) {
    const Outcome o = kith(words, {}, nullptr, variables);
    EXPECT_EQ(o.status, 1) << o.err;
    EXPECT_EQ(o.out, "");
    return o.err;
  };
  EXPECT_EQ(error({"run", "--out", "x", "--ranks", "2"}, {{"OMPI_COMM_WORLD_SIZE", "3"}}),
            "kith: error: --ranks 2, but the launcher started 3 (OMPI_COMM_WORLD_SIZE)\n");
  EXPECT_EQ(error({"info"}, {{"OMPI_COMM_WORLD_SIZE", "2"}}),
            "kith: error: kith info works as one process; the launcher started 2 (OMPI_COMM_WORLD_SIZE)\n");
  EXPECT_EQ(error({"info"}, {{"OMPI_COMM_WORLD_SIZE", "2"}, {"OMPI_COMM_WORLD_RANK", "1"}}), "");
  EXPECT_EQ(error({"cluster", "--features", "f.npy", "--out", "x"}, {{"PMI_SIZE", "2"}}),
            "kith: error: kith cluster --features works as one process; the launcher started 2 (PMI_SIZE)\n");
  EXPECT_EQ(
      error({"run", "--out", "x"}, {{"WORLD_SIZE", "4"}, {"RANK", "0"}}),
      "kith: error: the launcher started 4 processes by WORLD_SIZE and RANK, without MPI, by which ranks find each "
      "other: start them by mpirun -np 4, or srun --mpi=pmix, or kith run --ranks 4, and without these variables "
      "(bench/cluster/torchrun.sh)\n");
  EXPECT_EQ(error({"run", "--out", "x"}, {{"WORLD_SIZE", "4"}, {"RANK", "2"}}), "");
  EXPECT_EQ(kith({"presets"}, {}, nullptr, {{"WORLD_SIZE", "1"}, {"RANK", "0"}}).status, 0);
  EXPECT_EQ(kith({"presets"}, {}, nullptr, {{"WORLD_SIZE", "4"}}).status, 0);  // of something else
  if (mpi_version().empty()) {
    EXPECT_NE(error({"run", "--out", "x", "--ranks", "2"}, {}).find("several ranks need MPI"), std::string::npos);
    return;
  }
  // A launcher of another MPI, which this program's knows nothing of.
  EXPECT_NE(error({"run", "--out", "x"}, {{"PMI_SIZE", "2"}})
                .find("kith: error: the launcher started 2 ranks (PMI_SIZE), " + mpi_version() +
                      " finds 1: the launcher belongs to another MPI; use "),
            std::string::npos);
  EXPECT_EQ(error({"run", "--out", "x", "--ranks", "2"}, {{"KITH_RANKS", "2"}}),
            fmt::format("kith: error: --ranks 2: {} announces no ranks: it belongs to another MPI than {}\n",
                        mpi_launcher(), mpi_version()));
}

TEST(Launch, RanksTakeACardEach) {
  const DeviceInfo card{.name = "NVIDIA H200", .sm = 90, .multiprocessors = 132, .memory_bytes = int64_t{140} << 30};
  const DeviceList two{.built = true, .driver = 13000, .runtime = 13000, .devices = {card, card}};
  expect_device_of_ranks("cuda", 2, 2, two);
  expect_device_of_ranks("cuda", 8, 2, two);  // on four machines
  expect_device_of_ranks("cuda:1", 1, 1, two);
  expect_device_of_ranks("auto", 3, 3, two);
  const auto refused = [&](const std::string& device, int ranks) -> std::string {
    try {
      expect_device_of_ranks(device, ranks, ranks, two);
      return "no error";
    } catch (const Error& e) {
      return e.what();
    }
  };
  EXPECT_EQ(refused("cuda", 3),
            "--device cuda: 3 ranks on this machine take a card each, it has 2; expected at most 2 ranks");
  EXPECT_EQ(refused("cuda:1", 2), "--device cuda:1: several ranks take a card each, rank 0 cuda:0; expected cuda");
  EXPECT_EQ(device_of_rank("cuda:1", *one_rank()), "cuda:1");
  const auto ranks = thread_ranks(2);
  EXPECT_EQ(device_of_rank("cuda", *ranks[1]), "cuda:1");
  EXPECT_EQ(device_of_rank("auto", *ranks[1]), "cpu");
}

TEST(Launch, Words) {
  EXPECT_EQ(launch_words("/", "Open MPI 4.1.4", 3, true),
            (std::vector<std::string>{"/", "--allow-run-as-root", "--quiet", "--oversubscribe", "--bind-to", "none",
                                      "--mca", "mpi_yield_when_idle", "1", "-np", "3"}));
  EXPECT_EQ(launch_words("/", "Open MPI 5.0.7", 2, false),
            (std::vector<std::string>{"/", "--oversubscribe", "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1",
                                      "-np", "2"}));
  EXPECT_EQ(launch_words("/not/there", "MPICH 4.0.2", 2, true), (std::vector<std::string>{"mpirun", "-np", "2"}));
  EXPECT_EQ(threads_of_rank(8, 3), 2);
  EXPECT_EQ(threads_of_rank(2, 4), 1);
}

}  // namespace
}  // namespace kith::test
