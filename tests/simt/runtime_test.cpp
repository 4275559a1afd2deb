// The runner's own tests: every kind of fault is caught, right kernels pass, and the counts are those of a GPU.
#include "tests/simt/runner/runtime.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <vector>

#include "tests/simt/expect_fault.h"
#include "tests/simt/faults.h"
#include "tests/simt/runner/device.h"
#include "tests/simt/runner/stream.h"

namespace kith::simt_test {
namespace {

std::vector<float> ramp(int n) {
  std::vector<float> v(static_cast<size_t>(n));
  std::iota(v.begin(), v.end(), 0.f);
  return v;
}

TEST(Simt, RunsRightKernels) {
  const Device in(ramp(150)), out(std::vector<float>(150));
  reverse_in_shared(in.get(), out.get(), 150);
  EXPECT_EQ(out.host()[0], 63);
  EXPECT_EQ(out.host()[64], 127);
  const Device sum(std::vector<float>(32));
  warp_sum(in.get(), sum.get());
  EXPECT_EQ(sum.host(), std::vector<float>(32, 496.f));
  const Device copied(std::vector<float>(32));
  async_right(in.get(), copied.get());
  EXPECT_EQ(copied.host()[0], 127);
}

TEST(Simt, AtomicsOfManyBlocks) {
  std::vector<int> values(1000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int>(i * i % 8);
  std::vector<int> want(8);
  for (const int v : values) ++want[static_cast<size_t>(v)];
  const Device in(values), out(std::vector<int>(8));
  histogram(in.get(), 1000, out.get());
  EXPECT_EQ(out.host(), want);
}

// The ticket of one launch is as good as new in the next, and in the repetitions in other orders.
TEST(Simt, TheLastBlockSeesWhatAllWrote) {
  const Device in(ramp(224)), out(std::vector<float>(225));
  for (int replay = 0; replay < 2; ++replay) {
    tickets(in.get(), out.get(), 7);
    EXPECT_EQ(out.host()[0], 444.f);  // sum of (223 - k) / 2^k over all k; rounds to 446 - 2
  }
}

// On a GPU each of these shows once in a while.
TEST(Simt, CatchesWhatIsNotHandedOverBetweenBlocks) {
  const Device in(ramp(96));
  const auto run = [&](HandOver without, unsigned early) {
    const Device out(std::vector<float>(97));
    const Device ticket(std::vector<unsigned>(2));
    hand_over(in.get(), out.get(), ticket.get(), 3, without, early);
  };
  EXPECT_EQ(fault_of([&] { run(HandOver::nothing, 0); }), "");
  EXPECT_FAULT(run(HandOver::writers_fence, 0), "did not hand over (no fence, barrier and atomic behind the write)");
  EXPECT_FAULT(run(HandOver::barrier, 0), "did not hand over (no fence, barrier and atomic behind the write)");
  EXPECT_FAULT(run(HandOver::readers_fence, 0), "did not hand over (no atomic, barrier and fence before this access)");
  EXPECT_NE(fault_of([&] { run(HandOver::nothing, 1); }), "");
}

TEST(Simt, CatchesMissingBarriers) {
  const Device in(ramp(64)), out(std::vector<float>(64));
  EXPECT_FAULT(reverse_without_barrier(in.get(), out.get(), 64), "shared byte");
  EXPECT_FAULT(write_after_read(out.get()), "data race: ");
  simt::options().races = false;  // without the shadow, the poison and the orders still show it
  EXPECT_FAULT(reverse_without_barrier(in.get(), out.get(), 64), "depends on the order of threads");
  simt::options().races = true;
}

// Memory that is handed on, not released: its bounds and its poison are those of what it is lent as.
TEST(Simt, LentMemoryIsAsStrictAsItsOwn) {
  const Device out(std::vector<float>(64));
  auto* block = static_cast<float*>(simt::allocate(64 * sizeof(float)));
  simt::lend(block, 32 * sizeof(float));
  EXPECT_FAULT(out_of_bounds(block, out.get(), 32), "byte 128 of a buffer of 128 bytes");
  std::ranges::fill_n(block, 32, 1.f);
  warp_sum(block, out.get());
  EXPECT_EQ(out.host()[0], 32.f);
  simt::take_back(block);
  out_of_bounds(block, out.get(), 32);
  EXPECT_TRUE(std::isnan(out.host()[1]));
  std::ranges::fill_n(block, 32, 1.f);
  simt::lend(block, 32 * sizeof(float));
  warp_sum(block, out.get());
  EXPECT_TRUE(std::isnan(out.host()[0]));
  EXPECT_FAULT(simt::lend(block, 65 * sizeof(float)), "no allocation of as many");
  EXPECT_FAULT(simt::lend(block + 1, 4), "no allocation of as many");
  simt::release(block);
}

TEST(Simt, CatchesMissingBarriersAroundAtomics) {
  const Device out(std::vector<int>(64));
  atomics_without_barrier(out.get(), 0);
  EXPECT_EQ(out.host(), std::vector<int>(64, 64));
  warp_atomics(out.get());
  EXPECT_EQ(out.host(), std::vector<int>(64, 32));
  EXPECT_FAULT(atomics_without_barrier(out.get(), 1), "data race: updates shared byte");
  EXPECT_FAULT(atomics_without_barrier(out.get(), 2), "shared byte");
  EXPECT_FAULT(atomics_without_barrier(out.get(), 2), "another thread read with no barrier between");
  EXPECT_FAULT(atomics_on_unwritten(out.get()), "that nothing wrote");
}

TEST(Simt, CatchesEndlessLoops) {
  const Device out(std::vector<int>(1));
  simt::options().patience = 1000;
  EXPECT_FAULT(spin_forever(out.get()), "1000 accesses without meeting another thread");
  simt::options().patience = simt::Options().patience;
}

TEST(Simt, CatchesUnwrittenSharedMemory) {
  const Device out(std::vector<float>(32));
  EXPECT_FAULT(read_unwritten_shared(out.get()), "that nothing wrote");
  simt::options().races = false;  // without the shadow the poison reaches the result
  read_unwritten_shared(out.get());
  simt::options().races = true;
  EXPECT_EQ(out.host()[30], 1.f);
  EXPECT_TRUE(std::isnan(out.host()[31]));
}

TEST(Simt, CatchesBadAddressesWithTheThread) {
  const Device in(ramp(10)), out(std::vector<float>(10));
  EXPECT_FAULT(out_of_bounds(in.get(), out.get(), 10), "thread (10, 0, 0)");
  EXPECT_FAULT(out_of_bounds(in.get(), out.get(), 10),
               "load of 4 bytes out of bounds: byte 40 of a buffer of 40 bytes");
  EXPECT_FAULT(past_shared_memory(out.get()), "thread (8, 0, 0)");
  EXPECT_FAULT(past_shared_memory(out.get()), "store of 4 bytes out of bounds");
}

TEST(Simt, CatchesMemoryThatWasReleased) {
  auto* gone = static_cast<int*>(simt::allocate(sizeof(int)));
  const Device out(std::vector<int>(1));
  read_released(gone, out.get());
  simt::release(gone);
  EXPECT_FAULT(read_released(gone, out.get()), "load of 4 bytes out of bounds");
}

TEST(Simt, CatchesMisalignedAccessesWithTheThread) {
  const Device in(ramp(32)), out(std::vector<float>(8));
  EXPECT_FAULT(misaligned_vector(in.get(), out.get()), "thread (5, 0, 0)");
  EXPECT_FAULT(misaligned_vector(in.get(), out.get()), "misaligned access of 16 bytes");
  EXPECT_FAULT(misaligned_async(in.get(), out.get()), "cp.async of 16 bytes from or to a misaligned address");
}

TEST(Simt, RejectsLaunchesThatNoDeviceTakes) {
  const Device out(std::vector<float>(64));
  EXPECT_FAULT(too_much_shared_memory(out.get()), "167936 bytes of shared memory, the limit is 166912");
  EXPECT_FAULT(too_much_with_static(out.get()), "167168 bytes of shared memory, the limit is 166912");
  EXPECT_FAULT(too_many_threads(out.get()), "block (1025, 1, 1) is not valid");
}

TEST(Simt, CatchesCollectivesThatCannotComplete) {
  const Device out(std::vector<float>(64));
  EXPECT_FAULT(shuffle_missing_lane(out.get()), "__shfl_xor_sync");
  EXPECT_FAULT(shuffle_missing_lane(out.get()), "exited");
  EXPECT_FAULT(shuffle_lane_never_comes(out.get()), "deadlock");
  EXPECT_FAULT(shuffle_lane_never_comes(out.get()), "1 threads wait in __syncthreads");
  EXPECT_FAULT(divergent_barrier(out.get()), "divergent barrier");
  EXPECT_FAULT(reduce_missing_lane(out.get()), "__reduce_add_sync");
  EXPECT_FAULT(reduce_missing_lane(out.get()), "mask 0xffffffff names lanes that have exited or do not exist: 30 31");
  EXPECT_FAULT(mma_missing_lane(out.get()), "31 threads wait in mma.sync");
  EXPECT_FAULT(mask_without_caller(out.get()), "mask 0x0000ffff does not name the calling lane");
  EXPECT_FAULT(different_collectives(out.get()), "meets lane 0 in __reduce_add_sync");
}

TEST(Simt, CatchesResultsThatDependOnTheOrderOfBlocks) {
  const Device out(std::vector<float>(1));
  simt::options().workers = 1;
  EXPECT_FAULT(last_writer_wins(out.get()), "depends on the order of threads");
  simt::options().workers = 0;
}

TEST(Simt, CatchesResultsThatDependOnTheOrderOfThreads) {
  const Device out(std::vector<float>(1));
  EXPECT_FAULT(last_thread_wins(out.get()), "depends on the order of threads");
  EXPECT_FAULT(float_atomics(out.get()), "depends on the order of threads");
}

TEST(Simt, CatchesAsyncDataReadBeforeItsWait) {
  const Device in(ramp(128)), out(std::vector<float>(32));
  EXPECT_FAULT(async_without_wait(in.get(), out.get()), "while cp.async fills it");
  EXPECT_FAULT(async_never_waited(in.get(), out.get()), "exited with cp.async copies that no wait has completed");
  EXPECT_FAULT(async_without_barrier(in.get(), out.get()), "reads shared byte 16 that nothing wrote");
}

TEST(Simt, RunsAgainAfterAFault) {
  const Device in(ramp(64)), out(std::vector<float>(64));
  EXPECT_FAULT(reverse_without_barrier(in.get(), out.get(), 64), "shared byte");
  reverse_in_shared(in.get(), out.get(), 64);
  EXPECT_EQ(out.host()[0], 63);
}

simt::Counts counts_of(const std::function<void()>& f) {
  simt::options().count = true;
  simt::records().clear();
  f();
  simt::options().count = false;
  return simt::records().at(0).counts;
}

TEST(Simt, CountsBankConflicts) {
  const Device out(std::vector<float>(32));
  for (const int stride : {1, 2, 4, 32, 33}) {
    const simt::Counts c = counts_of([&] { strided_shared(out.get(), stride); });
    const uint64_t stores = static_cast<uint64_t>(stride);  // 32 stride words, one conflict-free store each
    const uint64_t ways = stride == 33 ? 1 : static_cast<uint64_t>(stride);
    EXPECT_EQ(c.shared_accesses, stores + 1);
    EXPECT_EQ(c.shared_wavefronts, stores + ways) << "stride " << stride;
  }
}

TEST(Simt, CountsSectorsAndBytes) {
  const Device in(ramp(32 * 8)), out(std::vector<float>(32));
  for (const int stride : {1, 2, 8}) {
    const simt::Counts c = counts_of([&] { copy_strided(in.get(), out.get(), 32, stride); });
    EXPECT_EQ(c.global_load_bytes, 128u);
    EXPECT_EQ(c.global_load_sectors, static_cast<uint64_t>(4 * stride));
    EXPECT_EQ(c.global_store_sectors, 4u);
  }
}

TEST(Simt, CountsAtomicsByInstruction) {
  const Device out(std::vector<int>(1));
  const simt::Counts c = counts_of([&] { divergent_atomics(out.get()); });
  EXPECT_EQ(c.atomics, 32u);
  EXPECT_EQ(c.shared_accesses, 2u);  // the store of zero, and the atomics
  EXPECT_EQ(c.global_store_bytes, 64u);
  EXPECT_EQ(c.global_store_sectors, 1u);
}

// 16 lanes load 16 bytes each; 32 lanes store 16 bytes to shared memory, in four passes, and read one word of 16 bytes.
TEST(Simt, CountsAsyncCopies) {
  const Device in(ramp(64)), out(std::vector<float>(32));
  const simt::Counts c = counts_of([&] { async_zero_fill(in.get(), out.get()); });
  EXPECT_EQ(out.host()[15], 60);
  EXPECT_EQ(out.host()[16], 0);
  EXPECT_EQ(c.global_load_bytes, 256u);
  EXPECT_EQ(c.global_load_sectors, 8u);
  EXPECT_EQ(c.async_bytes, 256u);
  EXPECT_EQ(c.shared_accesses, 2u);
  EXPECT_EQ(c.shared_ideal, 4u + 1);
  EXPECT_EQ(c.shared_wavefronts, 4u + 4);
}

TEST(Simt, ReleaseRejectsForeignPointers) {
  float x = 0;
  EXPECT_FAULT(simt::release(&x), "not an allocation");
}

}  // namespace
}  // namespace kith::simt_test
