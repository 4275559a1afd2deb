// Kernels for compute capability 9.0 (hopper.cu, hopper_rings.cu): right ones, and the same with one thing wrong.
#pragma once
#include <cstdint>

namespace kith::simt_test {

enum class Layout { none, bytes32, bytes64, bytes128 };  // of a tile's rows in shared memory

// out [8][span / 2] = the box of in [rows][columns] at (row, column), by a tensor copy and back in order.
void copy_box(const uint16_t* in, int rows, int columns, int row, int column, Layout layout, uint16_t* out);

enum class Wrong {
  nothing,
  no_wgmma_fence,        // none at all
  touched_accumulators,  // written between wgmma.fence and wgmma
  operand_overwritten,   // A's registers, between wgmma and its wait
  no_fence_of_barrier,   // fence.proxy.async after mbarrier.init
  unwaited_copy,         // products start without a wait for the copies
  other_parity,          // the wait is for the phase before
  layout_of_descriptor,  // a swizzle that is not the tensor map's
  start_of_descriptor,   // one row into the tile
  read_before_wait,      // accumulators, no wgmma.wait_group
  never_waited,          // the kernel ends before its products
  expects_too_much,      // more bytes than the copies bring
  expects_too_little,    // fewer
  unfenced_store,        // threads write an operand, no fence.proxy.async
  one_warp_less,         // takes part in the product, and has ended before the others come to it
  last_warp_less,        // the same, and ends while they wait
  thread_of_its_own,     // names another operand than the others
  written_before_copy,   // memory that a copy fills, no fence.proxy.async between
  ends_before_copies
};
// d [64][64] = a [64][64] b [64][64] transposed, of bf16 or fp16 bits, in steps of 16 along K. With A in registers where asked;
// then also, of bf16 in 128-byte rows, with b not transposed.
struct ProductOf {
  const uint16_t *a, *b;
  float* d;
  Layout layout = Layout::bytes128;
  bool fp16 = false, registers = false, across = false;
  Wrong wrong = Wrong::nothing;
};
void product_of_warpgroup(const ProductOf&);

enum class RingFault {
  nothing,
  polls,               // right: test_wait instead of try_wait
  never_released,      // consumers do not arrive: the producer waits for ever
  not_awaited,         // the producer waits for its own copies only, not for the consumers
  released_too_early,  // consumers arrive before wgmma.wait_group
  phase_not_flipped,   // consumers wait for the same parity in every round
  one_arrival_missing  // the barrier expects one more warp than there is
};
// d [64][64] = sum over t of a_t [64][64] b_t [64][64] transposed, of bf16 bits; tiles stand one behind the other. A warpgroup
// multiplies what one thread of another copies, through a ring of two stages.
void product_by_ring(const uint16_t* a, const uint16_t* b, float* d, int tiles, RingFault fault);

enum class Handing {
  nothing,
  no_wait,
  no_arrival,
  extra_arrival,
  reused,  // the writer waits for its own arrivals only, not for the reader's
  made_twice,
  not_made,
  barrier_as_data
};
// out[i] = 2 in[i], i < 32: one warp writes to shared memory, another reads past an mbarrier; twice, through the same memory.
void hand_over_by_mbarrier(const float* in, float* out, Handing wrong);

// setmaxnreg in a block of two warpgroups that began with `begun` registers a thread: one gives back down to `fewer`, the other
// takes up to `more`.
void move_registers(float* out, int which);  // 0: 40 and 104 of 72; 1: 40 and 112; 2: one takes less than it has

}  // namespace kith::simt_test
