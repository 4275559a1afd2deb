// Collective: what several processes (ranks) that train one model do together. A Context has one; with one rank, the default,
// every call returns at once: nothing is copied or launched.
//
//   all_reduce   x = sum over ranks of x, or their mean = sum / size          f32, in place, the same length on every rank
//   all_gather   parts [size, n]: part r is taken from rank r                 bytes, in place, every rank has its own part
//   broadcast    x = x of rank `root`                                         bytes, in place
//   barrier      returns once every rank has called it
//
// Every rank makes the same calls in the same order. All but barrier are enqueued: x is memory of the queue's device, is read
// and written in the order of the queue, and must live until the work is done. On a device they may be captured in a graph.
//
// Sum  every rank gets the same bits. The order of the sum depends on the number of ranks and the length alone: the same run on
// as many ranks has the same bits. Another number of ranks changes the order; a sum of s numbers x then differs by at most
// 2 (s - 1) 2^-24 sum |x|. A NaN or an infinity on one rank reaches all of them.
// Errors  Error, before anything is sent, for parts that `size` does not divide and for a root that is no rank; Error on every
// rank that is left when one of them is gone. Lengths that differ between ranks are not detected.
// Cost  bytes that a rank sends, of B bytes over R ranks: all_reduce 2 B (R - 1) / R, all_gather B (R - 1) / R, broadcast B.
#pragma once
#include <cstddef>
#include <memory>
#include <span>

#include "kernels/core/types.h"

namespace kith {

enum class Reduction : uint8_t { sum, mean };

class Collective {
 public:
  virtual ~Collective() = default;
  virtual int rank() const = 0;  // of this process, 0 .. size - 1
  virtual int size() const = 0;

  void all_reduce(std::span<float> x, Reduction, Queue);
  void all_gather(std::span<std::byte> parts, Queue);
  void broadcast(std::span<std::byte> x, int root, Queue);
  virtual void barrier() = 0;

 private:  // the arguments are checked
  virtual void reduce(std::span<float> x, Reduction, Queue) = 0;
  virtual void gather(std::span<std::byte> parts, Queue) = 0;
  virtual void send(std::span<std::byte> x, int root, Queue) = 0;
};

std::unique_ptr<Collective> one_rank();

}  // namespace kith
