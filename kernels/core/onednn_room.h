// Memory that oneDNN needs for its code, looked for before it is asked to make some.
#pragma once
#include <sys/mman.h>

#include <cstddef>

#include "kernels/core/check.h"

namespace kith::kernels {

// oneDNN writes its code into memory that it maps itself, and does not look whether it was given any (2.6: a crash). A plan's
// code is a few times 256 KiB; where a limit of the address space (ulimit -v) or of commitments leaves less than this, there is
// one line.
inline void expect_room_for_code() {
  constexpr size_t kBytes = size_t{32} << 20;
  void* const room = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) throw OutOfMemory("out of memory: oneDNN has no 32 MiB for its code");
  ::munmap(room, kBytes);
}

}  // namespace kith::kernels
