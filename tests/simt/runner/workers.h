// The OS threads that run blocks. They stay: their fibers' stacks and their static shared memory are there for the next
// launch.
#pragma once
#include <functional>

namespace simt {

// work() on `count` threads at once, the caller's among them; returns when all have returned. Not to be nested.
void on_workers(unsigned count, const std::function<void()>& work);

}  // namespace simt
