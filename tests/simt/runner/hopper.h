// What kernels for compute capability 9.0 use, under the runner: mbarriers, tensor copies (TMA), products of a warpgroup
// (wgmma), registers moved between warpgroups, clusters; and named barriers. The device described must be one of 9.0 (runtime.h).
//
// Faults, beside those of runtime.h: what a copy or a product under way still reads or writes is touched; a copy, or a product's
// operands, are not ordered behind what wrote or read the memory before; what threads wrote reaches copies or products
// without fence.proxy.async; accumulators or operands in registers are touched before the wait, or were since the last
// wgmma.fence; a layout that does not fit; bytes of a copy that no barrier expected.
#pragma once
#include <array>
#include <cstdint>
#include <string>

#include "tests/simt/runner/runtime.h"

namespace simt {

// ---- mbarriers: 8 bytes of shared memory ----
constexpr unsigned kMostArrivals = (1u << 20) - 1;
void mbarrier_init(void* at, unsigned arrivals);
void mbarrier_inval(void* at);
void mbarrier_arrive(void* at);
void mbarrier_arrive_expect(void* at, unsigned bytes);
void mbarrier_arrive_at(void* at, unsigned rank);  // the one at the same place in that block of the cluster
// Whether the phase of that parity is complete: test_wait, and try_wait, which waits, and then says no, as after a time-out.
bool mbarrier_test(void* at, unsigned parity, Where where);
bool mbarrier_try(void* at, unsigned parity, Where where);
void mbarrier_acquire_cluster(void* at);  // behind a wait: what other blocks' threads did before is seen too
void proxy_fence();                       // fence.proxy.async

// ---- tensor copies ----
enum class Swizzle : uint8_t { none, bytes32, bytes64, bytes128 };
constexpr unsigned span_of(Swizzle s) { return s == Swizzle::none ? 16 : 16u << static_cast<unsigned>(s); }
// Where the byte at an address of shared memory lies: bits 4 to 6 are mixed with the number of the 128-byte row.
constexpr uintptr_t swizzled(uintptr_t a, Swizzle s) { return a ^ (a >> 7 & (span_of(s) / 16 - 1)) << 4; }

struct TensorMap {
  uint64_t address;
  std::array<uint64_t, 5> extents;  // in elements, innermost first
  std::array<uint64_t, 4> strides;  // in bytes, of all but the innermost
  std::array<uint32_t, 5> box;
  uint8_t rank, element_bytes;
  Swizzle swizzle;
};
// Why the driver would not encode it; empty where it would.
std::string map_refused(const TensorMap&);
// The box at (x, y), from global to shared memory: zeros where it is outside the tensor. Completes its bytes on the barrier.
void tensor_copy(void* shared, const TensorMap&, int x, int y, void* barrier);
// Multicast: to the same place, and barrier, in each block of the cluster whose bit is set.
void tensor_copy_to(void* shared, const TensorMap&, int x, int y, void* barrier, uint16_t blocks);

// ---- clusters: blocks that follow each other along x ----
void launch_clusters(const Kernel&, unsigned cluster, Extent grid, Extent block, size_t dynamic_shared);
unsigned cluster_rank();
unsigned cluster_blocks();
void cluster_arrive(Where where);             // release,
void cluster_wait(Where where);               // acquire
void* of_block(void* shared, unsigned rank);  // mapa

// bar.sync (waits) and bar.arrive of one of the barriers 1 to 15 of a block.
void named_barrier(unsigned id, unsigned threads, bool waits, Where where);

// ---- products of a warpgroup ----
uint32_t shared_address(const void*);  // of dynamic shared memory, in its window
void warpgroup_fence();                // wgmma.fence
// d [64][n] += a [64][16] b [n][16], of 16-bit elements.
using Product = void (*)(unsigned n, const uint16_t* a, const uint16_t* b, float* d);
enum class Inner : uint8_t { k, n };  // of the two sides of an operand, the one along which elements are neighbours
struct Wgmma {
  float* d;  // n / 2 accumulators of this thread
  unsigned n;
  const uint32_t* a_registers;  // or null: a is a descriptor
  uint64_t a, b;
  Inner of_b;
  bool add;  // else d = a b
  Product product;
};
void wgmma(const Wgmma&, Where where);
void wgmma_commit();
void wgmma_wait(unsigned groups_left);

void set_registers(unsigned count, bool more, Where where);  // setmaxnreg.inc and .dec

}  // namespace simt
