// Device memory that the host cannot touch: with options().host_guard, buffers lie in one reserved range that is readable
// only while work of a stream runs (Unlocked), so that a host loop over device memory ends as it would on a machine with
// a GPU: with a segmentation fault at that line.
#pragma once
#include <cstddef>

namespace simt {

class Unlocked {
 public:
  Unlocked();
  ~Unlocked();
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;
};

void* arena_take(size_t bytes);              // whole pages
void arena_give(void* block, size_t bytes);  // the size that was taken
bool in_arena(const void* block);

}  // namespace simt
