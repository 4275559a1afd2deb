// What kernels for compute capability 9.0 use: layouts as hardware has them, and every way to use them wrongly is caught.
#include "tests/simt/hopper.h"

#include <bit>
#include <cmath>

#include "tests/simt/expect_fault.h"
#include "tests/simt/runner/device.h"
#include "tests/simt/runner/hopper.h"
#include "tests/support/compare.h"

namespace kith::simt_test {
namespace {

using test::Seed;

class SimtHopper : public testing::Test {
 protected:
  void SetUp() override { simt::describe(simt::kH100); }
  void TearDown() override { simt::describe(simt::kA100); }
};

constexpr int kSide = 64;

// Small whole numbers, exact in both formats; so are their sums.
float whole(size_t i) { return static_cast<float>(static_cast<int>(i * 7919 % 17) - 8); }
std::vector<uint16_t> bits(size_t count, bool fp16, size_t first) {
  std::vector<uint16_t> out(count);
  for (size_t i = 0; i < count; ++i)
    out[i] = fp16 ? std::bit_cast<uint16_t>(static_cast<_Float16>(whole(first + i)))
                  : static_cast<uint16_t>(std::bit_cast<uint32_t>(whole(first + i)) >> 16);
  return out;
}
std::vector<float> expected(int tiles) {
  std::vector<float> d(kSide * kSide);
  for (int t = 0; t < tiles; ++t)
    for (int i = 0; i < kSide; ++i)
      for (int j = 0; j < kSide; ++j)
        for (int k = 0; k < kSide; ++k)
          d[i * kSide + j] += whole((t * kSide + i) * kSide + k) * whole(5 + (t * kSide + j) * kSide + k);
  return d;
}

// Boxes within the matrix, and across each of its four sides: zeros there.
TEST_F(SimtHopper, CopiesOfBoxes) {
  constexpr int kRows = 20, kColumns = 72;
  std::vector<uint16_t> in(kRows * kColumns);
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<uint16_t>(i + 1);
  const Device device_in(in);
  for (const Layout layout : {Layout::none, Layout::bytes32, Layout::bytes64, Layout::bytes128}) {
    const int width = layout == Layout::none ? 8 : 8 << static_cast<int>(layout);
    for (const auto& [row, column] :
         {std::pair{0, 0}, {3, 5}, {-3, 0}, {15, 8}, {0, -9}, {2, 40}, {17, 70}, {30, 90}}) {
      const Device out(std::vector<uint16_t>(static_cast<size_t>(8 * width)));
      copy_box(device_in.get(), kRows, kColumns, row, column, layout, out.get());
      for (int r = 0; r < 8; ++r)
        for (int c = 0; c < width; ++c) {
          const int i = row + r, j = column + c;
          const int want = i >= 0 && i < kRows && j >= 0 && j < kColumns ? i * kColumns + j + 1 : 0;
          ASSERT_EQ(out.host()[r * width + c], want) << "layout " << static_cast<int>(layout) << " " << i << " " << j;
        }
    }
  }
}

TEST_F(SimtHopper, MapsThatTheDriverRefuses) {
  const simt::TensorMap right{.address = 4096,
                              .extents = {64, 10},
                              .strides = {128},
                              .box = {64, 8},
                              .rank = 2,
                              .element_bytes = 2,
                              .swizzle = simt::Swizzle::bytes128};
  EXPECT_EQ(simt::map_refused(right), "");
  const auto why = [&](auto change) {
    simt::TensorMap m = right;
    change(m);
    return simt::map_refused(m);
  };
  EXPECT_EQ(why([](auto& m) { m.rank = 6; }), "a tensor of rank 6");
  EXPECT_EQ(why([](auto& m) { m.address = 4104; }), "an address that is not on 16 bytes");
  EXPECT_EQ(why([](auto& m) { m.extents[1] = 0; }), "0 elements");
  EXPECT_EQ(why([](auto& m) { m.box[1] = 257; }), "a box of 257 elements");
  EXPECT_EQ(why([](auto& m) { m.strides[0] = 120; }), "a stride of 120 bytes");
  EXPECT_EQ(why([](auto& m) { m.box[0] = 4; }), "rows of 8 bytes in shared memory, no multiple of 16");
  EXPECT_EQ(why([](auto& m) { m.swizzle = simt::Swizzle::bytes64; }), "rows of 128 bytes with a swizzle of 64");
}

struct Problem {
  explicit Problem(bool fp16 = false, int tiles = 1)
      : a(bits(static_cast<size_t>(tiles) * kSide * kSide, fp16, 0)),
        b(bits(static_cast<size_t>(tiles) * kSide * kSide, fp16, 5)),
        d(std::vector<float>(kSide * kSide, NAN)) {}
  Device<uint16_t> a, b;
  Device<float> d;
};

TEST_F(SimtHopper, ProductsInEveryLayout) {
  for (const Layout layout : {Layout::none, Layout::bytes32, Layout::bytes64, Layout::bytes128})
    for (const bool fp16 : {false, true})
      for (const bool registers : {false, true}) {
        const Problem p(fp16);
        product_of_warpgroup(
            {.a = p.a.get(), .b = p.b.get(), .d = p.d.get(), .layout = layout, .fp16 = fp16, .registers = registers});
        EXPECT_EQ(p.d.host(), expected(1)) << static_cast<int>(layout) << fp16 << registers;
      }
}

TEST_F(SimtHopper, ProductsAcrossRowsOfB) {
  const Problem p;
  const std::vector<uint16_t> b = p.b.host();
  std::vector<uint16_t> transposed(b.size());
  for (size_t k = 0; k < kSide; ++k)
    for (size_t n = 0; n < kSide; ++n) transposed[k * kSide + n] = b[n * kSide + k];
  const Device<uint16_t> across(transposed);
  const auto run = [&](Wrong wrong) {
    product_of_warpgroup(
        {.a = p.a.get(), .b = across.get(), .d = p.d.get(), .registers = true, .across = true, .wrong = wrong});
  };
  run(Wrong::nothing);
  EXPECT_EQ(p.d.host(), expected(1));
  EXPECT_FAULT(run(Wrong::start_of_descriptor), "a start 128 bytes into a pattern of 1024, with N innermost");
}

TEST_F(SimtHopper, CatchesWrongProducts) {
  const Problem p;
  const auto run = [&](Wrong wrong, bool registers = false) {
    product_of_warpgroup({.a = p.a.get(), .b = p.b.get(), .d = p.d.get(), .registers = registers, .wrong = wrong});
  };
  EXPECT_FAULT(run(Wrong::no_wgmma_fence), "wgmma with no wgmma.fence before it");
  EXPECT_FAULT(run(Wrong::touched_accumulators), "accumulators that were touched since the last wgmma.fence");
  EXPECT_FAULT(run(Wrong::operand_overwritten, true), "overwrites registers that a product under way reads");
  EXPECT_FAULT(run(Wrong::read_before_wait), "touches accumulators of a product under way");
  EXPECT_FAULT(run(Wrong::never_waited), "exited with products of its warpgroup that no wgmma.wait_group");
  EXPECT_FAULT(run(Wrong::layout_of_descriptor),
               "by a layout of 64-byte rows that a tensor copy wrote by one of 128-byte rows");
  EXPECT_FAULT(run(Wrong::start_of_descriptor), "a start 128 bytes into a pattern of 1024: past its first row");
  EXPECT_FAULT(run(Wrong::unfenced_store), "wrote with no fence.proxy.async between");
  EXPECT_FAULT(run(Wrong::one_warp_less), "wgmma.mma_async, but thread 0 of the warpgroup has exited");
  EXPECT_FAULT(run(Wrong::last_warp_less), "exited while thread 0 waits for its warpgroup in wgmma.mma_async");
  EXPECT_FAULT(run(Wrong::thread_of_its_own), "operands are not the same in all threads of the warpgroup");
  run(Wrong::nothing);
  EXPECT_EQ(p.d.host(), expected(1));
}

TEST_F(SimtHopper, CatchesWrongWaitsForCopies) {
  const Problem p;
  const auto run = [&](Wrong wrong) {
    product_of_warpgroup({.a = p.a.get(), .b = p.b.get(), .d = p.d.get(), .wrong = wrong});
  };
  EXPECT_FAULT(run(Wrong::no_fence_of_barrier), "an mbarrier with no fence.proxy.async since its initialisation");
  EXPECT_FAULT(run(Wrong::unwaited_copy), "a product reads shared byte");
  EXPECT_FAULT(run(Wrong::written_before_copy), "that thread 0 wrote with no fence.proxy.async between");
  EXPECT_FAULT(run(Wrong::ends_before_copies), "ends with 2 tensor copies under way");
  EXPECT_NE(fault_of([&] { run(Wrong::other_parity); }), "");  // passes too early, or never
  EXPECT_FAULT(run(Wrong::expects_too_much), "deadlock");
  EXPECT_FAULT(run(Wrong::expects_too_much), "phase 0, 0 of 1 arrivals missing, 16 bytes expected that have not come");
  EXPECT_NE(fault_of([&] { run(Wrong::expects_too_little); }), "");
}

TEST_F(SimtHopper, OtherDevicesHaveNone) {
  simt::describe(simt::kA100);
  const Problem p;
  EXPECT_FAULT(product_of_warpgroup({.a = p.a.get(), .b = p.b.get(), .d = p.d.get()}), "on a device of sm_80");
}

TEST_F(SimtHopper, ProducerAndConsumers) {
  for (const auto& [tiles, right] :
       {std::pair{1, RingFault::nothing}, {5, RingFault::nothing}, {3, RingFault::polls}}) {
    const Problem p(false, tiles);
    product_by_ring(p.a.get(), p.b.get(), p.d.get(), tiles, right);
    EXPECT_EQ(p.d.host(), expected(tiles)) << tiles;
  }
}

TEST_F(SimtHopper, CatchesWrongRings) {
  const Problem p(false, 5);
  const auto run = [&](RingFault fault) { product_by_ring(p.a.get(), p.b.get(), p.d.get(), 5, fault); };
  EXPECT_FAULT(run(RingFault::never_released), "deadlock");
  EXPECT_FAULT(run(RingFault::never_released), "4 of 4 arrivals missing");
  EXPECT_FAULT(run(RingFault::one_arrival_missing), "1 of 5 arrivals missing");
  EXPECT_FAULT(run(RingFault::not_awaited), "a tensor copy overwrites shared byte");
  EXPECT_FAULT(run(RingFault::released_too_early), "that a product of warpgroup 0 may still read");
  EXPECT_NE(fault_of([&] { run(RingFault::phase_not_flipped); }), "");
}

TEST_F(SimtHopper, MbarriersOrderWhatThreadsWrite) {
  std::vector<float> in(32), want(32);
  for (size_t i = 0; i < 32; ++i) in[i] = static_cast<float>(i), want[i] = 2 * in[i];
  const Device device_in(in), out(std::vector<float>(32));
  const auto run = [&](Handing wrong) { hand_over_by_mbarrier(device_in.get(), out.get(), wrong); };
  run(Handing::nothing);
  EXPECT_EQ(out.host(), want);
  EXPECT_FAULT(run(Handing::no_wait), "shared byte");
  EXPECT_FAULT(run(Handing::no_arrival), "32 threads wait in mbarrier.try_wait (parity 0) of the mbarrier at static");
  EXPECT_NE(fault_of([&] { run(Handing::extra_arrival); }), "");
  EXPECT_FAULT(run(Handing::reused), "data race: ");
  EXPECT_FAULT(run(Handing::made_twice), "mbarrier.init of one that is initialised");
  EXPECT_FAULT(run(Handing::not_made), "where no mbarrier was initialised");
  EXPECT_FAULT(run(Handing::barrier_as_data), "which belongs to an mbarrier");
}

TEST_F(SimtHopper, RegistersMoveBetweenWarpgroups) {
  const Device out(std::vector<float>(1));
  simt::options().registers["move_registers"] = 72;
  move_registers(out.get(), 0);
  EXPECT_EQ(out.host()[0], 1.f);
  EXPECT_FAULT(move_registers(out.get(), 1), "128 threads wait in setmaxnreg.inc");
  EXPECT_FAULT(move_registers(out.get(), 2), "setmaxnreg.inc to 64 registers from 72");
  simt::options().registers.clear();
}

// A copy's wavefronts fill 128 bytes each. A product of 16 along K reads 64 rows of both operands, 2 KiB each: by the swizzle of
// 128 bytes 16 wavefronts an operand and no bank twice. The barrier's initialisation is a store.
TEST_F(SimtHopper, CountsCopiesAndProducts) {
  const Problem p;
  simt::options().count = true;
  simt::records().clear();
  product_of_warpgroup({.a = p.a.get(), .b = p.b.get(), .d = p.d.get()});
  simt::options().count = false;
  const simt::Counts c = simt::records().at(0).counts;
  EXPECT_EQ(c.tensor_bytes, 2u * kSide * kSide * 2);
  EXPECT_EQ(c.global_load_bytes, c.tensor_bytes);
  EXPECT_EQ(c.global_load_sectors, c.tensor_bytes / 32);
  EXPECT_EQ(c.wgmma, 4u);
  EXPECT_EQ(c.mma, 0u);
  EXPECT_EQ(c.wgmma_flops, 2u * kSide * kSide * kSide);
  EXPECT_EQ(c.shared_wavefronts, c.tensor_bytes / 128 + 4 * 2 * 16 + 1);
  EXPECT_EQ(c.shared_ideal, c.shared_wavefronts);
}

}  // namespace
}  // namespace kith::simt_test
