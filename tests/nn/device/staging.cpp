// Who may touch a slot when: the calls of a streamed stage on an accelerator that knows what happens before what. No run on
// a machine, however long, would find a missing wait as surely.
#include "nn/device/staging.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "nn/tensor/buffer.h"
#include "tests/nn/device/ordered_accelerator.h"

namespace kith::test {
namespace {

constexpr int64_t kBytes = 1000, kBatches = 7;
using Conflicts = std::vector<std::string>;

bool has(const Conflicts& conflicts, const char* what) { return std::ranges::find(conflicts, what) != conflicts.end(); }

// Steps that read what a filling thread gathers, in the calls of ImageStream: batch n is filled once batch n - kSlots was
// brought. The block on the device was another's before, and is another's afterwards. `step` is a step's other work.
using Work = std::function<void(OrderedAccelerator&, int64_t n)>;
Conflicts conflicts_of_a_stage(
    Wait deaf, const Work& step = [](OrderedAccelerator&, int64_t) {}) {
  const auto accelerator = std::make_shared<OrderedAccelerator>();
  OrderedAccelerator& a = *accelerator;
  a.deaf = deaf;
  const int64_t slot = Staging::slot_bytes(kBytes);
  auto block =
      std::make_shared<Buffer>(std::make_shared<Pool>(accelerator), static_cast<size_t>(Staging::kSlots * slot));
  const std::span whole(static_cast<const std::byte*>(block->data()), block->capacity());
  a.touch(Actor::compute, whole, Access::write);
  {
    Staging staging(a, block, slot);
    const auto fill = [&](int64_t n) {
      a.hand_over(Actor::loop, Actor::filler);
      a.thread = Actor::filler;
      a.touch(Actor::filler, {staging.fill(n), kBytes}, Access::write);
      a.thread = Actor::loop;
    };
    for (int64_t n = 0; n < Staging::kSlots; ++n) fill(n);
    for (int64_t n = 0; n < kBatches; ++n) {
      a.hand_over(Actor::filler, Actor::loop);  // the loop waits until the batch is filled
      staging.bring(n, kBytes);
      a.touch(Actor::compute, {staging.data() + staging.offset(n), kBytes}, Access::read);
      step(a, n);
      staging.used(n);
      if (n + Staging::kSlots < kBatches) fill(n + Staging::kSlots);
    }
  }
  a.touch(Actor::compute, whole, Access::write);
  return a.conflicts;
}

TEST(Staging, NothingTouchesASlotThatAnotherUses) { EXPECT_EQ(conflicts_of_a_stage(Wait::none), Conflicts{}); }

TEST(Staging, EveryWaitIsNeeded) {
  EXPECT_TRUE(has(conflicts_of_a_stage(Wait::compute_for_event), "copy then compute"));
  EXPECT_TRUE(has(conflicts_of_a_stage(Wait::copy_for_event), "compute then copy"));
  EXPECT_TRUE(has(conflicts_of_a_stage(Wait::host_for_event), "copy then filler"));
  EXPECT_TRUE(has(conflicts_of_a_stage(Wait::host_for_event), "copy then loop"));  // memory that is given back
}

// A wait too many would cost the overlap. A byte that a step touches, and another actor once it has turned to the next
// batch, says that nothing orders the two.
TEST(Staging, CopiesAndGathersRunBesideTheStepBefore) {
  for (const Actor beside : {Actor::copy, Actor::filler, Actor::loop}) {
    std::array<std::byte, kBatches> bytes;
    const Conflicts conflicts = conflicts_of_a_stage(Wait::none, [&](OrderedAccelerator& a, int64_t n) {
      a.touch(Actor::compute, {&bytes[static_cast<size_t>(n)], 1}, Access::write);
      if (n > 0) a.touch(beside, {&bytes[static_cast<size_t>(n - 1)], 1}, Access::write);
    });
    EXPECT_EQ(conflicts, Conflicts(kBatches - 1, std::string("compute then ") + kActors[static_cast<size_t>(beside)]));
  }
}

}  // namespace
}  // namespace kith::test
