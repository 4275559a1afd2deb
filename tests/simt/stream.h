// Streams, events and graphs of the SIMT runner. There is one order of work: everything runs as it is enqueued, so a wait
// for an event never waits, and a missing one is not found. While a capture is open work is kept instead, and replayed
// with the graph; what CUDA forbids there (a wait, a plain allocation) is refused and spoils the capture, as on a device. A
// capture is its thread's (cudaStreamCaptureModeThreadLocal): other threads may wait meanwhile.
#pragma once
#include <cstddef>
#include <functional>
#include <vector>

namespace simt {

struct Graph {
  std::vector<std::function<void()>> work;
  std::vector<void*> owned;  // allocated during the capture; released with the graph
  ~Graph();
};

void enqueue(std::function<void()> work);
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

}  // namespace simt
