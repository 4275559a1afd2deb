// Ranges: names that profiling tools show over what was enqueued between begin and end (NVTX 3: header only, the tool
// brings the rest). With no tool attached each call looks at one pointer. A toolkit without the header has no ranges.
#pragma once
#if __has_include(<nvtx3/nvToolsExt.h>)
#include <nvtx3/nvToolsExt.h>
#define KITH_NVTX
#endif

namespace kith::kernels::cuda {

inline void begin_range([[maybe_unused]] const char* name) {
#ifdef KITH_NVTX
  nvtxRangePushA(name);
#endif
}

inline void end_range() noexcept {
#ifdef KITH_NVTX
  nvtxRangePop();
#endif
}

class LaunchRange {
 public:
  explicit LaunchRange(const char* name) { begin_range(name); }
  ~LaunchRange() { end_range(); }
  LaunchRange(const LaunchRange&) = delete;
  LaunchRange& operator=(const LaunchRange&) = delete;
};

}  // namespace kith::kernels::cuda
