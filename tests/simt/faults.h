// Kernels that are wrong on purpose (faults.cu, atomics.cu), and a few that are right: what the runner must catch and
// must let pass.
#pragma once
#include <cstdint>

namespace kith::simt_test {

// in, out: device memory. Each launches one kernel.
void reverse_in_shared(const float* in, float* out, int n);        // right: out = in reversed, per block of 64
void reverse_without_barrier(const float* in, float* out, int n);  // a race
void read_unwritten_shared(float* out);
void write_after_read(float* out);                       // the second barrier of a loop is missing
void out_of_bounds(const float* in, float* out, int n);  // reads in[n]
void misaligned_vector(const float* in, float* out);     // thread 5 loads a float4 from in + 21
void misaligned_async(const float* in, float* out);      // cp.async of 16 bytes from in + 1
void past_shared_memory(float* out);                     // thread 8 stores behind 8 words of dynamic shared memory
void too_much_shared_memory(float* out);                 // 164 KiB
void too_much_with_static(float* out);                   // 163 KiB, and a static array
void too_many_threads(float* out);                       // 1,025
void shuffle_missing_lane(float* out);                   // mask names lanes that have exited
void reduce_missing_lane(float* out);                    // a block of 30 threads, a mask of 32
void mma_missing_lane(float* out);                       // lane 31 skips an mma.sync
void mask_without_caller(float* out);                    // a lane votes under a mask of other lanes
void different_collectives(float* out);                  // lane 0 in __reduce_add_sync, the others in __ballot_sync
void shuffle_lane_never_comes(float* out);               // lane 3 goes to the block barrier instead
void divergent_barrier(float* out);
void last_writer_wins(float* out);  // global: depends on the order of blocks
void last_thread_wins(float* out);  // global: depends on the order of threads
void float_atomics(float* out);     // sums of many magnitudes: depends on the order
void async_without_wait(const float* in, float* out);
void async_without_barrier(const float* in, float* out);  // each thread waits for its own copies only
void async_never_waited(const float* in, float* out);
void async_right(const float* in, float* out);
void async_zero_fill(const float* in, float* out);  // right: lanes from 16 on copy nothing, zeros arrive
void warp_sum(const float* in, float* out);         // right: xor-shuffle sum of 32
void histogram(const int* in, int n, int* out);     // right: shared and global integer atomics
void atomics_without_barrier(int* out,
                             int missing);  // counts in shared memory; which of its two barriers is missing (0: none)
void atomics_on_unwritten(int* out);
void warp_atomics(int* out);  // right: the lanes of a warp count, meet in __syncwarp and read
void spin_forever(int* out);  // waits for a number that nobody writes
void read_released(int* gone, int* out);
void divergent_atomics(int* out);                  // right: half a warp adds to shared memory, half to out
void tickets(const float* in, float* out, int n);  // right: the last of n blocks adds what all wrote, in their order
// The same step by step, right where nothing is left out and `early` is 0. The ticket is device memory.
enum class HandOver : uint8_t { nothing, writers_fence, barrier, readers_fence };
void hand_over(const float* in, float* out, unsigned* ticket, int n, HandOver without, unsigned early);
void strided_shared(float* out, int stride);                        // bank conflicts: 32 lanes, word lane * stride
void copy_strided(const float* in, float* out, int n, int stride);  // sectors

}  // namespace kith::simt_test
