// Kernels that are wrong on purpose (faults.cu), and a few that are right: what the runner must catch and must let
// pass.
#pragma once
#include <cstdint>

namespace kith::simt_test {

// in, out: device memory. Each launches one kernel.
void reverse_in_shared(const float* in, float* out, int n);        // right: out = in reversed, per block of 64
void reverse_without_barrier(const float* in, float* out, int n);  // a race
void read_unwritten_shared(float* out);
void write_after_read(float* out);                       // the second barrier of a loop is missing
void out_of_bounds(const float* in, float* out, int n);  // reads in[n]
void misaligned_vector(const float* in, float* out);     // float4 at in + 1
void shuffle_missing_lane(float* out);                   // mask names lanes that have exited
void shuffle_lane_never_comes(float* out);               // lane 3 goes to the block barrier instead
void divergent_barrier(float* out);
void last_writer_wins(float* out);  // global: depends on the order of blocks
void async_without_wait(const float* in, float* out);
void async_right(const float* in, float* out);
void async_zero_fill(const float* in, float* out);  // right: lanes from 16 on copy nothing, zeros arrive
void warp_sum(const float* in, float* out);                         // right: xor-shuffle sum of 32
void histogram(const int* in, int n, int* out);                     // right: shared and global integer atomics
void strided_shared(float* out, int stride);                        // bank conflicts: 32 lanes, word lane * stride
void copy_strided(const float* in, float* out, int n, int stride);  // sectors

}  // namespace kith::simt_test
