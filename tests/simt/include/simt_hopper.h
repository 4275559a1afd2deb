// mbarriers, tensor copies, products of warpgroups and clusters for the SIMT runner, for the wrappers of kernels/cuda/core.
#pragma once
#include "tests/simt/include/cuda_runtime.h"
#include "tests/simt/runner/hopper.h"

namespace simt_detail {

// As launch() of cuda_runtime.h, in clusters of so many blocks along x.
template <class... P, class... A>
void launch_clusters(const char* name, void (*kernel)(P...), unsigned cluster, dim3 grid, dim3 block, size_t shared,
                     A&&... args) {
  struct Closure {
    void (*kernel)(P...);
    std::tuple<P...> args;
  };
  const Closure closure{kernel, std::tuple<P...>(static_cast<P>(args)...)};
  simt::enqueue([=] {
    const auto invoke = [](const void* c) {
      const auto* self = static_cast<const Closure*>(c);
      std::apply([self](P... a) { self->kernel(a...); }, self->args);
    };
    simt::launch_clusters({.name = name,
                           .invoke = invoke,
                           .closure = &closure,
                           .closure_bytes = sizeof(closure),
                           .module = reinterpret_cast<const void*>(&module_anchor)},
                          cluster, {grid.x, grid.y, grid.z}, {block.x, block.y, block.z}, shared);
  });
}

}  // namespace simt_detail
