#include "nn/tensor/ceilings.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/core/parallel.h"
#include "nn/device/accelerator.h"
#include "nn/tensor/buffer.h"

namespace kith {
namespace {

constexpr int kSamples = 3, kRuns = 4;  // of each sample, so that launches do not count

// Seconds of one `work`: the best sample, after a run that pays for plans and page faults.
double best(Context& ctx, const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  work();
  ctx.sync();
  double seconds = 1e30;
  for (int sample = 0; sample < kSamples; ++sample) {
    if (Accelerator* device = ctx.accelerator(); device != nullptr) {
      const auto begin = device->event(true), end = device->event(true);
      begin->record(Lane::compute);
      for (int run = 0; run < kRuns; ++run) work();
      end->record(Lane::compute);
      end->wait();
      seconds = std::min(seconds, end->ms_since(*begin) / 1000 / kRuns);
    } else {
      const Clock::time_point begin = Clock::now();
      for (int run = 0; run < kRuns; ++run) work();
      seconds = std::min(seconds, std::chrono::duration<double>(Clock::now() - begin).count() / kRuns);
    }
  }
  return std::max(seconds, 1e-9);  // a coarse clock
}

double copied_bytes(Context& ctx, size_t bytes) {
  const auto from = ctx.block(bytes), to = ctx.block(bytes);
  auto* a = static_cast<std::byte*>(from->data());
  auto* b = static_cast<std::byte*>(to->data());
  const auto copy = [&] {
    if (!ctx.on_cpu()) return ctx.copy(b, a, bytes);
    constexpr int64_t kChunk = 1 << 20;
    parallel_for(static_cast<int64_t>(bytes), kChunk, [&](int64_t begin, int64_t end) {
      std::memcpy(b + begin, a + begin, static_cast<size_t>(end - begin));
    });
  };
  if (ctx.on_cpu()) std::memset(a, 1, bytes);  // pages that nobody wrote are one page of zeros
  return 2 * static_cast<double>(bytes) / best(ctx, copy);
}

// c [n, n] = a b^T. Numbers without a pattern: a GPU multiplies zeros at a higher clock.
double product_flops(Context& ctx, int64_t n, DType dtype) {
  std::vector<float> values(static_cast<size_t>(n * n));
  uint32_t state = 1;
  for (float& v : values) v = static_cast<float>(state = state * 1664525 + 1013904223) * 0x1p-31f - 1;
  const Tensor a = ctx.empty({n, n}, dtype), b = ctx.empty({n, n}, dtype), c = ctx.empty({n, n}, dtype);
  a.copy_from(values);
  b.copy_from(a);
  // f32 as a linear layer, bf16 as a convolution of 1 x 1: there are no linear layers in bf16.
  const LinearShape linear{.rows = n, .in = n, .out = n};
  const ConvShape conv{.images = 1, .height = 1, .width = n, .in = n, .out = n};
  const double seconds = best(ctx, [&] {
    if (dtype == DType::f32)
      ctx.math().linear_forward(linear, a.data(), b.data(), nullptr, c.data());
    else
      ctx.math().conv_forward(conv, dtype, a.raw(), b.raw(), c.raw());
  });
  return linear.cost().flops / seconds;
}

}  // namespace

Ceilings measure_ceilings(Context& ctx, const CeilingSizes& sizes) {
  check(sizes.copy_bytes > 0 && sizes.extent >= 0, "ceilings: sizes");
  const Context::PoolScope scope(ctx, ctx.make_pool());  // what this takes goes back
  const int64_t n = sizes.extent > 0 ? sizes.extent : ctx.on_cpu() ? 1024 : 4096;
  Ceilings out{.bytes = copied_bytes(ctx, sizes.copy_bytes), .f32 = product_flops(ctx, n, DType::f32), .bf16 = 0};
  if (!ctx.on_cpu() || ctx.precision() == DType::bf16) out.bf16 = product_flops(ctx, n, DType::bf16);
  return out;
}

}  // namespace kith
