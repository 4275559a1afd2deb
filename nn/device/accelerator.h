// Accelerator: a device beside the host, as nn sees it. Memory in the order of its queue, a second lane for copies, events
// between the two, and graphs. This header knows no vendor: nn/device/cuda implements it over CUDA's runtime.
#pragma once
#include <memory>

#include "nn/device/device_select.h"
#include "nn/tensor/memory.h"

namespace kith {

// The compute lane is the queue; the copy lane carries transfers beside it.
enum class Lane : uint8_t { compute, copy };

class Event {
 public:
  virtual ~Event() = default;
  virtual void record(Lane) = 0;  // after all work of the lane so far
  virtual void hold(Lane) = 0;    // the lane's later work waits for the event
  virtual void wait() = 0;        // the host waits
  virtual bool done() const = 0;
  virtual double ms_since(const Event& earlier) const = 0;  // both recorded and done
};

// Nodes of a graph, counted by kind.
struct GraphNodes {
  int64_t kernels = 0, copies = 0;  // memory that is set counts as copied
  int64_t allocations = 0;          // and releases: the work behind them waits for the allocator in every replay
  int64_t others = 0;
};

// A recorded sequence of work. Blocks it uses must stay its own as long as it is replayed (see Replay).
class Graph {
 public:
  virtual ~Graph() = default;
  virtual void launch() = 0;
  virtual GraphNodes nodes() const = 0;
};

class Accelerator : public Memory {
 public:
  Queue queue() const override = 0;
  virtual DeviceInfo info() const = 0;
  virtual int64_t free_bytes() const = 0;

  // `host` is memory of host_block: pageable memory would make the host wait.
  virtual void copy_async(Lane, void* to, const void* from, size_t bytes) = 0;
  virtual std::shared_ptr<std::byte> host_block(size_t bytes) = 0;  // pinned
  virtual std::unique_ptr<Event> event(bool timed) = 0;

  // Work enqueued between the two is recorded, not run. Waiting, allocating and uploading are Errors meanwhile.
  virtual void begin_capture() = 0;
  virtual std::unique_ptr<Graph> end_capture() = 0;
  virtual void abandon_capture() noexcept = 0;
  virtual bool capturing() const = 0;

  // A name for profiling tools (NVTX) over what is enqueued until its end. Ranges nest; nobody listening, they cost nothing.
  virtual void begin_range(const char* /*name*/) {}
  virtual void end_range() noexcept {}
};

DeviceList list_devices();  // of this machine

// Error, in one line, when there is no such device; whether kith runs on it is select_device's to say.
std::unique_ptr<Accelerator> open_accelerator(int index);

}  // namespace kith
