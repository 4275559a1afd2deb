#include "nn/onednn/pool.h"

#include <fmt/format.h>

#include "kernels/core/check.h"

namespace kith {
namespace {

using dnnl::memory;
using tag = dnnl::memory::format_tag;

Plan make_plan(const dnnl::engine& engine, const PoolShape& s, Pass pass) {
  const memory::desc src = dense_desc({s.images, s.channels, s.height, s.width}, tag::nhwc);
  const memory::desc dst = dense_desc({s.images, s.channels, s.out_height(), s.out_width()}, tag::nhwc);
  const memory::dims strides{s.stride, s.stride}, padding{s.padding, s.padding};
  const memory::dims kernel{s.kernel_height, s.kernel_width};
  const auto method = s.maximum ? dnnl::algorithm::pooling_max : dnnl::algorithm::pooling_avg_exclude_padding;
  const dnnl::pooling_forward::primitive_desc forward(
      {dnnl::prop_kind::forward_training, method, src, dst, strides, kernel, padding, padding}, plan_attributes(),
      engine);
  const auto none = memory::desc();
  if (pass == Pass::forward)
    return {.primitive = dnnl::pooling_forward(forward),
            .operands = {make_operand(engine, DNNL_ARG_SRC, src, src, false),
                         Operand{.argument = 0, .stored = none, .wanted = none, .reorder = {}},
                         make_operand(engine, DNNL_ARG_DST, dst, dst, true)},
            .scratchpad = forward.scratchpad_desc(),
            .workspace = forward.workspace_desc()};
  const dnnl::pooling_backward::primitive_desc backward({method, src, dst, strides, kernel, padding, padding},
                                                        plan_attributes(), engine, forward);
  return {.primitive = dnnl::pooling_backward(backward),
          .operands = {make_operand(engine, DNNL_ARG_DIFF_DST, dst, dst, false),
                       Operand{.argument = 0, .stored = none, .wanted = none, .reorder = {}},
                       make_operand(engine, DNNL_ARG_DIFF_SRC, src, src, true)},
          .scratchpad = backward.scratchpad_desc(),
          .workspace = backward.workspace_desc()};
}

const Plan& pool_plan(Context& ctx, const PoolShape& shape, Pass pass) {
  CpuCache& cache = ctx.cpu_cache();
  const PoolKey key{.shape = shape, .pass = pass};
  if (const auto it = cache.pools.find(key); it != cache.pools.end()) return it->second;
  try {
    return cache.pools.emplace(key, make_plan(cache.engine, shape, pass)).first->second;
  } catch (const dnnl::error& e) {
    throw Error(fmt::format("pooling {}x{}x{}x{}, kernel {}x{}, stride {}, padding {}: {}", shape.images, shape.height,
                            shape.width, shape.channels, shape.kernel_height, shape.kernel_width, shape.stride,
                            shape.padding, e.what()));
  }
}

}  // namespace

int64_t pool_workspace_floats(Context& ctx, const PoolShape& shape) {
  const size_t bytes = pool_plan(ctx, shape, Pass::forward).workspace.get_size();
  return static_cast<int64_t>((bytes + sizeof(float) - 1) / sizeof(float));
}

void pool_forward(Context& ctx, const PoolShape& shape, const float* x, float* y, float* workspace) {
  run_plan(ctx, pool_plan(ctx, shape, Pass::forward), {.first = x, .out = y, .workspace = workspace});
}

void pool_backward(Context& ctx, const PoolShape& shape, const float* dy, const float* workspace, float* dx,
                   Write write) {
  run_plan(ctx, pool_plan(ctx, shape, Pass::backward_data),
           {.first = dy, .out = dx, .workspace = const_cast<float*>(workspace), .write = write});
}

}  // namespace kith
