// Streams, events and graphs of the SIMT runner. There is one order of work: everything runs as it is enqueued, so a wait
// for an event never waits, and a missing one is not found. While a capture is open work is kept instead, and replayed
// with the graph; what CUDA forbids there (a wait, a plain allocation) is refused and spoils the capture, as on a device. A
// capture is its thread's (cudaStreamCaptureModeThreadLocal): other threads may wait meanwhile.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace simt {

// What a graph calls a piece of work. `check` is the runner's own, and no node.
enum class Kind : uint8_t { kernel, copy, allocation, release, event, check };
struct Work {
  Kind kind;
  std::function<void()> run;
};

struct Graph {
  std::vector<Work> work;
  std::vector<void*> owned;  // allocated during the capture; released with the graph
  ~Graph();
};

void enqueue(std::function<void()> work, Kind kind = Kind::kernel);
bool capturing();
void begin_capture();
Graph* end_capture();  // null when something in it was refused
// Whether `call` may happen now; inside a capture it may not, and the capture is spoilt.
bool allowed_now(const char* call);
const char* refused_call();  // what spoilt the last capture; "" when nothing did

// Ranges (NVTX) that are open now; each one begun while options().ranges is appended to range_log() with those around it:
// "pretext/training step/conv2d".
int push_range(const char* name);  // the depth it has, from 0
int pop_range();

void* allocate_ordered(size_t bytes);
void release_ordered(void* block);

// In the order of work: `block`, an allocation, becomes one of `bytes` that nothing has been written to; and is whole again,
// what was in it lost. For memory that is handed on without being released.
void lend(void* block, size_t bytes);
void take_back(void* block);

}  // namespace simt
