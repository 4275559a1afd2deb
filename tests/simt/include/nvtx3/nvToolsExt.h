// NVTX for the SIMT runner: the open ranges, for tests to look at.
#pragma once
#include "tests/simt/runner/stream.h"

inline int nvtxRangePushA(const char* name) { return simt::push_range(name); }
inline int nvtxRangePop() { return simt::pop_range(); }
