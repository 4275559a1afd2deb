#include "nn/tensor/context.h"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <cstdlib>

#include "kernels/core/check.h"
#include "nn/device/accelerator.h"
#include "nn/device/ranks/collective.h"
#include "nn/device/threads.h"
#include "nn/tensor/buffer.h"
#include "nn/tensor/profile.h"

namespace kith {
namespace {

// OMP_NUM_THREADS, or what the process may keep busy. OpenMP, asked before any Context changes it, knows of no quota.
int default_threads() {
  static const int of_openmp = omp_get_max_threads();
  return std::getenv("OMP_NUM_THREADS") != nullptr ? of_openmp : std::min(of_openmp, available_processors());
}

}  // namespace

Context::Context(const ContextOptions& options) : options_(options), queue_{.device = options.device} {
  check(options.threads >= 0, fmt::format("{} threads", options.threads));
  if (const int available = default_threads(); options_.threads == 0) options_.threads = available;
  if (!options_.collective) options_.collective = one_rank();
  omp_set_num_threads(options_.threads);  // before oneDNN makes its first plan: plans depend on it
  if (on_cpu()) {
    memory_ = std::make_shared<HostMemory>();
    math_ = make_cpu_math(*this);
  } else {
    accelerator_ = open_accelerator(options.index);
    memory_ = accelerator_;
    queue_ = accelerator_->queue();
    math_ = make_accelerator_math(queue_, options.math);
  }
  pool_ = make_pool();
}

Context::~Context() {
  if (accelerator_) accelerator_->sync();
}

std::string Context::describe() const {
  if (!accelerator_)
    return fmt::format("CPU, {} thread{}, {}", options_.threads, options_.threads == 1 ? "" : "s",
                       name_of(options_.precision));
  const DeviceInfo info = accelerator_->info();
  return fmt::format("{} (sm_{}, {:.0f} GiB), {}, activations {}{}", info.name, info.sm,
                     static_cast<double>(info.memory_bytes) / (1 << 30), math_->describe(), name_of(options_.precision),
                     options_.graphs ? "" : ", no graphs");
}

std::shared_ptr<Pool> Context::make_pool() { return std::make_shared<Pool>(memory_); }

Context::PoolScope::PoolScope(Context& ctx, std::shared_ptr<Pool> pool)
    : ctx_(ctx),
      before_(std::exchange(ctx.pool_, std::move(pool))),
      lender_before_(std::exchange(ctx.queue_.scratch, ctx.pool_.get())) {}

Context::PoolScope::~PoolScope() {
  ctx_.queue_.scratch = lender_before_;
  ctx_.pool_ = std::move(before_);
}

std::shared_ptr<Buffer> Context::block(size_t bytes) { return std::make_shared<Buffer>(pool_, bytes); }

void Context::profile(const Ceilings& ceilings, int listed) {
  profiler_ = std::make_unique<Profiler>(accelerator_.get(), ceilings, listed);
}

void Context::copy(void* to, const void* from, size_t bytes) { memory_->copy(to, from, bytes); }

void Context::sync() { memory_->sync(); }

Tensor Context::empty(Shape shape, DType dtype) {
  for (const int64_t extent : shape)
    if (extent < 0) throw Error(fmt::format("tensor of shape {}", to_string(shape)));
  const size_t bytes = static_cast<size_t>(count_of(shape)) * size_of(dtype);
  return Tensor(std::move(shape), dtype, block(bytes));
}

Tensor Context::zeros(Shape shape, DType dtype) {
  Tensor t = empty(std::move(shape), dtype);
  memory_->zero(t.raw(), t.bytes());
  return t;
}

Tensor Context::full(Shape shape, float value) {
  const std::vector<float> values(static_cast<size_t>(count_of(shape)), value);
  return from(std::move(shape), values);
}

Tensor Context::from(Shape shape, std::span<const float> values) {
  Tensor t = empty(std::move(shape));
  t.copy_from(values);
  return t;
}

Tensor Context::constant(Shape shape, std::vector<float> values) {
  Tensor& kept = constants_[{shape, values}];
  if (kept.empty()) kept = from(std::move(shape), values);
  return kept;
}

bool Context::has_room(int64_t bytes) {
  if (on_cpu()) return true;
  accelerator_->reclaim();  // what pools keep for later is free as well
  return bytes <= accelerator_->free_bytes() / 2;
}

int64_t Context::pool_bytes() const { return pool_->bytes(); }

int64_t Context::pool_misses() const { return pool_->misses(); }

}  // namespace kith
