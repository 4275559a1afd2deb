// The SIMT runner: executes CUDA kernels, compiled by the host compiler from the same .cu files, on the CPU.
//
// Every thread of a block is a fiber; the blocks of a grid are spread over the cores. Between two barriers the threads
// run one after another, in an order drawn from a seed, so nothing is ever accidentally in lockstep. Collectives
// (barriers, shuffles, votes, mma) suspend a thread until every thread they need has arrived. Every load and store of a
// kernel reaches the runner through the compiler's thread-sanitizer hooks (memory.cpp), so kernels need no annotations.
//
// A fault ends the launch with Fault: kernel, block, thread, what happened. Faults are
//   - shared memory read before it was written (it also starts as NaN), data of cp.async touched before its wait;
//   - two threads touching one shared byte, one of them writing, with no barrier between (a data race);
//   - a result that depends on the order of threads or blocks (each launch is repeated in other orders and compared);
//   - a read of what another block of the launch wrote and did not hand over by fence and atomic (residents.h);
//   - a collective that a lane of its mask misses or has exited; barriers of different source lines meeting; deadlock;
//   - an access outside every registered buffer, a misaligned access.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <source_location>
#include <stdexcept>
#include <string>
#include <vector>

namespace simt {

struct Fault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The device that the runner stands for: kernels cut their work as they would there.
struct Described {
  int sm, multiprocessors;
  size_t block_shared, shared;  // bytes of shared memory that a block can have, and of a multiprocessor
};
inline constexpr Described kA100{80, 108, 163 << 10, 164 << 10}, kH100{90, 132, 227 << 10, 228 << 10};
inline constexpr int kMultiprocessors = kA100.multiprocessors;

struct Extent {
  unsigned x = 1, y = 1, z = 1;
  uint64_t count() const { return uint64_t{x} * y * z; }
};

// What one launch did, summed over its blocks. Per-warp figures group the lanes' accesses by instruction, as a GPU
// does.
struct Counts {
  uint64_t global_load_bytes = 0, global_store_bytes = 0;      // requested by threads
  uint64_t global_load_sectors = 0, global_store_sectors = 0;  // distinct 32-byte sectors per warp instruction
  uint64_t shared_accesses = 0;                                // warp instructions
  uint64_t shared_wavefronts = 0;                              // passes over the 32 banks they took
  uint64_t shared_ideal = 0;                                   // passes they would have taken without conflicts
  uint64_t block_barriers = 0, warp_barriers = 0, collectives = 0;
  uint64_t mma = 0, mma_flops = 0;      // matrix instructions of warps, and what they compute
  uint64_t wgmma = 0, wgmma_flops = 0;  // those of warpgroups
  uint64_t special = 0;                 // exponentials, logarithms, erfc and reciprocal roots, by threads
  uint64_t async_bytes = 0;             // loaded by cp.async; its loads and stores are counted above like any other
  uint64_t tensor_bytes = 0;            // that tensor copies loaded; counted above too, in wavefronts of 128 bytes
  uint64_t atomics = 0;                 // by threads
  uint64_t global_atomics = 0;          // of them, where blocks meet
  uint64_t static_shared = 0;  // bytes of static shared memory that a block wrote, the most of all (needs races)
  void add(const Counts&);
};

struct LaunchRecord {
  std::string kernel;
  Extent grid, block;
  size_t dynamic_shared = 0;  // bytes per block
  Counts counts;
};

struct Options {
  int orders = 2;  // times each launch runs, each in another order; results must agree bit for bit
  // Times it then runs with its blocks interleaved (residents.h), where they meet in atomics on global memory.
  int interleavings = 1;
  uint64_t seed = 1;
  bool count = false;       // fill Counts (slower)
  bool races = true;        // track shared-memory accesses
  bool host_guard = false;  // buffers allocated from now on cannot be touched by the host (arena.h)
  bool ranges = false;      // keep range_log()
  int workers = 0;          // threads of the runner; 0: all cores
  // Accesses that a thread may make between two barriers or collectives. Threads take turns there only, so a spin on what
  // another thread will write never ends.
  uint64_t patience = uint64_t{1} << 28;
  size_t stack_bytes = 256 << 10;
  size_t memory_limit = 0;  // bytes of device memory beyond which allocations in the order of a stream fail; 0: 8 GiB
  std::map<std::string, int>
      registers;             // per thread, of launches by name; as many as there can be where it says nothing
  Described device = kA100;  // set with shared_limit by describe()
  size_t shared_limit = kA100.block_shared;  // static + dynamic shared memory of a block
};
Options& options();
void describe(const Described&);        // from now on
std::vector<LaunchRecord>& records();   // appended by every launch while options().count
std::vector<std::string>& range_log();  // NVTX ranges, "pretext/training step/conv2d", while options().ranges

// Device memory: filled with NaN, registered, a guard zone on both sides.
void* allocate(size_t bytes);
size_t free_bytes();          // under options().memory_limit, or 8 GiB where there is none
void release(void* pointer);  // Fault when it is not an allocation, or was released already

// One launch. invoke(closure) runs the kernel for the current thread; `module` is any address inside the shared object
// that holds the kernel (its thread-local block is the static shared memory).
struct Kernel {
  const char* name;
  void (*invoke)(const void* closure);
  const void* closure;
  size_t closure_bytes;
  const void* module;
};
void launch(const Kernel&, Extent grid, Extent block, size_t dynamic_shared);
// Blocks of the launch of that name that a multiprocessor of the device holds at a time.
int resident_blocks(const std::string& name, int threads, size_t dynamic_shared);

// ---- inside a kernel ----
using Where = std::source_location;
Extent thread_idx();
Extent block_idx();
Extent block_dim();
Extent grid_dim();
unsigned lane_id();
unsigned char* dynamic_shared();

enum class Vote : uint8_t { count, all, any };
int block_barrier(Vote vote, int predicate, Where where);
void warp_barrier(unsigned mask, Where where);

// Warp collective: each lane of `mask` deposits `in` and waits; when all have come, combine(in, out, mask, argument)
// runs once with the lanes' pointers (null outside the mask).
using Combine = void (*)(const void* const* in, void* const* out, unsigned mask);
void collective(const char* name, unsigned mask, const void* in, void* out, Combine combine, Where where);
unsigned live_mask();  // lanes of this warp that have not exited

void async_copy(void* shared, const void* global, unsigned bytes, unsigned source_bytes);  // the rest is zero-filled
void async_commit();
void async_wait(unsigned groups_left);  // cp.async.wait_group

void count_mma(uint64_t flops);  // by one lane of the warp
void count_special();
// An access made on behalf of the current thread (ldmatrix, atomics): checked and counted like a plain one.
enum class Access : uint8_t { read, write, atomic };
void touch(const void* address, size_t bytes, Access access, const void* site);
// One atomic access is counted by atomic_load; exchange_if stores `desired` where *p == expected, else updates
// expected.
template <class T>
T atomic_load(T* p, const void* site);  // uint32_t, uint64_t
template <class T>
bool atomic_exchange_if(T* p, T& expected, T desired);
void fence();  // __threadfence
[[noreturn]] void fault(const std::string& what);

}  // namespace simt
