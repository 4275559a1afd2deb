// Ranks by NCCL: what every engine promises, over a stand-in whose device is the host (fake_nccl.cpp); what is said where there
// is no NCCL or no card; and, where there is a card, one rank on it.
#include "nn/device/ranks/nccl_ranks.h"

#include <cstdlib>
#include <memory>
#include <optional>

#include "nn/device/accelerator.h"
#include "nn/tensor/buffer.h"
#include "nn/tensor/context.h"
#include "tests/nn/device/ranks.h"
#include "tests/nn/device/ranks_contract.h"

namespace kith::test {
namespace {

const Nccl& stand_in() {
  static const Nccl library(KITH_FAKE_NCCL, {});
  return library;
}

struct ByNccl {
  static std::vector<int> sizes() { return {1, 2, 3, 4}; }
  static void on_ranks(int count, size_t most_bytes, const std::function<void(Collective&)>& f) {
    on_thread_ranks(
        count,
        [&](const std::shared_ptr<Collective>& own) {
          NcclRanks ranks(own, stand_in(), Device::cpu);
          ranks.connect();
          f(ranks);
          own->barrier();
        },
        most_bytes);
  }
};
INSTANTIATE_TYPED_TEST_SUITE_P(Nccl, Ranks, ByNccl);

TEST(RanksOfNccl, SayBothEnginesAndKeepWhatTheyNormaliseBy) {
  const std::shared_ptr<Collective> host = one_rank();
  host->batch_norm = Collective::BatchNorm::whole;
  const NcclRanks ranks(host, stand_in());
  EXPECT_EQ(ranks.engine(), "one rank, NCCL 2.29.3");
  EXPECT_EQ(ranks.batch_norm, Collective::BatchNorm::whole);
}

// What the host's memory holds goes the host's way.
TEST(RanksOfNccl, ArraysOfTheHostNeedNoConnection) {
  on_thread_ranks(2, [](const std::shared_ptr<Collective>& own) {
    NcclRanks ranks(own, stand_in());
    std::vector<float> x(3, static_cast<float>(own->rank() + 1));
    ranks.all_reduce(x, {});
    EXPECT_EQ(x, std::vector<float>(3, 3.f));
    EXPECT_EQ(ranks.highest(own->rank()), 1);
    EXPECT_EQ(error_of([&] { ranks.all_reduce(x, {.device = Device::cuda}); }),
              "all_reduce: ranks on GPUs are not connected");
    own->barrier();
  });
}

// As of the stand-in, NCCL's own words.
TEST(RanksOfNccl, WhatItCannotDoIsOneLine) {
  setenv("KITH_FAKE_NCCL_ERROR", "no CUDA-capable device is detected", 1);
  EXPECT_EQ(error_of([] { NcclRanks(one_rank(), stand_in()).connect(); }),
            "ranks on GPUs: rank 0 of 1: NCCL 2.29.3: unhandled cuda error, no CUDA-capable device is detected");
  unsetenv("KITH_FAKE_NCCL_ERROR");
  on_thread_ranks(2, [](const std::shared_ptr<Collective>& own) {
    NcclRanks ranks(own, stand_in(), Device::cpu);
    ranks.connect();
    std::vector<std::byte> x(own->rank() == 0 ? 8 : 12);
    const std::string said = error_of([&] { ranks.broadcast(x, 0, {}); });
    EXPECT_EQ(said, own->rank() == 0
                        ? ""
                        : "broadcast: NCCL 2.29.3: invalid argument, a receive of 12 bytes meets a send of 8");
    own->barrier();
  });
  const std::string none = error_of([] { const Nccl absent("libnccl.so.2", {"/nowhere"}); });
  if (!none.empty()) {  // the system's linker may know one
    EXPECT_EQ(none.find("libnccl.so.2 cannot be loaded (looked with the system's linker and in /nowhere)"), 0u) << none;
    EXPECT_EQ(none.find('\n'), std::string::npos) << none;
  }
}

// The process's own NCCL, up to its error where there is no card.
TEST(RanksOfNccl, OneRankOnACard) {
  std::optional<Nccl> real;
  try {
    real.emplace("libnccl.so.2", cuda_library_folders());
  } catch (const Error& e) {
    GTEST_SKIP() << e.what();
  }
  NcclRanks ranks(one_rank(), *real);
  if (const DeviceList list = list_devices(); !list.built || list.devices.empty()) {
    const std::string said = error_of([&] { ranks.connect(); });
    EXPECT_EQ(said.find("ranks on GPUs: rank 0 of 1: NCCL " + real->version() + ": "), 0u) << said;
    GTEST_SKIP() << "no card: " << said;
  }
  Context ctx({.device = Device::cuda});
  ranks.connect(ctx.make_pool());
  const std::vector<float> numbers = numbers_of(0, 5003);
  const Tensor x = ctx.from({5003}, numbers);
  const std::vector<int64_t> bounds = {0, static_cast<int64_t>(x.bytes())};
  const std::span<std::byte> bytes = std::as_writable_bytes(x.span());
  ranks.all_reduce(x.span(), ctx.queue());
  ranks.all_gather(bytes, bounds, ctx.queue());
  ranks.broadcast(bytes, 0, ctx.queue());
  EXPECT_TRUE(same_bits(x.to_host(), numbers));
  ctx.accelerator()->begin_capture();
  ranks.all_reduce(x.span(), ctx.queue());
  ranks.broadcast(bytes, 0, ctx.queue());
  ctx.accelerator()->end_capture()->launch();
  EXPECT_TRUE(same_bits(x.to_host(), numbers));
}

}  // namespace
}  // namespace kith::test
