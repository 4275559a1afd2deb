#include "nn/context.h"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>

#include "kernels/core/check.h"
#include "nn/buffer.h"
#include "nn/onednn/cache.h"

namespace kith {
namespace {

// What OpenMP would use by itself: all cores of the process, or OMP_NUM_THREADS. Asked before any Context changes it.
int default_threads() {
  static const int threads = omp_get_max_threads();
  return threads;
}

}  // namespace

Context::Context(const ContextOptions& options) : options_(options), queue_{.device = options.device} {
  require_cpu(queue_, "Context");
  check(options.threads >= 0, fmt::format("{} threads", options.threads));
  if (const int available = default_threads(); options_.threads == 0) options_.threads = available;
  omp_set_num_threads(options_.threads);  // before oneDNN makes its first plan: plans depend on it
  pool_ = std::make_shared<Pool>();
  cpu_cache_ = std::make_unique<CpuCache>();
}

Context::~Context() = default;

Tensor Context::empty(Shape shape, DType dtype) {
  for (const int64_t extent : shape)
    if (extent < 0) throw Error(fmt::format("tensor of shape {}", to_string(shape)));
  const size_t bytes = static_cast<size_t>(count_of(shape)) * size_of(dtype);
  return Tensor(std::move(shape), dtype, std::make_shared<Buffer>(pool_, queue_.device, bytes));
}

Tensor Context::zeros(Shape shape, DType dtype) {
  Tensor t = empty(std::move(shape), dtype);
  std::fill_n(static_cast<std::byte*>(t.raw()), t.bytes(), std::byte{0});
  return t;
}

Tensor Context::full(Shape shape, float value) {
  Tensor t = empty(std::move(shape));
  std::ranges::fill(t.span(), value);
  return t;
}

Tensor Context::from(Shape shape, std::span<const float> values) {
  Tensor t = empty(std::move(shape));
  t.copy_from(values);
  return t;
}

int64_t Context::pool_bytes() const { return pool_->bytes(); }

int64_t Context::pool_misses() const { return pool_->misses(); }

}  // namespace kith
