// One block under execution: its threads (fibers), warps, shared memory and what is known about each shared byte.
#pragma once
#include <boost/context/fiber.hpp>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <random>
#include <unordered_map>

#include "tests/simt/runner/runtime.h"
#include "tests/simt/runner/units.h"

namespace simt {

constexpr unsigned kWarp = 32, kWarpgroup = 128;

struct AsyncCopy {
  unsigned char* to;
  std::vector<unsigned char> bytes;
};

enum class State : uint8_t {
  ready,
  block_barrier,
  warp_barrier,
  collective,
  mbarrier,
  named_barrier,
  warpgroup,
  registers,
  cluster,
  done
};
class Cluster;

struct Thread {
  Extent index;
  unsigned linear = 0, lane = 0, warp = 0;
  State state = State::done;
  boost::context::fiber fiber, scheduler;
  const char* stack_low = nullptr;
  const char* stack_high = nullptr;
  // what it waits for
  const char* waiting = "";
  Where where;
  unsigned mask = 0;
  const void* in = nullptr;
  void* out = nullptr;
  int predicate = 0, vote_count = 0, vote_all = 0, vote_any = 0;
  std::vector<AsyncCopy> open;
  std::deque<std::vector<AsyncCopy>> groups;
  std::unordered_map<const void*, uint32_t> occurrences;  // of each instruction since the last block barrier
  std::unique_ptr<InFlight> products;                     // once it has taken part in one, or in their fence
  unsigned polls = 0;                                     // of an mbarrier, in vain, one after the other
  bool at_cluster = false;                                // has arrived in the cluster's barrier and not waited since,
  uint32_t cluster_phase = 0;                             // in this phase of it
};

// Accesses of one warp instruction, gathered lane by lane.
struct Gather {
  uint8_t bytes = 0;
  bool write = false, shared = false;
  std::vector<std::pair<unsigned, uintptr_t>> lanes;  // and their addresses
};

struct Warp {
  unsigned live = 0;
  // Lanes in a warp barrier or a collective; while all of them are in the same one, its mask and name.
  unsigned waiting = 0, mask = 0;
  const char* name = nullptr;
  bool alike = false;
  uint32_t epoch = 0;  // warp barriers passed
  std::map<std::pair<const void*, uint32_t>, Gather> gathers;
};

// What is known about a byte of shared memory: its last writer and reader since the last block barrier. Several readers, or
// several that wrote by atomics, are kMany; their warp is known while it is one.
struct Shadow {
  enum Content : uint8_t { unwritten, written, pending, in_transfer, mbarrier };
  uint32_t write_block_epoch = 0, write_warp_epoch = 0, read_block_epoch = 0, read_warp_epoch = 0;
  uint16_t writer = kNone, writer_warp = kNone, reader = kNone, reader_warp = kNone;
  Content content = unwritten;
  bool atomic = false;  // the last write was one
  bool copied = false;  // the last write was a tensor copy's,
  Swizzle swizzle = Swizzle::none;
  Order::Byte order;  // instead of all that is said of threads and epochs, while the block's order is followed
  static constexpr uint16_t kNone = 0xFFFF, kMany = 0xFFFE;
};

struct SharedRegion {
  unsigned char* base = nullptr;
  size_t bytes = 0;
  std::vector<Shadow> shadow;
  bool holds(uintptr_t a, size_t n) const {
    const auto b = reinterpret_cast<uintptr_t>(base);
    return a >= b && a + n <= b + bytes;
  }
  bool touches(uintptr_t a) const {
    const auto b = reinterpret_cast<uintptr_t>(base);
    return a >= b && a < b + bytes;
  }
};

struct Module {                                            // of the shared object that holds the kernel
  std::vector<std::pair<uintptr_t, uintptr_t>> constants;  // its mapped segments
  unsigned char* tls = nullptr;                            // this OS thread's block
  size_t tls_bytes = 0;
};
Module find_module(const void* address);

class Block {
 public:
  Block();
  ~Block();
  void run(const Kernel&, Extent grid, Extent block, Extent index, size_t dynamic_shared, uint64_t order,
           Cluster* of_cluster = nullptr, unsigned rank_in_cluster = 0);

