// Kernels of clusters, and with named barriers (clusters.cu, clusters_multicast.cu): right ones, and the same with one thing wrong.
#pragma once
#include <cstdint>

namespace kith::simt_test {

enum class Sharing {
  nothing,
  no_barrier_before_read,  // between the write and another block's read
  may_not_have_begun,      // no barrier of the cluster at all before an access
  exits_early,             // none behind the last access
  exits_on_one_arrival,    // one block waits for one of the threads that read from it, all of which have
  outside_cluster,         // an address in a block that the cluster does not have
  not_shared,              // of global memory
  past_the_end,            // of the other block's shared memory
  plain_sum,               // a sum from all blocks by load and store, no atomic
  arrives_twice,
  never_arrives,     // waits only
  one_lane_missing,  // of a warp that arrives
  grid_too_small     // no whole number of clusters
};
// out[32 b + i] = in of the next block of the cluster, read from its shared memory, and sums[b] = the sum over the cluster's in, by
// atomics in the shared memory of its first block.
void share_in_clusters(const float* in, float* out, float* sums, int blocks, int cluster, Sharing wrong);

enum class Multicast {
  nothing,
  not_expected,  // by the barrier of one of the blocks
  mask_outside,  // names a block that the cluster does not have
  empty_mask,
  barriers_not_seen,     // made with no barrier of the cluster behind
  no_fence_of_barriers,  // nor fence.proxy.async
  released_at_home,      // stages by the consumers of their block alone
  phase_not_flipped,     // the producer waits for the same parity in every round
  wait_of_the_block,     // the producer's wait sees what its own block did alone
  no_barrier_at_end,     // blocks end while others arrive at their barriers
  remote_wait,           // for the barrier of another block
  too_many_arrivals,     // at another block's barrier
  expects_too_much,      // one block expects, and waits for, what nobody sends
  other_exits            // one block ends at once
};
// out[64 b + i] = sum over t of column i of in [32 tiles][64], in every block of a cluster of two: each copies half of a tile to
// both, through a ring of two stages.
void sum_by_multicast(const uint16_t* in, float* out, int tiles, int clusters, Multicast wrong);

enum class Named {
  nothing,
  other_count,    // one side says 96 threads
  never_arrives,  // the writer
  left_over,      // it arrives once more
  name_of_all,    // 0
  no_warps,       // 48 threads
  too_many,       // threads for the block
  not_ordered     // reads before it has come
};
// out[i] = 2 in[i], i < 32: one warp writes to shared memory, another reads, twice, by two named barriers.
void hand_over_by_name(const float* in, float* out, Named wrong);

}  // namespace kith::simt_test
