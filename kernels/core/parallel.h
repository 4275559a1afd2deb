// Threads of work on the host: OpenMP, static and deterministic.
#pragma once
#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <vector>

namespace kith {

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Calls f(begin, end) over chunks of `grain` items that cover 0 .. n; chunks run in any order on any thread, so f must
// not care. The chunks depend on n and grain only: results that are reduced per chunk, in chunk order, are the same for
// any number of threads. The first exception thrown by f is rethrown.
template <class F>
void parallel_for(int64_t n, int64_t grain, F&& f) {
  grain = std::max<int64_t>(grain, 1);
  const int64_t chunks = ceil_div(n, grain);
  if (chunks <= 0) return;
  if (chunks == 1 || omp_in_parallel() || omp_get_max_threads() == 1) {
    for (int64_t c = 0; c < chunks; ++c) f(c * grain, std::min(n, (c + 1) * grain));
    return;
  }
  std::exception_ptr error;
#pragma omp parallel for schedule(dynamic, 1)
  for (int64_t c = 0; c < chunks; ++c) {
    try {
      f(c * grain, std::min(n, (c + 1) * grain));
    } catch (...) {
#pragma omp critical(kith_parallel_for_error)
      if (!error) error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

// While it lives, the calling thread starts no other: libraries that ask OpenMP (oneDNN) plan for, and run on, it alone.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

}  // namespace kith