  Thread& self() const { return *current_; }
  void yield();  // of the current thread, until it is made ready
  void release_block_barrier();
  void lane_done(Thread&);
  std::string name_of(const Thread&) const;
  [[noreturn]] void fail(const std::string& what);

  const Kernel* kernel = nullptr;
  Extent grid, dim, index;
  std::vector<std::unique_ptr<Thread>> threads;
  std::vector<Warp> warps;
  unsigned live = 0, at_barrier = 0, at_products = 0;  // threads, and those in the barrier, in a warpgroup's product
  uint32_t epoch = 0;                                  // block barriers passed
  Cluster* cluster = nullptr;
  unsigned rank = 0;             // in it
  Order::Knowledge left;         // what its threads knew as they exited
  std::vector<uint32_t> visits;  // when each party of the cluster last touched this block's shared memory
  bool combining = false;        // the lanes' operands of a collective are being read
  SharedRegion dynamic_region, static_region;
  Module module;
  Counts counts;
  Units units;

  void touch(uintptr_t address, size_t bytes, Access access, const void* site);
  bool shared(uintptr_t address) const { return dynamic_region.touches(address) || static_region.touches(address); }
  SharedRegion* region_of(uintptr_t address);  // null where it is in neither
  Order::Party party(const Thread& t) const { return static_cast<Order::Party>(rank * dim.count() + t.linear); }
  void visit(Block& owner, const char* verb);  // of the cluster, by the current thread
  void write_pending(const AsyncCopy&, const Thread&);
  void finish_gathers();
  // Accesses of copies and products, which see shared memory through their own proxy.
  enum class Unit : uint8_t { copy, product };
  void check_unit(Block& owner, uintptr_t address, size_t bytes, Unit, const Order::Knowledge&, Order::Stamp, Swizzle);
  void follow_order();  // from now on
  void copy_reads(uintptr_t global, size_t bytes);
  void land_transfers(bool all, bool at_least_one);
  void complete_phase(Mbarrier&, uintptr_t at);  // where all has come: wakes who waits
  Warpgroup& warpgroup_of(const Thread&, const char* what);
  bool warpgroup_arrives(State, const char* name, const void* in, Where);  // true in the last of its threads
  std::string party_name(Order::Party) const;
  std::string byte_name(const Block& owner, size_t at) const;
  std::string in_words(const Block& owner) const;  // " in block 1 of its cluster"; empty where it is this one
  std::string waiting_threads() const;

 private:
  void prepare(size_t dynamic_shared);
  void start(Thread&);
  [[noreturn]] void deadlock();
  void check_shared(SharedRegion&, uintptr_t address, size_t bytes, Access access);
  bool touch_peer(uintptr_t address, size_t bytes, Access access, const char* verb);
  void check_order(const Block& owner, SharedRegion&, size_t first, size_t bytes, Access access);
  void check_content(const Block& owner, const Shadow&, size_t at, bool reads);
  void check_registers(Thread&, uintptr_t address, size_t bytes, Access access);
  std::string waits_for(const Thread&) const;
  void units_done();  // faults where something is left over
  void gather(uintptr_t address, size_t bytes, Access access, bool shared, const void* site);
  void count_global(const Gather&);
  void count_shared(Gather&);

  Thread* current_ = nullptr;
  uint64_t accesses_ = 0;  // by the current thread since it was last resumed
  std::vector<unsigned char> arena_;
  std::exception_ptr error_;
  bool aborting_ = false;
  std::mt19937_64 random_;
};

Block& current_block();  // of this OS thread; Fault outside a launch
// "kernels/cuda/topk.cu:88": the path is from the root of the repository.
std::string line_of(const Where&);

Block* current_block_or_null();

// Registered device memory.
bool registered(uintptr_t address, size_t bytes);
std::string describe_address(uintptr_t address);
std::vector<std::pair<unsigned char*, size_t>> buffers();
// The allocation seems to have that many bytes, at most what it was made with. Returns its bytes now.
inline constexpr size_t kWhole = ~size_t{0};
size_t resize(void* allocation, size_t bytes);

}  // namespace simt
