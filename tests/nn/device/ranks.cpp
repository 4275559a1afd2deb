// Engines of ranks within one process: what every engine promises, and what happens to threads when one of them is gone.
#include "tests/nn/device/ranks.h"

#include <cstdlib>

#include "nn/device/ranks/mpi_ranks.h"
#include "nn/tensor/context.h"
#include "tests/nn/device/ranks_contract.h"

namespace kith::test {
namespace {

struct Alone {
  static std::vector<int> sizes() { return {1}; }
  static void on_ranks(int, size_t, const std::function<void(Collective&)>& f) { f(*one_rank()); }
};
struct Threads {
  static std::vector<int> sizes() { return {1, 2, 3, 4}; }
  static void on_ranks(int count, size_t most_bytes, const std::function<void(Collective&)>& f) {
    on_thread_ranks(
        count, [&](const std::shared_ptr<Collective>& own) { f(*own); }, most_bytes);
  }
};
INSTANTIATE_TYPED_TEST_SUITE_P(Alone, Ranks, Alone);
INSTANTIATE_TYPED_TEST_SUITE_P(Threads, Ranks, Threads);

TEST(RanksOfThreads, AContextHasOneByDefault) {
  Context ctx;
  const std::vector<float> before{1.5f, -0.f, std::numeric_limits<float>::quiet_NaN(), 0x1p-149f};
  std::vector<float> x = before;
  ctx.collective().all_reduce(x, ctx.queue());
  EXPECT_EQ(ctx.collective().size(), 1);
  EXPECT_TRUE(same_bits(x, before));
}

TEST(RanksOfThreads, ThoseThatAreLeftSayWhoIsGone) {
  std::vector<std::string> said(3);
  on_thread_ranks(3, [&](const std::shared_ptr<Collective>& own) {
    own->barrier();
    if (own->rank() == 1) return;  // gone
    said[static_cast<size_t>(own->rank())] = error_of([&] {
      std::vector<float> x(5);
      while (true) own->all_reduce(x, {});
    });
  });
  EXPECT_EQ(said[0], "all_reduce: rank 1 is gone");
  EXPECT_EQ(said[2], "all_reduce: rank 1 is gone");
}

TEST(RanksOfThreads, SharesDifferByOneRowAtMost) {
  EXPECT_EQ(share_bounds(10, 1), (std::vector<int64_t>{0, 10}));
  EXPECT_EQ(share_bounds(10, 4), (std::vector<int64_t>{0, 2, 5, 7, 10}));
  EXPECT_EQ(share_bounds(2, 3), (std::vector<int64_t>{0, 0, 1, 2}));
  EXPECT_EQ(share_bounds(0, 2), (std::vector<int64_t>{0, 0, 0}));
}

TEST(RanksOfThreads, WhatALauncherAnnounces) {
  const char* const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"};
  for (const char* name : names) unsetenv(name);
  EXPECT_FALSE(announced_ranks());
  for (const char* name : {"SLURM_STEP_NUM_TASKS", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE"}) {
    setenv(name, "3", 1);
    ASSERT_TRUE(announced_ranks());
    EXPECT_EQ(announced_ranks()->size, 3);
    EXPECT_EQ(announced_ranks()->variable, name);
  }
  EXPECT_EQ(announced_ranks()->place, 0);
  setenv("OMPI_COMM_WORLD_RANK", "2", 1);
  EXPECT_EQ(announced_ranks()->place, 2);
  setenv("OMPI_COMM_WORLD_LOCAL_RANK", "1", 1);  // on the second of two machines
  EXPECT_EQ(announced_ranks()->place, 1);
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK"}) unsetenv(name);
  setenv("OMPI_COMM_WORLD_SIZE", "0", 1);
  setenv("PMI_SIZE", "2x", 1);
  EXPECT_EQ(announced_ranks()->variable, "SLURM_STEP_NUM_TASKS");
  for (const char* name : names) unsetenv(name);
}

}  // namespace
}  // namespace kith::test
