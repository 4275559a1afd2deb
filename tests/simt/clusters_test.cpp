// Clusters, multicast and named barriers: right kernels run, and every way to use them wrongly is caught.
#include "tests/simt/clusters.h"

#include <cmath>
#include <numeric>

#include "tests/simt/expect_fault.h"
#include "tests/simt/runner/device.h"

namespace kith::simt_test {
namespace {

class SimtClusters : public testing::Test {
 protected:
  void SetUp() override { simt::describe(simt::kH100); }
  void TearDown() override { simt::describe(simt::kA100); }
};

struct Shared {
  explicit Shared(int of_blocks = 4)
      : blocks(of_blocks),
        in(values(of_blocks)),
        out(std::vector<float>(32 * static_cast<size_t>(of_blocks), NAN)),
        sums(std::vector<float>(static_cast<size_t>(of_blocks), NAN)) {}
  static std::vector<float> values(int blocks) {
    std::vector<float> v(32 * static_cast<size_t>(blocks));
    std::iota(v.begin(), v.end(), 1.f);
    return v;
  }
  void run(int cluster, Sharing wrong = Sharing::nothing) const {
    share_in_clusters(in.get(), out.get(), sums.get(), blocks, cluster, wrong);
  }
  int blocks;
  Device<float> in, out, sums;
};

// Sums of whole numbers below 2^24: exact in any order.
TEST_F(SimtClusters, BlocksReadEachOthersSharedMemory) {
  for (const auto& [blocks, cluster] : {std::pair{4, 2}, {4, 4}, {16, 8}, {6, 3}, {10, 2}}) {
    const Shared s(blocks);
    s.run(cluster);
    const std::vector<float> in = s.in.host(), out = s.out.host(), sums = s.sums.host();
    for (int b = 0; b < blocks; ++b) {
      const int first = b / cluster * cluster, next = first + (b + 1) % cluster;
      const auto begin = in.begin() + 32 * first;
      EXPECT_EQ(sums[b], std::accumulate(begin, begin + 32 * cluster, 0.f)) << blocks << " " << cluster;
      for (int i = 0; i < 32; ++i) ASSERT_EQ(out[32 * b + i], in[32 * next + i]) << blocks << " " << cluster;
    }
  }
}

TEST_F(SimtClusters, CatchesWrongSharing) {
  const Shared s;
  const auto run = [&](Sharing wrong) { s.run(2, wrong); };
  EXPECT_FAULT(run(Sharing::may_not_have_begun),
               "of its cluster, which may not have begun: no barrier of the cluster before");
  const std::string unordered = fault_of([&] { run(Sharing::no_barrier_before_read); });
  EXPECT_TRUE(unordered.find("wrote with no barrier of the cluster between") != std::string::npos ||
              unordered.find("of its cluster that nothing wrote") != std::string::npos)
      << unordered;
  EXPECT_FAULT(run(Sharing::plain_sum), "of its cluster wrote with no barrier of the cluster between");
  const std::string early = fault_of([&] { run(Sharing::exits_early); });
  EXPECT_TRUE(early.find("may still use its shared memory: no barrier of the cluster behind that") !=
                  std::string::npos ||
              early.find("of its cluster, which has exited") != std::string::npos)
      << early;
  EXPECT_FAULT(run(Sharing::exits_on_one_arrival),
               "of block 0 of its cluster may still use its shared memory: no barrier of the cluster behind that");
  const std::string outside = fault_of([&] { run(Sharing::outside_cluster); });  // of whichever block comes first
  EXPECT_TRUE(outside.find("mapa to block 2 of a cluster of 2") != std::string::npos ||
              outside.find("mapa to block 3 of a cluster of 2") != std::string::npos)
      << outside;
  EXPECT_FAULT(run(Sharing::not_shared), "mapa of an address outside the block's shared memory");
  EXPECT_FAULT(run(Sharing::past_the_end), "load of 4 bytes");
  EXPECT_FAULT(run(Sharing::arrives_twice), "barrier.cluster.arrive twice with no barrier.cluster.wait between");
  EXPECT_FAULT(run(Sharing::never_arrives), "barrier.cluster.wait with no barrier.cluster.arrive before it");
  EXPECT_FAULT(run(Sharing::one_lane_missing), "deadlock");
  EXPECT_FAULT(run(Sharing::one_lane_missing), "1 threads wait in __syncthreads");
  EXPECT_FAULT(run(Sharing::one_lane_missing), "32 of 64 threads of the cluster have arrived");
  EXPECT_FAULT(run(Sharing::grid_too_small), "clusters of 2 blocks in a grid of 3 along x");
  EXPECT_FAULT(s.run(16), "clusters of 16 blocks");
  EXPECT_FAULT(s.run(1), "in a launch without clusters");
  s.run(2);  // and a fault leaves nothing behind
  EXPECT_EQ(s.sums.host()[0], 64 * 65 / 2);
}

struct Halves {
  explicit Halves(int of_tiles) : tiles(of_tiles), in(values(of_tiles)), out(std::vector<float>(4 * 64, NAN)) {}
  static std::vector<uint16_t> values(int tiles) {
    std::vector<uint16_t> v(static_cast<size_t>(tiles) * 32 * 64);
    for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<uint16_t>(i * 7919 % 101);
    return v;
  }
  void run(Multicast wrong) const { sum_by_multicast(in.get(), out.get(), tiles, 2, wrong); }
  int tiles;
  Device<uint16_t> in;
  Device<float> out;
};

TEST_F(SimtClusters, CopiesComeToBothBlocks) {
  for (const int tiles : {1, 2, 5}) {
    const Halves h(tiles);
    h.run(Multicast::nothing);
    const std::vector<uint16_t> in = h.in.host();
    const std::vector<float> out = h.out.host();
    for (size_t i = 0; i < out.size(); ++i) {
      float want = 0;
      for (size_t r = 0; r < in.size() / 64; ++r) want += static_cast<float>(in[r * 64 + i % 64]);
      ASSERT_EQ(out[i], want) << tiles << " " << i;
    }
  }
}

TEST_F(SimtClusters, CatchesWrongMulticast) {
  const Halves h(5);
  const auto run = [&](Multicast wrong) { h.run(wrong); };
  EXPECT_FAULT(run(Multicast::mask_outside), "to the blocks of mask 0x5, in a cluster of 2");
  EXPECT_FAULT(run(Multicast::empty_mask), "to the blocks of mask 0x0, in a cluster of 2");
  const std::string unseen = fault_of([&] { run(Multicast::barriers_not_seen); });
  EXPECT_NE(unseen.find("of its cluster"), std::string::npos) << unseen;
  EXPECT_FAULT(run(Multicast::no_fence_of_barriers), "with no fence.proxy.async since its initialisation");
  const std::string overwritten = fault_of([&] { run(Multicast::released_at_home); });
  EXPECT_NE(overwritten.find("of its cluster"), std::string::npos) << overwritten;
  EXPECT_NE(overwritten.find("tensor copy"), std::string::npos) << overwritten;
  EXPECT_FAULT(run(Multicast::remote_wait), "of another block of the cluster: that is for arrivals alone");
  EXPECT_NE(fault_of([&] { run(Multicast::phase_not_flipped); }), "");
  const std::string unordered = fault_of([&] { run(Multicast::wait_of_the_block); });
  EXPECT_NE(unordered.find("a tensor copy overwrites shared byte"), std::string::npos) << unordered;
  EXPECT_NE(unordered.find("of its cluster that"), std::string::npos) << unordered;
  EXPECT_NE(fault_of([&] { run(Multicast::too_many_arrivals); }), "");
  EXPECT_FAULT(run(Multicast::expects_too_much), "64 bytes expected that have not come");
  const std::string end = fault_of([&] { run(Multicast::no_barrier_at_end); });
  EXPECT_TRUE(end.find("may still use its shared memory") != std::string::npos ||
              end.find("which has exited") != std::string::npos)
      << end;
  const std::string exited = fault_of([&] { run(Multicast::other_exits); });
  EXPECT_TRUE(exited.find("to block 1 of its cluster, which has exited") != std::string::npos ||
              exited.find("block 0 of its cluster multicasts to it") != std::string::npos)
      << exited;
  const Halves one(1);
  EXPECT_FAULT(one.run(Multicast::not_expected), "block 0 of its cluster multicasts to it");
}

// A tile comes from memory once for both blocks of a cluster, and is written in the shared memory of each.
TEST_F(SimtClusters, CountsMulticastOnce) {
  const Halves h(5);
  simt::options().count = true;
  simt::records().clear();
  h.run(Multicast::nothing);
  simt::options().count = false;
  const simt::Counts c = simt::records().at(0).counts;
  EXPECT_EQ(c.tensor_bytes, 2u * 5 * 32 * 64 * 2);  // two clusters
  EXPECT_EQ(c.global_load_sectors, c.tensor_bytes / 32);
  EXPECT_EQ(c.block_barriers, 4u * 2);
}

TEST_F(SimtClusters, OtherDevicesHaveNone) {
  simt::describe(simt::kA100);
  EXPECT_FAULT(Shared().run(2), "clusters on a device of sm_80");
}

TEST(SimtNamedBarriers, HandOver) {
  std::vector<float> in(32), want(32);
  for (size_t i = 0; i < 32; ++i) in[i] = static_cast<float>(i), want[i] = 2 * in[i];
  const Device device_in(in), out(std::vector<float>(32));
  const auto run = [&](Named wrong) { hand_over_by_name(device_in.get(), out.get(), wrong); };
  run(Named::nothing);
  EXPECT_EQ(out.host(), want);
  const std::string counts = fault_of([&] { run(Named::other_count); });
  EXPECT_TRUE(counts.find("of 64 threads meets one of 96") != std::string::npos ||
              counts.find("of 96 threads meets one of 64") != std::string::npos)
      << counts;
  EXPECT_FAULT(run(Named::never_arrives), "bar.sync 1 (kernels/cuda/core/named_barrier.cuh:");
  EXPECT_FAULT(run(Named::never_arrives), "32 of 64 threads have arrived");
  EXPECT_FAULT(run(Named::left_over), "ends with 32 of 64 threads at its barrier 3");
  EXPECT_FAULT(run(Named::name_of_all), "names are 1 to 15, and 0 __syncthreads'");
  EXPECT_FAULT(run(Named::no_warps), "of 48 threads, in a block of 96");
  EXPECT_FAULT(run(Named::too_many), "of 128 threads, in a block of 96");
  EXPECT_NE(fault_of([&] { run(Named::not_ordered); }), "");
}

}  // namespace
}  // namespace kith::simt_test
