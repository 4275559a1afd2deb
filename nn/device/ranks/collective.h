// Collective: what several processes (ranks) that train one model do together. A Context has one; with one rank, the default,
// every call returns at once: nothing is copied or launched.
//
//   all_reduce   x = sum over ranks of x                                      f32, in place, the same length on every rank
//   all_gather   part r of `all` is taken from rank r                         bytes, in place, every rank has its own part; the
//                                                                             parts may differ in size, and some be empty
//   broadcast    x = x of rank `root`                                         bytes, in place
//   barrier      returns once every rank has called it
//   highest      the largest of the ranks' numbers, on every rank             waits; what all decide together: stop, save, failed
//
// Every rank makes the same calls in the same order. All but barrier and highest are enqueued: x is memory of the queue's device,
// is read and written in the order of the queue, and must live until the work is done. On a device they may be captured in a
// graph.
//
// Sum  every rank gets the same bits: x_0 + x_1 + ... in the order of the ranks, whatever the length, the engine and its version.
// Another number of ranks changes the sum; one of s numbers x then differs by at most 2 (s - 1) 2^-24 sum |x|. A NaN or an
// infinity on one rank reaches all of them.
// Decisions are integers: the largest of floats with a NaN among them is another one on each rank in some MPIs.
// Errors  Error, before anything is sent, for parts that `size` does not divide, for bounds that do not rise from 0 to the end,
// and for a root that is no rank; Error on every rank that is left when one of them is gone (of MPI: its launcher ends them).
// Lengths that differ between ranks are not detected.
// Cost  bytes that a rank sends, of B bytes over R ranks: all_reduce 2 B (R - 1) / R, all_gather B (R - 1) / R, broadcast B.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernels/core/types.h"

namespace kith {

class Collective {
 public:
  virtual ~Collective() = default;
  int rank() const { return alone_ ? 0 : place(); }  // of this process, 0 .. size - 1
  int size() const { return alone_ ? 1 : places(); }
  virtual std::string engine() const = 0;  // "threads", "Open MPI 4.1.4"

  // What training normalises by: the statistics of a rank's own rows, or of those of all ranks (nn/ops/batch_norm.cpp). Every
  // rank says the same.
  enum class BatchNorm : uint8_t { own, whole };
  BatchNorm batch_norm = BatchNorm::own;

  void all_reduce(std::span<float> x, Queue);
  // Part r is bytes bounds[r] .. bounds[r + 1] - 1 of all; bounds [size + 1].
  void all_gather(std::span<std::byte> all, std::span<const int64_t> bounds, Queue);
  void all_gather(std::span<std::byte> all, Queue);  // equal parts
  void broadcast(std::span<std::byte> x, int root, Queue);
  void barrier();
  int32_t highest(int32_t);

  // RAII: one rank, for work that this one does while the others wait.
  class AloneScope {
   public:
    explicit AloneScope(Collective& of) : of_(of), before_(std::exchange(of.alone_, true)) {}
    ~AloneScope() { of_.alone_ = before_; }
    AloneScope(const AloneScope&) = delete;
    AloneScope& operator=(const AloneScope&) = delete;

   private:
    Collective& of_;
    bool before_;
  };

 private:  // of all ranks; the arguments are checked
  virtual int place() const = 0;
  virtual int places() const = 0;
  virtual void meet() = 0;
  virtual void reduce(std::span<float> x, Queue) = 0;
  virtual void gather(std::span<std::byte> all, std::span<const int64_t> bounds, Queue) = 0;
  virtual void send(std::span<std::byte> x, int root, Queue) = 0;

  bool alone_ = false;
};

std::unique_ptr<Collective> one_rank();

// Ranks that are threads of this process, one object for each: a rank calls its own alone, from one thread. A rank is gone when
// its object is destroyed. Threads that wait sleep. For tests, sanitizers, programs of your own. At most `most_bytes` go at a
// time.
std::vector<std::shared_ptr<Collective>> thread_ranks(int count, size_t most_bytes = size_t{1} << 30);

// Where the share of a rank in `whole` rows begins and ends: bounds[r] = whole r / ranks, so that shares differ by one row at
// most and stand in the order of the rows. [ranks + 1]
std::vector<int64_t> share_bounds(int64_t whole, int ranks);

}  // namespace kith
